"""Every number in a report is a figure, and every figure is what the tables say."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.reporting.conftest import EVALUATION
from tools.kernel.errors import InvalidInput
from tools.kernel.gate import Outcome
from tools.kernel.kernel import Kernel
from tools.reporting.types import Report

AUDIENCES = ("board", "executives", "engineering", "legal", "finance")
Calling = Callable[..., Outcome]


def _report(outcome: Outcome) -> Any:
    assert isinstance(outcome.result, Report)
    return outcome.result


def numbers_outside_figures(report: Report) -> list[str]:
    """The numbers of the text that are not a figure followed by its own footnote mark.

    Names and dates stand in backquotes; they are no numbers.
    """
    text = report.markdown.split("\n## Sources\n")[0]
    text = re.sub(r"`[^`]*`", "", text)
    for number, figure in enumerate(report.figures, 1):
        shown = re.escape(figure.shown)
        text = re.sub(rf"(?<![\w.]){shown}(?: [a-z-]+)* \[{number}\]", "", text)
    return re.findall(r"\d[\d.,]*", text)


def assert_sourced(report: Report) -> None:
    """Each number is a figure; each figure has sources; each footnote names them."""
    assert numbers_outside_figures(report) == []
    notes = report.markdown.split("\n## Sources\n")[1] if report.figures else ""
    for number, figure in enumerate(report.figures, 1):
        assert figure.source, figure
        assert f"[{number}] {figure.label}: {figure.source[0]}" in notes


@pytest.mark.parametrize("audience", AUDIENCES)
def test_every_number_of_a_summary_is_a_sourced_figure(
    history: Kernel, call: Calling, audience: str
) -> None:
    report = _report(call("reporting.summary", audience=audience))
    assert not report.empty
    assert report.figures
    assert_sourced(report)
    assert report.words < 500
    assert len(report.markdown.split("\n## Sources\n")[0].split()) < 500


def test_the_check_itself_finds_a_number_without_a_source(history: Kernel, call: Calling) -> None:
    report = _report(call("reporting.summary", audience="board"))
    forged = report.model_copy(
        update={"markdown": report.markdown.replace("# Summary", "# 97 % better. Summary")}
    )
    assert numbers_outside_figures(forged) == ["97"]


def test_figures_are_recomputed_from_the_tables(history: Kernel, call: Calling) -> None:
    found: dict[str, Any] = {}
    for audience in AUDIENCES:
        report = _report(call("reporting.summary", audience=audience))
        found.update({f.id: f for f in report.figures})
    seconds = 431.5 + 120.0 + 33.0 + 61.0
    rate = history.settings.hourly_rate
    expected = {
        "acts": 5,
        "people": 2,
        "undone": 1,
        "dangerous": 2,
        "self_approved": 1,
        "jobs": 5,
        "jobs_done": 3,
        "jobs_failed": 1,
        "jobs_open": 1,
        "trainings": 2,
        "compute_seconds": seconds,
        "cost": seconds / 3600 * rate,
        "cost_lost": 61.0 / 3600 * rate,
        "validation": 0.8561,
        "initial_loss": 2.0812,
        "final_loss": 0.4417,
        "training_seconds": 402.25,
        "approvals": 3,
        "approvals_granted": 1,
        "approvals_denied": 1,
        "approvals_pending": 1,
        "models": 1,
        "versions": 2,
        "rollouts": 2,
        "rollouts_rolled_back": 1,
        "rollouts_open": 1,
        "touched": 2,
        "devices": 3,
        **{f"{key}_1": value for key, value in EVALUATION.items()},
    }
    for id, value in expected.items():
        assert found[id].value == pytest.approx(value), id


def test_figures_name_their_records(history: Kernel, call: Calling) -> None:
    report = _report(call("reporting.summary", audience="board"))
    figures = {f.id: f for f in report.figures}
    assert figures["accuracy_1"].source == ["evaluation 1", "run 3f2a9c01"]
    assert figures["acts"].source[0] == "receipt R1"
    assert figures["rollouts"].source == ["rollout 1", "rollout 2"]
    assert "setting hourly_rate" in figures["cost"].source
    assert "job 1" in figures["compute_seconds"].source


def test_the_report_is_saved_with_its_hash_and_picture(
    history: Kernel, call: Calling, home: Path
) -> None:
    outcome = call("reporting.summary", audience="board")
    report = _report(outcome)
    path = Path(report.path)
    assert path.parent == home / "reports"
    assert path.read_text() == report.markdown
    assert hashlib.sha256(path.read_bytes()).hexdigest() == report.sha256
    assert outcome.receipt.evidence[0].value == report.sha256
    assert Path(report.plot).read_bytes().startswith(b"\x89PNG")


def test_an_empty_platform_says_so_and_invents_nothing(call: Calling) -> None:
    for name, arguments in (
        *(("reporting.summary", {"audience": a}) for a in AUDIENCES),
        ("reporting.roi", {}),
    ):
        report = _report(call(name, **arguments))
        assert report.empty
        assert "nothing to report yet" in report.markdown
        assert report.figures == []
        assert numbers_outside_figures(report) == []
        assert report.plot is None


def test_a_period_before_everything_holds_no_acts(history: Kernel, call: Calling) -> None:
    report = _report(call("reporting.summary", audience="engineering", period="2019"))
    assert "No job was started in this period." in report.markdown
    assert_sourced(report)
    today = _report(call("reporting.summary", audience="engineering", period="last 7 days"))
    assert {f.id: f.value for f in today.figures}["jobs"] == 5
    assert_sourced(today)


def test_a_wrong_audience_or_period_is_refused(call: Calling) -> None:
    with pytest.raises(InvalidInput, match="audience"):
        call("reporting.summary", audience="aliens")
    with pytest.raises(InvalidInput, match="not understood"):
        call("reporting.summary", audience="board", period="when pigs fly")


def test_roi_is_arithmetic_on_counts_and_shown_assumptions(history: Kernel, call: Calling) -> None:
    report = _report(call("reporting.roi", minutes_saved_per_act=30, person_hourly_rate=80))
    assert_sourced(report)
    figures = {f.id: f for f in report.figures}
    cost = figures["cost"].value
    assert figures["lasting"].value == 3  # five acts, of which one was undone, by another one
    assert figures["hours"].value == pytest.approx(1.5)
    assert figures["saved"].value == pytest.approx(120.0)
    assert figures["net"].value == pytest.approx(120.0 - cost)
    assert figures["ratio"].value == pytest.approx((120.0 - cost) / cost)
    assert figures["minutes"].source == ["assumption minutes_saved_per_act"]
    assert "assumption person_hourly_rate" in figures["saved"].source
    assert "Both are assumptions" in report.markdown
    assert report.plot is not None


def test_risks_come_from_the_actual_state(history: Kernel, call: Calling) -> None:
    report = _report(call("reporting.risks"))
    assert_sourced(report)
    titles = [r.title for r in report.risks]
    assert any("`ticket-router v2` is challenger and was never evaluated" in t for t in titles)
    assert not any("ticket-router v1" in t for t in titles)
    assert any(t.startswith("No device group is protected") for t in titles)
    assert "3 devices silent." in titles
    assert "1 job failed." in titles
    assert "1 rollout rolled back." in titles
    assert "1 dangerous act approved by the proposer alone." in titles
    assert all(r.source for r in report.risks)
    order = [("high", "medium", "low").index(r.severity) for r in report.risks]
    assert order == sorted(order)


def test_a_broken_audit_is_the_first_risk(history: Kernel, call: Calling) -> None:
    from sqlalchemy import text

    call("platform.jobs")
    call("platform.jobs")
    with history.database.session() as session:
        session.execute(text("UPDATE ph_audit SET body = '{}' WHERE sequence = 1"))
    report = _report(call("reporting.risks"))
    assert report.risks[0].severity == "high"
    assert "audit chain is broken" in report.risks[0].title
    legal = _report(call("reporting.summary", audience="legal"))
    assert "NOT intact" in legal.markdown


def test_names_with_braces_do_not_break_the_text(history: Kernel, call: Calling) -> None:
    """Rollout reasons and errors are other people's text."""
    report = _report(call("reporting.summary", audience="engineering"))
    assert "error rate over 5 {percent}" in report.markdown
