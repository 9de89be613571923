"""Drift: what a version meets and answers live, against the profile kept from before."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edge.inputs import EDGES, InputCounts
from tools.devices.types import Inputs, Traffic
from tools.evaluation.drift_types import (
    PLACES_OF,
    DriftReport,
    DriftReports,
    MeasureDrift,
    Profile,
    Shift,
    Whereabouts,
)
from tools.evaluation.fitting import refuse_embedding, refuse_language
from tools.evaluation.reports import ReportStore
from tools.evaluation.seen import told_of_seen
from tools.evaluation.subjects import Subject, subject_of_version
from tools.kernel.errors import Conflict, NotFound
from tools.kernel.operations import Evidence, Preview

if TYPE_CHECKING:
    from tools.datasets.columns import Row
    from tools.kernel.kernel import Kernel
    from tools.kernel.operations import Call

WORKER = "tools.evaluation.drift_worker"
ALARM = "drift.alarm"
DEVICES = "devices"
MOST_ROWS = 1000
FEWEST = 30
_ORDER = {"alarm": 0, "notice": 1, "none": 2}


class DriftService:
    """Compares live samples with profiles; safe from several threads.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.reports = ReportStore(kernel)

    def normalise(self, args: MeasureDrift, tenant: str) -> MeasureDrift:
        """Pin the version (the champion, else the newest) and the dataset's version."""
        from tools.datasets.service import DatasetService
        from tools.registry.service import RegistryService

        registry = self._kernel.get(RegistryService)
        version = args.version or registry.backend.alias(tenant, args.model, "champion")
        version = version or registry.latest(args.model, tenant).version
        dataset = args.dataset
        if dataset is not None:
            dataset = str(self._kernel.get(DatasetService).resolve(tenant, dataset))
        return args.model_copy(update={"version": version, "dataset": dataset})

    def preview(self, args: MeasureDrift, tenant: str) -> Preview:
        """What would be compared with what; refuses where there is nothing live."""
        subject = self._subject(args, tenant)
        subject.check()
        if args.dataset is None:
            rows, warnings = sum(self._answers_of_devices(subject, tenant).labels.values()), []
        else:
            live = self._live_rows(args.dataset, tenant)
            rows, warnings = len(live), self._told_of_seen(subject, live, tenant)
        return Preview(
            summary=f"Compare {rows} live rows of {args.dataset or DEVICES} with what {subject} "
            "was measured on before.",
            seconds=15,
            warnings=warnings,
        )

    def measure(self, args: MeasureDrift, call: Call) -> DriftReport:
        """Make the profile where there is none, compare, keep the report and raise alarms."""
        job = call.running
        profile = job.step("profile", self._profile, args, call)
        found = job.step("compare", self._compare, args, profile, call)
        stored = job.step("store", self._store, found, call)
        return DriftReport.model_validate(stored)

    def history(self, model: str | None, tenant: str) -> DriftReports:
        """Stored reports, newest first."""
        return DriftReports(
            model=model, reports=self.reports.newest("drift", tenant, DriftReport, model)
        )

    def evidence(self, number: int, tenant: str) -> list[Evidence]:
        """The stored report."""
        return self.reports.evidence(number, tenant, "level", "rows")

    def _profile(self, args: MeasureDrift, call: Call) -> dict[str, Any]:
        """The version's profile; its files' hash is its key, so it is made once."""
        subject = self._subject(args, call.tenant)
        subject.check()
        known = self.reports.find("profile", subject.content_hash, call.tenant, _Kept)
        if known is None:
            rows = self._reference_rows(subject, call.tenant)
            measured = self._answer(call, "profile", subject, rows, {})
            made = _Kept.model_validate({**measured, "dataset": subject.dataset})
            key, version = subject.content_hash, subject.version
            known = self.reports.add("profile", key, call.tenant, subject.model, version, made)
        return known.model_dump(mode="json")

    def _compare(self, args: MeasureDrift, profile: dict[str, Any], call: Call) -> dict[str, Any]:
        reference = _Kept.model_validate(profile)
        subject = self._subject(args, call.tenant)
        if args.dataset is None:
            answers = self._answers_of_devices(subject, call.tenant)
            rows, shifts = sum(answers.labels.values()), _of_answers(reference, answers)
            known = self.reports.find(PLACES_OF, subject.content_hash, call.tenant, Whereabouts)
            if answers.inputs is not None:
                counted = self._counted(reference, subject, call.tenant)
                shifts += _of_inputs(counted, answers.inputs)
                shifts += _of_places(known, answers.inputs)
            warnings = _told_of_inputs(answers.inputs, known)
        else:
            live = self._live_rows(args.dataset, call.tenant)
            extra = {"edges": reference.edges}
            measured = self._answer(call, "live", subject, live, extra)
            labelled = all(r.label in subject.labels for r in live)
            shifts, rows = _of_rows(reference, measured, labelled), len(live)
            warnings = self._told_of_seen(subject, live, call.tenant)
        return _report(subject, args.dataset or DEVICES, rows, reference, shifts, warnings)

    def _answer(
        self,
        call: Call,
        task: str,
        subject: Subject,
        rows: Sequence[Row],
        extra: dict[str, Any],
    ) -> dict[str, Any]:
        path = call.running.workdir / f"{task}.jsonl"
        lines = (json.dumps({"text": r.text, "label": r.label}) for r in rows)
        path.write_text("".join(f"{line}\n" for line in lines))
        kept = self._kernel.settings.folder("evaluations", "profiles")
        name = subject.content_hash[:32] if task == "profile" else f"live-{call.running.id}"
        spec = {
            "task": task,
            "folder": str(subject.folder),
            "rows": str(path),
            "embeddings": str(kept / f"{name}.npz"),
            **extra,
        }
        return call.running.child(WORKER, spec)

    def _store(self, found: dict[str, Any], call: Call) -> dict[str, Any]:
        report = DriftReport.model_validate(found)
        key = f"job {call.running.id}"
        stored = self.reports.add("drift", key, call.tenant, report.model, report.version, report)
        if stored.level == "alarm":
            data = {
                "model": stored.model,
                "version": stored.version,
                "report": stored.id,
                "told": [s.told for s in stored.shifts if s.level == "alarm"],
            }
            self._kernel.events.publish(f"drift:{stored.model}", ALARM, data, call.tenant)
        return stored.model_dump(mode="json")

    def _subject(self, args: MeasureDrift, tenant: str) -> Subject:
        """The version to look after; refuses one that answers no classes."""
        subject = subject_of_version(self._kernel, args.model, args.version, tenant)
        refuse_language([subject])
        refuse_embedding(
            subject,
            "drift is told by the classes that a model answers, and it answers none",
            f"`evaluate {subject} on` newer pairs tells whether it finds as much as before.",
        )
        return subject

    def _reference_rows(self, subject: Subject, tenant: str) -> Sequence[Row]:
        """Held-out rows of the version's own dataset; all of it where too few were held out."""
        from tools.datasets.service import DatasetService

        every = self._kernel.get(DatasetService).rows(tenant, subject.dataset)
        held = [r for r in every if r.split in ("test", "validation")]
        return _spread(held if len(held) >= FEWEST else every)

    def _live_rows(self, dataset: str, tenant: str) -> Sequence[Row]:
        from tools.datasets.service import DatasetService

        rows = self._kernel.get(DatasetService).rows(tenant, dataset)
        if len(rows) < FEWEST:
            raise Conflict(
                f"{dataset} has only {len(rows)} rows: drift cannot be told from chance.",
                hint=f"Give at least {FEWEST} rows.",
            )
        return _spread(rows)

    def _told_of_seen(self, subject: Subject, live: Sequence[Row], tenant: str) -> list[str]:
        from tools.datasets.service import DatasetService

        every = self._kernel.get(DatasetService).rows(tenant, subject.dataset)
        return told_of_seen(live, (row for row in every if row.split != "test"), subject)

    def _counted(self, reference: _Kept, subject: Subject, tenant: str) -> Inputs:
        """The reference rows as devices count inputs; older profiles do not hold that yet."""
        if reference.inputs is not None:
            return reference.inputs
        texts = [row.text for row in self._reference_rows(subject, tenant)]
        return Inputs.model_validate(InputCounts.of(texts).told())

    def _answers_of_devices(self, subject: Subject, tenant: str) -> Traffic:
        """What devices answered with this version and were asked, by their own reports."""
        from tools.devices.fleet import Fleet, merge_traffic

        wanted = (subject.model, subject.version)
        counts = [
            {**traffic.model_dump(), "confidence_sum": 0.0}
            for device in self._kernel.get(Fleet).devices(tenant)
            for traffic in (device.report.traffic if device.report else ())
            if (traffic.model, traffic.version) == wanted
        ]
        found = next(iter(merge_traffic(counts)), Traffic(model=wanted[0], version=wanted[1] or 0))
        answered = sum(found.labels.values())
        if answered < FEWEST:
            raise NotFound(
                f"Devices reported only {answered} answers of {subject}.",
                hint=f"Name a dataset of live inputs, or wait for {FEWEST} answers.",
            )
        return found


