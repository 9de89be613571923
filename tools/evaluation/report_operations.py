"""Operations that look into an evaluation, and those that say what one can see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.evaluation.report_types import (
    CalibrationReport,
    Errors,
    PlanSample,
    Robustness,
    SamplePlan,
    ShowErrors,
    ShowSlices,
    Slices,
    WhichEvaluation,
)
from tools.evaluation.types import RunEvaluation
from tools.kernel.operations import Call, Effect, Evidence, Preview, operation

if TYPE_CHECKING:
    from tools.evaluation.looking import Looking
    from tools.evaluation.service import EvaluationService


def _looking(call: Call) -> Looking:
    from tools.evaluation.looking import Looking

    return call.get(Looking)


def _service(call: Call) -> EvaluationService:
    from tools.evaluation.service import EvaluationService

    return call.get(EvaluationService)


def _which(args: WhichEvaluation, evaluation: int) -> str:
    """Which evaluation is shown, where it was left open."""
    if args.dataset is not None:
        return ""
    return f" Shown is evaluation {evaluation}, the newest of {_name(args.model, args.version)}."


def _name(model: str, version: int | None) -> str:
    return model if version is None else f"{model} v{version}"


@operation(
    "evaluation.slices",
    effect=Effect.READ,
    examples=(
        "where is ticket-router weak?",
        "show the worst slices of ticket-router v3",
        "on which classes does email-triage do badly",
        "slice the evaluation of fraud-screen by length",
        "accuracy of sentiment-tagger v2 by class",
        "break the results of ticket-router down by column language",
        "which groups does spam-filter fail on",
        "is intent-classifier worse on long texts?",
        "show me the weakest segments of ticket-router",
        "accuracy by text length for mail-guard v1",
        "slices of ticket-router v3 with at least 50 rows",
        "which kinds of rows does it get wrong most often",
    ),
)
def show_slices(args: ShowSlices, call: Call) -> Slices:
    """Accuracy of an evaluated model by class, length and every other column, worst first.

    With Wilson's 95 % intervals; slices with too few rows are left out, and those that are worse
    than the other rows beyond chance (Fisher's exact test, Holm-corrected) are marked.

    Args:
        model: the model's name.
        version: its version; the newest evaluated one when left out.
        dataset: the dataset of the evaluation; of the newest when left out.
        column: `label`, `length` or another column; all when left out.
        min_rows: slices with fewer rows are left out.
    """
    return _looking(call).slices(args, call.tenant)


@show_slices.says
def _(args: ShowSlices, result: Slices) -> str:
    name = _name(result.model, result.version)
    if not result.slices:
        shown = _which(args, result.evaluation)
        fewer = " Ask with fewer rows a slice (min_rows) to see them." if args.min_rows > 1 else ""
        return f"No slice of {result.dataset} has {args.min_rows} rows.{fewer}{shown}"
    worst = [
        f"{s.column} {s.value} {s.accuracy:.1%} ({s.low:.1%} to {s.high:.1%}, {s.rows} rows"
        + (", really worse)" if s.worse else ")")
        for s in result.slices[:5]
    ]
    return (
        f"{name} gets {result.accuracy:.1%} of {result.dataset} right; its weakest slices: "
        f"{'; '.join(worst)}.{_which(args, result.evaluation)}"
    )


@operation(
    "evaluation.errors",
    effect=Effect.READ,
    examples=(
        "show me errors of ticket-router",
        "which rows did ticket-router v3 get wrong?",
        "what does email-triage confuse",
        "give me 20 misclassified examples of fraud-screen",
        "show the mistakes of sentiment-tagger v2",
        "examples that spam-filter got wrong",
        "which classes does ticket-router mix up?",
        "let me look at the wrong predictions of intent-classifier",
        "what mistakes does it make",
        "show the most confident errors of mail-guard v1",
        "error analysis of ticket-router v3",
        "misclassifications of ticket-router on the dataset tickets",
    ),
)
def show_errors(args: ShowErrors, call: Call) -> Errors:
    """Rows that an evaluated model predicted wrong, the surest first, and its commonest mistakes.

    Args:
        model: the model's name.
        version: its version; the newest evaluated one when left out.
        dataset: the dataset of the evaluation; of the newest when left out.
        label: only rows that really have this class.
        limit: how many.
    """
    return _looking(call).errors(args, call.tenant)


@show_errors.says
def _(args: ShowErrors, result: Errors) -> str:
    name = _name(result.model, result.version)
    shown = _which(args, result.evaluation)
    if not result.wrong:
        return f"{name} got all {result.rows} rows of {result.dataset} right.{shown}"
    from tools.evaluation.saying import mistakes

    return (
        f"{name} got {result.wrong} of {result.rows} rows of {result.dataset} wrong."
        f"{mistakes(result)}{shown}"
    )


@operation(
    "evaluation.calibration",
    effect=Effect.READ,
    examples=(
        "show the calibration of ticket-router v3",
        "how far can I trust the confidence of email-triage",
        "reliability diagram of fraud-screen",
        "is sentiment-tagger overconfident?",
        "calibration error of spam-filter v2",
        "plot confidence against accuracy for ticket-router",
        "are the probabilities of intent-classifier honest",
        "expected calibration error of mail-guard",
        "does ticket-router know when it is wrong?",
        "show me the reliability plot of ticket-router v3",
    ),
)
def show_calibration(args: WhichEvaluation, call: Call) -> CalibrationReport:
    """Whether an evaluated model is as sure as it is right: ECE with its interval, and by bin.

    Args:
        model: the model's name.
        version: its version; the newest evaluated one when left out.
        dataset: the dataset of the evaluation; of the newest when left out.
    """
    return _looking(call).calibration(args, call.tenant)


@show_calibration.says
def _(args: WhichEvaluation, result: CalibrationReport) -> str:
    found = result.calibration
    gap = found.confidence - found.accuracy
    told = "overconfident" if gap > 0.02 else "underconfident" if gap < -0.02 else "well calibrated"
    plot = f" Reliability diagram: {result.plot}" if result.plot else ""
    return (
        f"{_name(result.model, result.version)} is {told} on {result.dataset}: mean confidence "
        f"{found.confidence:.1%}, accuracy {found.accuracy:.1%}, ECE {found.ece:.3f} "
        f"({found.ece_low:.3f} to {found.ece_high:.3f}).{_which(args, result.evaluation)}{plot}"
    )


@operation(
    "evaluation.sample_size",
    effect=Effect.READ,
    examples=(
        "how many rows do I need to see a difference of 2 points?",
        "what sample size do we need for one percentage point",
        "how big must the test set be to see 3 points",
        "sample size for a difference of 1.5 points at 90 % accuracy",
        "rows needed to detect 2 points",
        "power analysis for 5 points",
        "how much test data does a comparison need for 1 point",
        "is a test set large enough for 2 points, how many rows would it take",
        "how many examples to tell two models apart by half a point",
        "number of rows for a 2 point difference with power 0.9",
    ),
)
def plan_sample(args: PlanSample, call: Call) -> SamplePlan:
    """How many rows a comparison of two models needs to see a difference in accuracy.

    For the McNemar test at 5 % (Connor 1987).

    Args:
        points: the difference, in percentage points.
        accuracy: accuracy of the model that is there, 0 to 1.
        power: probability of seeing it.
    """
    return _looking(call).sample_size(args)


@plan_sample.says
def _(args: PlanSample, result: SamplePlan) -> str:
    return (
        f"To see a difference of {result.points:g} points with {result.power:.0%} probability "
        f"beside a model that gets {result.accuracy:.1%} right{_assumed(args)}, "
        f"{result.rows} rows are needed if the two models err independently, {result.rows_alike} "
        f"if they differ on {result.alike:.1%} of the rows."
    )


def _assumed(args: PlanSample) -> str:
    assumed = args.accuracy == PlanSample.model_fields["accuracy"].default
    return " (assumed where no accuracy is named)" if assumed else ""


@operation(
    "evaluation.robustness",
    effect=Effect.WRITE,
    job=True,
    examples=(
        "how robust is ticket-router v3?",
        "test ticket-router against typos",
        "does email-triage cope with spelling mistakes",
        "robustness check of fraud-screen v2 on transactions-june",
        "what happens to sentiment-tagger when texts are paraphrased",
        "stress test spam-filter with typos and rewordings",
        "how sensitive is intent-classifier v2 to upper and lower case",
        "measure the robustness of ticket-router",
        "perturb the inputs of mail-guard and see what changes",
        "is it robust to typing errors",
        "check how ticket-router v3 bears noisy text",
    ),
)
def measure_robustness(args: RunEvaluation, call: Call) -> Robustness:
    """Measure a model on held-out rows with typos, rewordings, other case and no punctuation.

    Each drop in accuracy has a 95 % interval, paired by row. The changes are deterministic.

    Args:
        model: a registered model.
        version: its version; the newest when left out.
        job: a finished training job, in place of a registered model.
        dataset: the dataset; the one it was trained on when left out.
        split: test or validation.
    """
    return _looking(call).robustness(args, call)


@measure_robustness.normalise
def _(args: RunEvaluation, call: Call) -> RunEvaluation:
    return _service(call).normalise_run(args, call.tenant)


@measure_robustness.preview
def _(args: RunEvaluation, call: Call) -> Preview:
    return _service(call).preview_run(args, call.tenant)


@measure_robustness.read_back
def _(args: RunEvaluation, result: Robustness, call: Call) -> list[Evidence]:
    return _looking(call).robustness_evidence(result.id, call.tenant)


@measure_robustness.says
def _(args: RunEvaluation, result: Robustness) -> str:
    drops = "; ".join(
        f"{k.kind} {-k.drop * 100:+z.1f} points ({-k.drop_high * 100:+z.1f} to "
        f"{-k.drop_low * 100:+z.1f})"
        for k in result.kinds
    )
    return (
        f"{_name(result.model, result.version)} gets {result.accuracy:.1%} of {result.rows} rows "
        f"of {result.dataset} right as they are; with {drops}.{_reworded(result)}"
    )


def _reworded(result: Robustness) -> str:
    """How far a paraphrase is one: rules find nothing to reword in many a text."""
    found = next((k.reworded for k in result.kinds if k.reworded is not None), None)
    if found is None:
        return ""
    return (
        f" Paraphrases are by rules: {found} of {result.rows} rows are in other words or another "
        "order, the rest only got a courtesy round them."
    )
