"""Writing reports: gather records, compute figures, fill in templates, save."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tools.kernel.operations import Call, Evidence
from tools.kernel.periods import Span, parse_period
from tools.kernel.storage import now
from tools.reporting import audiences, plots, roi
from tools.reporting.compute import compute
from tools.reporting.figures import Sheet
from tools.reporting.records import Records, gather
from tools.reporting.risks import Finding, find_risks
from tools.reporting.types import Audience, Report

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

Section = tuple[str, list[str]]
NOTHING = "There is nothing to report yet: no act, job, model or device is on record."
NOTHING_THEN = "Nothing is on record for this period."


class ReportingService:
    """Computes reports from the records and saves them under the home's `reports` folder."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def summary(self, call: Call, audience: Audience, period: str | None) -> Report:
        """A page for an audience.

        Raises:
            InvalidInput: if the period is not understood.
        """
        span = parse_period(period, now())
        records = gather(self._kernel, call.tenant, span)
        sheet = compute(records, self._kernel.settings)
        findings = self._findings(sheet, records, call.tenant)
        sections = audiences.write(audience, sheet, records, findings)
        title = audiences.TITLES[audience]
        page = _Page("summary", title, span, records, sheet, sections, findings, audience)
        return self._save(page, "accuracy")

    def roi(self, call: Call, period: str | None, minutes: float, person_rate: float) -> Report:
        """Measured cost against assumed savings.

        Args:
            period: in words; everything if None.
            minutes: assumed minutes of work that one act saves.
            person_rate: assumed money that an hour of a person's work costs.
        """
        span = parse_period(period, now())
        settings = self._kernel.settings
        records = gather(self._kernel, call.tenant, span)
        sheet = compute(records, settings)
        roi.add_figures(sheet, records, settings, minutes, person_rate)
        sections = roi.write(sheet, settings)
        page = _Page("roi", "Return on investment", span, records, sheet, sections, [])
        return self._save(page, "money")

    def risks(self, call: Call) -> Report:
        """What could go wrong, worst first."""
        span = parse_period(None, now())
        records = gather(self._kernel, call.tenant, span)
        sheet = compute(records, self._kernel.settings)
        findings = self._findings(sheet, records, call.tenant)
        sections = _risk_sections(sheet, findings)
        page = _Page("risks", "Risks", span, records, sheet, sections, findings)
        return self._save(page, None)

    def evidence(self, report: Report) -> list[Evidence]:
        """The hash of the saved file, read again."""
        path = Path(report.path)
        found = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "absent"
        return [Evidence(fact=f"content of {path.name}", value=found, source="reports folder")]

    def _findings(self, sheet: Sheet, records: Records, tenant: str) -> list[Finding]:
        settings, principals = self._kernel.settings, self._kernel.principals
        return find_risks(sheet, records, settings, principals, tenant)

    def _save(self, page: _Page, picture: str | None) -> Report:
        text, words = page.text()
        at = now()
        stem = f"{at:%Y%m%dT%H%M%S%f}-{page.audience or page.kind}"
        folder = self._kernel.settings.folder("reports")
        path, plot = folder / f"{stem}.md", folder / f"{stem}.png"
        drawn = bool(picture and not page.records.empty and plots.draw(picture, page.sheet, plot))
        data = text.encode()
        path.write_bytes(data)
        return Report(
            kind=page.kind,
            audience=page.audience,
            title=page.title,
            period=page.span.words,
            start=page.span.start,
            end=page.span.end,
            empty=page.records.empty,
            markdown=text,
            words=words,
            figures=page.sheet.used,
            risks=[f.risk(page.sheet) for f in page.findings],
            path=str(path),
            sha256=hashlib.sha256(data).hexdigest(),
            plot=str(plot) if drawn else None,
        )


class _Page:
    """A report's parts, and its Markdown."""

    def __init__(
        self,
        kind: Literal["summary", "roi", "risks"],
        title: str,
        span: Span,
        records: Records,
        sheet: Sheet,
        sections: Sequence[Section],
        findings: Sequence[Finding],
        audience: Audience | None = None,
    ) -> None:
        self.kind: Literal["summary", "roi", "risks"] = kind
        self.title = title
        self.span = span
        self.records = records
        self.sheet = sheet
        self.sections = sections
        self.findings = findings
        self.audience: Audience | None = audience

    def text(self) -> tuple[str, int]:
        """The Markdown, and how many words it has without the footnotes."""
        lines = [f"# {self.title}", "", f"Period: {self.span.told}."]
        if self.records.empty and self.kind != "risks":
            said = NOTHING if self.span.start is None else NOTHING_THEN
            self.sheet.clear()
            return "\n".join([*lines, "", said, ""]), len(said.split())
        for heading, body in self.sections:
            lines += ["", f"## {heading}", "", *(f"- {line}" for line in body)]
        words = len(" ".join(lines).split())
        notes = self.sheet.footnotes()
        if notes:
            lines += ["", "## Sources", "", *(f"{note}  " for note in notes)]
        return "\n".join([*lines, ""]), words


def _risk_sections(sheet: Sheet, findings: Sequence[Finding]) -> list[Section]:
    if not findings:
        return [("None", ["No risk shows in the records."])]
    return [
        (
            severity.capitalize(),
            [
                f"{sheet.text(f.title)} {f.advice} ({', '.join(f'`{s}`' for s in f.source[:4])})"
                for f in findings
                if f.severity == severity
            ],
        )
        for severity in ("high", "medium", "low")
        if any(f.severity == severity for f in findings)
    ]
