"""The operations on drift: compare live inputs with a version's reference, and what was found."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.evaluation.drift_types import DriftHistory, DriftReport, DriftReports, MeasureDrift
from tools.kernel.operations import Call, Effect, Evidence, Preview, operation

if TYPE_CHECKING:
    from tools.evaluation.drift import DriftService


def _service(call: Call) -> DriftService:
    from tools.evaluation.drift import DriftService

    return call.get(DriftService)


@operation(
    "evaluation.drift",
    effect=Effect.WRITE,
    job=True,
    examples=(
        "has the input of ticket-router drifted?",
        "check ticket-router v3 for drift on mails-2026",
        "drift check of email-triage",
        "is there data drift in fraud-screen on transactions-june",
        "compare live traffic of sentiment-tagger with its training data",
        "did the predictions of spam-filter shift",
        "measure drift of intent-classifier v2 against support-tickets",
        "are the texts that ticket-router gets still like those it was trained on?",
        "look for concept drift in mail-guard",
        "do the devices answer differently from what we measured for ticket-router",
        "run a drift detection for ticket-router on the dataset tickets",
    ),
)
def measure_drift(args: MeasureDrift, call: Call) -> DriftReport:
    """Compare live inputs and predictions with the profile that is kept with a version.

    Predictions and lengths by the population stability index with a chi-square test, embeddings by
    maximum mean discrepancy, accuracy where the live rows are labelled. Alarms become events.

    Args:
        model: the model's name.
        version: its version; the champion, else the newest, when left out.
        dataset: a dataset of live inputs; what devices reported when left out.

    Raises:
        Conflict: there are too few live rows.
        NotFound: devices have reported too little.
    """
    return _service(call).measure(args, call)


@measure_drift.normalise
def _(args: MeasureDrift, call: Call) -> MeasureDrift:
    return _service(call).normalise(args, call.tenant)


@measure_drift.preview
def _(args: MeasureDrift, call: Call) -> Preview:
    return _service(call).preview(args, call.tenant)


@measure_drift.read_back
def _(args: MeasureDrift, result: DriftReport, call: Call) -> list[Evidence]:
    return _service(call).evidence(result.id, call.tenant)


@measure_drift.says
def _(args: MeasureDrift, result: DriftReport) -> str:
    verdict = {
        "none": "has not drifted",
        "notice": "has moved a little",
        "alarm": "HAS DRIFTED",
    }[result.level]
    return (
        f"{result.model} v{result.version} {verdict} on {result.rows} live rows of "
        f"{result.source}: {'; '.join(s.told for s in result.shifts)}."
        + "".join(f" {warning}" for warning in (result.warnings if args.dataset else ()))
    )


@operation(
    "evaluation.drift_reports",
    effect=Effect.READ,
    examples=(
        "show the drift reports of ticket-router",
        "past drift checks of email-triage",
        "any drift alarms for fraud-screen?",
        "drift history of sentiment-tagger",
        "list the drift measurements of spam-filter",
        "what did the last drift check of intent-classifier say",
        "when did ticket-router last drift",
        "were there drift alarms for mail-guard",
        "are there any drift alarms",
    ),
)
def drift_reports(args: DriftHistory, call: Call) -> DriftReports:
    """Show the stored drift reports of a model, or of all models, newest first.

    Args:
        model: only this model's; every model's when left out.
    """
    return _service(call).history(args.model, call.tenant)


@drift_reports.says
def _(args: DriftHistory, result: DriftReports) -> str:
    if not result.reports:
        return f"{result.model} was not checked for drift yet." if result.model else _NONE
    newest, count = result.reports[0], len(result.reports)
    alarms = sum(r.level == "alarm" for r in result.reports)
    whose = f"{count} drift report{'s' * (count != 1)} of {result.model or 'all models'}"
    last = f"{newest.model} v{newest.version} on {newest.source}: {newest.level}"
    told = "; ".join(s.told for s in newest.shifts)
    return f"{whose}, {alarms} with an alarm; the newest, of {last} ({told})."


_NONE = "No model was checked for drift yet."
