"""Operations that judge language models: answers, rubric grading, a standard harness."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from tools.evaluation.language_types import (
    AnswersMeasured,
    BenchmarkResult,
    GradeAnswers,
    Grading,
    MeasureAnswers,
    RunBenchmark,
)
from tools.kernel.operations import Call, Effect, Evidence, Preview, operation

if TYPE_CHECKING:
    from tools.evaluation.answers import AnswerService
    from tools.evaluation.judging import Judging


def _answers(call: Call) -> AnswerService:
    from tools.evaluation.answers import AnswerService

    return call.get(AnswerService)


def _judging(call: Call) -> Judging:
    from tools.evaluation.judging import Judging

    return call.get(Judging)


def _name(model: str, version: int | None) -> str:
    return model if version is None else f"{model} v{version}"


@operation(
    "evaluation.answers",
    effect=Effect.WRITE,
    job=True,
    examples=(
        "how good are the answers of support-writer?",
        "measure exact match and f1 of support-writer v2",
        "what perplexity does support-writer have on faq-pairs",
        "check the generated answers of reply-bot against the right ones",
        "evaluate the language model support-writer on faq-pairs",
        "does support-writer v2 answer better than its base model",
        "exact match of reply-bot on faq-pairs",
        "perplexity of support-writer v3",
        "test the answers that reply-bot writes with 50 questions",
        "score the replies of support-writer on the held-out questions",
    ),
)
def measure_answers(args: MeasureAnswers, call: Call) -> AnswersMeasured:
    """Measure a language model's answers: exact match, word F1 and perplexity, beside its base.

    Each with a 95 % bootstrap interval over questions; whether training changed F1 by a sign-flip
    test. Questions that the training saw are left out.

    Args:
        model: a registered language model.
        version: its version; the newest when left out.
        dataset: prompts with answers; its own when left out.
        rows: test rows at most.
        max_new_tokens: the longest answer, in tokens.

    Raises:
        Conflict: the model is no language model, or the dataset holds no answers.
    """
    return _answers(call).measure(args, call)


@measure_answers.normalise
def _(args: MeasureAnswers, call: Call) -> MeasureAnswers:
    return _answers(call).normalise(args, call.tenant)


@measure_answers.preview
def _(args: MeasureAnswers, call: Call) -> Preview:
    return _answers(call).preview(args, call.tenant)


@measure_answers.read_back
def _(args: MeasureAnswers, result: AnswersMeasured, call: Call) -> list[Evidence]:
    return _answers(call).evidence(result.id, call.tenant)


@measure_answers.says
def _(args: MeasureAnswers, result: AnswersMeasured) -> str:
    return (
        f"{_name(result.model, result.version)} answers {result.exact.value:.1%} of {result.rows} "
        f"questions of {result.dataset} word for word (base {result.base_exact:.1%}), F1 "
        f"{result.f1.value:.3f} ({result.f1.low:.3f} to {result.f1.high:.3f}; base "
        f"{result.base_f1:.3f}, p = {result.gain_p_value:.3g}), perplexity "
        f"{result.perplexity.value:.2f} (base {result.base_perplexity:.2f})."
    )


@operation(
    "evaluation.grade",
    effect=Effect.WRITE,
    job=True,
    examples=(
        "grade the answers in faq-pairs",
        "let the judge grade faq-pairs",
        "grade faq-pairs by the rubric 'polite and correct'",
        "have a language model judge the answers of support-chats",
        "how far does the judge agree with our people on graded-replies?",
        "llm as a judge on faq-pairs",
        "rate the replies in support-chats with the language model",
        "cohen's kappa of the judge on graded-replies",
        "rubric grading of faq-pairs with 30 rows",
        "can we trust the judge on graded-replies",
    ),
)
def grade_answers(args: GradeAnswers, call: Call) -> Grading:
    """Let a configured language model grade answers from 1 to 5 by a rubric, and check the judge.

    Rows with a person's grade in the column `grade` show how far the judge agrees with people:
    Cohen's kappa, plain and quadratic, with its interval.

    Args:
        dataset: prompts with answers.
        rubric: what a good answer is.
        judge: the judge's name at the configured endpoint.
        rows: rows at most.

    Raises:
        Unavailable: no language model is configured, or it does not answer.
        Conflict: the dataset holds no answers, or no grade could be read.
    """
    return _judging(call).grade(args, call)


@grade_answers.normalise
def _(args: GradeAnswers, call: Call) -> GradeAnswers:
    return _judging(call).normalise(args, call.tenant)


@grade_answers.preview
def _(args: GradeAnswers, call: Call) -> Preview:
    return _judging(call).preview(args, call)


@grade_answers.read_back
def _(args: GradeAnswers, result: Grading, call: Call) -> list[Evidence]:
    return _judging(call).evidence(result.id, call.tenant)


@grade_answers.says
def _(args: GradeAnswers, result: Grading) -> str:
    told = (
        f"{result.judge} grades {result.rows} answers of {result.dataset} {result.mean.value:.2f} "
        f"of 5 on average ({result.mean.low:.2f} to {result.mean.high:.2f})."
    )
    if result.agreement is not None:
        found = result.agreement
        told += (
            f" On {found.rows} rows it agrees with people by a weighted kappa of "
            f"{found.weighted_kappa:.2f} ({found.low:.2f} to {found.high:.2f})."
        )
    return " ".join([told, *result.warnings])


@operation(
    "evaluation.benchmark",
    effect=Effect.WRITE,
    job=True,
    examples=(
        "run lm-eval with support-writer on faq-pairs",
        "run the evaluation harness for reply-bot v2 on faq-pairs",
        "standard benchmark of support-writer on faq-pairs",
        "lm-evaluation-harness on faq-pairs with the base model smollm2",
        "harness run of support-writer v3 on faq-pairs with 2 shots",
        "use lm-eval to score reply-bot on faq-pairs",
        "few-shot benchmark of support-writer on faq-pairs",
        "run the lm harness with reply-bot on support-chats",
    ),
)
def run_benchmark(args: RunBenchmark, call: Call) -> BenchmarkResult:
    """Run lm-evaluation-harness on a task made of a dataset's questions and answers.

    The task is declared in the harness' own YAML format; the figures are the harness' own.

    Args:
        model: a registered language model.
        version: its version; the newest when left out.
        base_model: or a base model as it is before training.
        dataset: prompts with answers.
        shots: worked examples before each question.
        rows: test rows at most.
    """
    return _answers(call).benchmark(args, call)


@run_benchmark.normalise
def _(args: RunBenchmark, call: Call) -> RunBenchmark:
    return _answers(call).normalise_benchmark(args, call.tenant)


@run_benchmark.preview
def _(args: RunBenchmark, call: Call) -> Preview:
    return _answers(call).preview_benchmark(args, call.tenant)


@run_benchmark.read_back
def _(args: RunBenchmark, result: BenchmarkResult, call: Call) -> list[Evidence]:
    return _answers(call).evidence(result.id, call.tenant)


def _measures(metrics: Mapping[str, float]) -> list[str]:
    """The harness's measures, without how many rows and without the errors of others."""
    return sorted(name for name in metrics if "_stderr" not in name and name != "sample_len")


def _metric(name: str, metrics: Mapping[str, float]) -> str:
    """A measure in words: of `exact_match,none` the part before the comma; its error beside it."""
    plain, _, way = name.partition(",")
    error = metrics.get(f"{plain}_stderr,{way}")
    words = plain.replace("_", " ") + (f" ({way})" if way not in ("", "none") else "")
    return f"{words} {metrics[name]:.4g}" + ("" if error is None else f" ± {error:.2g}")


@run_benchmark.says
def _(args: RunBenchmark, result: BenchmarkResult) -> str:
    told = ", ".join(_metric(name, result.metrics) for name in _measures(result.metrics))
    return (
        f"{_name(result.model, result.version)} on {result.rows} rows of {result.dataset} by "
        f"{result.harness}: {told}."
    )