class _Kept(Profile):
    """A profile with what only this module needs: how many reference rows it got right."""

    right: int


def _spread(rows: Sequence[Row]) -> Sequence[Row]:
    return rows[:: max(1, -(-len(rows) // MOST_ROWS))]


def _of_answers(reference: _Kept, answers: Traffic) -> list[Shift]:
    from tools.evaluation.drift_statistics import counts_shift

    return [counts_shift("predictions", reference.labels, answers.labels)]


def _of_inputs(reference: Inputs, live: Inputs) -> list[Shift]:
    """How far lengths and words moved, of as many inputs as are enough to tell."""
    from tools.evaluation.drift_statistics import counts_shift

    if sum(live.lengths) < FEWEST:
        return []
    lengths = [f"up to {edge} words" for edge in EDGES] + ["longer"]
    words = [f"class {number}" for number in range(len(live.words))]

    def named(names: Sequence[str], counts: Sequence[int]) -> dict[str, int]:
        return dict(zip(names, counts, strict=True))

    return [
        counts_shift("lengths", named(lengths, reference.lengths), named(lengths, live.lengths)),
        counts_shift("words", named(words, reference.words), named(words, live.words)),
    ]


def _of_places(known: Whereabouts | None, live: Inputs) -> list[Shift]:
    """How far embeddings moved, by where they lie among those of the held-out rows."""
    from tools.evaluation.drift_statistics import counts_shift

    if known is None or sum(live.places) < FEWEST:
        return []
    before, after = (
        {f"place {number}": count for number, count in enumerate(counts)}
        for counts in (known.places, live.places)
    )
    return [counts_shift("embeddings", before, after)]


def _told_of_inputs(live: Inputs | None, known: Whereabouts | None) -> list[str]:
    """What is known of the inputs of devices, and how to know more."""
    if live is None:
        return [
            "Devices report what they answered, not what they were asked. Those started with "
            "--input-counts also tell how long inputs are, the hashed class of a word of each, and "
            "where its embedding lies."
        ]
    counted, placed = sum(live.lengths), sum(live.places)
    few = f", too few to compare ({FEWEST} are needed)" if counted < FEWEST else ""
    told = [f"Lengths and words of {counted} inputs were counted on devices{few}."]
    if known is None:
        told.append(
            "Embeddings of live inputs are not compared: no bundle of this version tells where its "
            "held-out texts lie. Versions of which fewer than 30 rows were held out have none."
        )
    elif counted >= FEWEST > placed:
        told.append(
            f"Only {placed} embeddings of inputs were counted on devices, too few to compare."
        )
    return told


def _of_rows(reference: _Kept, live: dict[str, Any], labelled: bool) -> list[Shift]:
    import numpy as np

    from tools.evaluation.drift_statistics import accuracy_shift, counts_shift, embedding_shift

    names = [f"up to {edge:g} words" for edge in reference.edges] + ["longer"]
    before, after = (np.load(p)["sample"] for p in (reference.embeddings, live["embeddings"]))
    shifts = [
        counts_shift("predictions", reference.labels, live["labels"]),
        counts_shift(
            "lengths",
            dict(zip(names, reference.lengths, strict=True)),
            dict(zip(names, live["lengths"], strict=True)),
        ),
        embedding_shift(before, after),
    ]
    if labelled:
        now = (int(live["right"]), int(live["rows"]))
        shifts.append(accuracy_shift((reference.right, reference.rows), now))
    return shifts


def _report(
    subject: Subject,
    source: str,
    rows: int,
    reference: _Kept,
    shifts: list[Shift],
    warnings: list[str],
) -> dict[str, Any]:
    from tools.evaluation.drift_statistics import worst

    return DriftReport(
        model=subject.model,
        version=subject.version or 0,
        source=source,
        rows=rows,
        reference_rows=reference.rows,
        reference=reference.dataset,
        level=worst(shifts),
        shifts=sorted(shifts, key=lambda s: (_ORDER[s.level], s.p_value)),
        warnings=warnings,
    ).model_dump(mode="json")
