"""The evaluation's operations: measure a model, compare two, show what was measured."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.evaluation import (
    drift_operations,
    experiment_operations,
    frontier_operations,
    language_operations,
    measurements,
    report_operations,
)
from tools.evaluation.types import (
    CompareModels,
    ComparisonResult,
    EvaluationResult,
    EvaluationResults,
    ListResults,
    RunEvaluation,
)
from tools.kernel.operations import Call, Effect, Evidence, Preview, operation

if TYPE_CHECKING:
    from tools.evaluation.service import EvaluationService

__all__ = [
    "compare_models",
    "drift_operations",
    "experiment_operations",
    "frontier_operations",
    "language_operations",
    "list_results",
    "measurements",
    "report_operations",
    "run_evaluation",
]


def _service(call: Call) -> EvaluationService:
    from tools.evaluation.service import EvaluationService

    return call.get(EvaluationService)


@operation(
    "evaluation.run",
    effect=Effect.WRITE,
    job=True,
    examples=(
        "evaluate it on the held-out split",
        "evaluate ticket-router v3 on the test set",
        "how good is email-triage version 2?",
        "measure the accuracy of sentiment-tagger v4 on support-tickets",
        "test the model from job 7",
        "run an evaluation of fraud-screen@challenger on transactions-june",
        "score ticket-router v2 against the validation split",
        "check how well the new model does on unseen tickets",
        "then evaluate it",
        "evaluate training job 12 on the dataset tickets",
        "what accuracy does spam-filter v1 get on mails-2026",
        "benchmark intent-classifier v5 on the held out data",
        "evaluate the last training",
        "get me a confusion matrix for ticket-router v3",
        "is ticket-router v2 well calibrated?",
    ),
)
def run_evaluation(args: RunEvaluation, call: Call) -> EvaluationResult:
    """Measure a model on held-out rows, against a majority-class and an untrained baseline.

    Reports accuracy with a 95 % bootstrap interval, macro-F1, scores by class, the confusion
    matrix, calibration error and latency. An embedding is measured on pairs or triplets by the
    texts that it finds: recall at 1, 5 and 10, mean reciprocal rank, nDCG@10. Rows whose text the
    training saw are left out.

    Args:
        model: a registered model.
        version: its version; the newest when left out.
        job: a finished training job, in place of a registered model.
        dataset: the dataset; the one it was trained on when left out.
        split: test or validation.

    Raises:
        Conflict: the training saw most of the rows, knows none of their labels, or the dataset
            says nothing of such a model.
    """
    return _service(call).run(args, call)


@run_evaluation.normalise
def _(args: RunEvaluation, call: Call) -> RunEvaluation:
    return _service(call).normalise_run(args, call.tenant)


@run_evaluation.preview
def _(args: RunEvaluation, call: Call) -> Preview:
    return _service(call).preview_run(args, call.tenant)


@run_evaluation.read_back
def _(args: RunEvaluation, result: EvaluationResult, call: Call) -> list[Evidence]:
    return _service(call).result_evidence(result.id, call.tenant)


@run_evaluation.says
def _(args: RunEvaluation, result: EvaluationResult) -> str:
    from tools.evaluation.saying import said_of

    return said_of(result)


@operation(
    "evaluation.compare",
    effect=Effect.WRITE,
    job=True,
    examples=(
        "compare ticket-router v3 with v2",
        "is ticket-router v4 better than the champion?",
        "which is better, email-triage v1 or email-triage v2?",
        "compare the challenger of fraud-screen to the champion on transactions-june",
        "does sentiment-tagger v5 beat sentiment-tagger v4",
        "does it beat production?",
        "compare spam-filter v2 against mail-guard v1 on mails-2026",
        "is the difference between version 2 and version 3 of intent-classifier real?",
        "put ticket-router v3 head to head with ticket-router v1 on support-tickets",
        "is the new version significantly better than the old one",
        "check whether the challenger beats the champion",
        "how does email-triage v3 do compared with v2",
    ),
)
def compare_models(args: CompareModels, call: Call) -> ComparisonResult:
    """Compare two versions on the same held-out rows and say whether the difference is real.

    Uses the exact McNemar test on the rows that only one got right, and a paired score interval of
    the difference in accuracy; of two embeddings also the mean reciprocal rank.

    Args:
        model: the first model.
        version: its version.
        other_version: the version to compare with; the champion when nothing else is named.
        other_model: the other model, where it is not the same one.
        dataset: the dataset; the first model's own when left out.

    Raises:
        Conflict: the two have different classes, only one is an embedding, or there is nothing to
            compare with.
    """
    return _service(call).compare(args, call)


@compare_models.normalise
def _(args: CompareModels, call: Call) -> CompareModels:
    return _service(call).normalise_compare(args, call.tenant)


@compare_models.preview
def _(args: CompareModels, call: Call) -> Preview:
    return _service(call).preview_compare(args, call.tenant)


@compare_models.read_back
def _(args: CompareModels, result: ComparisonResult, call: Call) -> list[Evidence]:
    return _service(call).comparison_evidence(result.id, call.tenant)


@compare_models.says
def _(args: CompareModels, result: ComparisonResult) -> str:
    return result.verdict


@operation(
    "evaluation.results",
    effect=Effect.READ,
    examples=(
        "show the evaluation results of ticket-router",
        "what did the last evaluation of email-triage say?",
        "list all evaluations of sentiment-tagger",
        "what accuracy did we measure for fraud-screen v2",
        "evaluation history of spam-filter",
        "show me how ticket-router v3 scored",
        "results for intent-classifier",
        "past test results of email-triage v1",
        "what were the scores of ticket-router@champion",
        "which comparisons were run for ticket-router?",
    ),
)
def list_results(args: ListResults, call: Call) -> EvaluationResults:
    """Show the stored evaluations and comparisons of a model, newest first.

    Args:
        model: the model's name.
        version: only this version's; all when left out.
    """
    return _service(call).results(args.model, args.version, call.tenant)


@list_results.says
def _(args: ListResults, result: EvaluationResults) -> str:
    if not result.results:
        return f"{result.model} was not evaluated yet."
    from tools.evaluation.saying import in_short

    count = len(result.results)
    plural = "s" * (count != 1)
    newest = in_short(result.results[0])
    return f"{count} evaluation{plural} of {result.model}; the newest: {newest}."
