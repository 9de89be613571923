"""What the operations that judge language models take and answer."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from tools.evaluation.report_types import SliceScore
from tools.kernel.entities import EntityKind, Slot
from tools.kernel.operations import Args, Result
from tools.registry.types import KnownModel, MaybeVersion

Answers = Annotated[
    str,
    Slot(EntityKind.DATASET, "On which dataset?"),
    Field(description="A dataset of prompts with their answers, or of chats.", max_length=120),
]


class MeasureAnswers(Args):
    """Which language model to measure, and on which questions."""

    model: KnownModel
    version: MaybeVersion = Field(None, description="Its version; the newest when left out.", ge=1)
    dataset: Annotated[
        str | None,
        Slot(EntityKind.DATASET, "On which dataset?"),
        Field(description="Prompts with answers; its own when left out.", max_length=120),
    ] = None
    rows: int = Field(100, description="Test rows at most.", ge=5, le=10_000)
    max_new_tokens: int = Field(64, description="The longest answer, in tokens.", ge=1, le=1024)


class GradeAnswers(Args):
    """Whose answers to grade, by which rubric."""

    dataset: Answers
    rubric: str = Field(
        "The answer is correct, complete and does what was asked.",
        description="What a good answer is, in words.",
        min_length=3,
        max_length=2000,
    )
    judge: str | None = Field(
        None,
        description="The judge's name at the configured endpoint; the configured language model "
        "when left out.",
        max_length=120,
    )
    rows: int = Field(50, description="Rows at most.", ge=2, le=5000)


class RunBenchmark(Args):
    """Which language model, and which standard task."""

    model: Annotated[
        str | None,
        Slot(EntityKind.MODEL, "Which model?"),
        Field(description="A registered language model; or give `base_model`.", max_length=80),
    ] = None
    version: MaybeVersion = Field(None, description="Its version; the newest when left out.", ge=1)
    base_model: Annotated[
        str | None,
        Slot(EntityKind.BASE_MODEL, "Which base model?", closed=False),
        Field(
            description="A base model, such as smollm2, as it is before training.", max_length=200
        ),
    ] = None
    dataset: Answers
    shots: int = Field(0, description="Worked examples before each question.", ge=0, le=20)
    rows: int = Field(50, description="Test rows at most.", ge=2, le=10_000)


class Figure(Result):
    """A figure with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float


class AnswerExample(Result):
    """A question, what was answered and what is right."""

    question: str
    answer: str
    right: str
    f1: float


class AnswersMeasured(Result):
    """A language model measured on questions that it was not trained on.

    Attributes:
        id: number of the stored report.
        model: the model.
        version: its version.
        dataset: the questions.
        rows: how many.
        exact: share of answers that are right word for word.
        f1: mean F1 of the words that answer and right answer share.
        perplexity: of the right answers' tokens; 1 is certainty.
        base_exact: the same of the base model before training.
        base_f1: the same of the base model.
        base_perplexity: the same of the base model.
        gain_p_value: of "training did not change F1" (sign-flip test over rows).
        seconds: mean time of an answer.
        slices: exact match by question length and other columns, worst first.
        worst: answers with the lowest F1.
        warnings: what a reader must know.
    """

    id: int = 0
    model: str
    version: int | None
    dataset: str
    rows: int
    exact: Figure
    f1: Figure
    perplexity: Figure
    base_exact: float
    base_f1: float
    base_perplexity: float
    gain_p_value: float
    seconds: float
    slices: list[SliceScore] = Field(default_factory=list)
    worst: list[AnswerExample] = Field(default_factory=list)
    warnings: list[str] = Field(default_factory=list)


class Agreement(Result):
    """How far the judge grades as people did.

    Attributes:
        rows: rows that people graded.
        same: share graded exactly alike.
        kappa: Cohen's kappa, agreement beyond chance; 1 is full.
        weighted_kappa: the same, where grades that are near count as nearly alike (quadratic).
        low: lower end of the 95 % bootstrap interval of weighted kappa.
        high: upper end of it.
    """

    rows: int
    same: float
    kappa: float
    weighted_kappa: float
    low: float
    high: float


class GradedRow(Result):
    """One graded answer."""

    question: str
    answer: str
    grade: int
    person: int | None = None


class Grading(Result):
    """Answers graded from 1 to 5 by a judge.

    Attributes:
        id: number of the stored report.
        dataset: whose answers.
        judge: the language model that graded.
        rubric: by what.
        rows: answers graded.
        ungraded: answers for which no grade could be read from what the judge said.
        mean: mean grade.
        grades: how often each grade was given.
        agreement: with the people's grades; None if the rows have no column `grade`.
        lowest: answers with the lowest grades.
        cost: money.
        warnings: what a reader must know.
    """

    id: int = 0
    dataset: str
    judge: str
    rubric: str
    rows: int
    ungraded: int
    mean: Figure
    grades: dict[str, int]
    agreement: Agreement | None = None
    lowest: list[GradedRow] = Field(default_factory=list)
    cost: float = 0.0
    warnings: list[str] = Field(default_factory=list)


class BenchmarkResult(Result):
    """A standard task by lm-evaluation-harness.

    Attributes:
        id: number of the stored report.
        model: the model.
        version: its version.
        dataset: the task's questions.
        rows: how many.
        shots: worked examples before each question.
        metrics: the harness' own figures by name.
        harness: the harness and its version.
    """

    id: int = 0
    model: str
    version: int | None
    dataset: str
    rows: int
    shots: int
    metrics: dict[str, Any]
    harness: str
