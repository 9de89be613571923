"""What the operations that look into an evaluation take and answer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tools.kernel.entities import EntityKind, Slot
from tools.kernel.operations import Args, Result
from tools.registry.types import KnownModel, MaybeVersion

OnDataset = Annotated[
    str | None,
    Slot(EntityKind.DATASET, "On which dataset?"),
    Field(
        description="The dataset of the evaluation; of the newest when left out.", max_length=120
    ),
]


class WhichEvaluation(Args):
    """Which evaluation to look into: the newest one that fits."""

    model: KnownModel
    version: MaybeVersion = Field(
        None, description="Its version; the newest evaluated one when left out.", ge=1
    )
    dataset: OnDataset = None


class ShowSlices(WhichEvaluation):
    """Which evaluation, and how to slice it."""

    column: str | None = Field(
        None,
        description="`label`, `length` or another column of the rows; all when left out.",
        max_length=120,
    )
    min_rows: int = Field(20, description="Slices with fewer rows are left out.", ge=1, le=100_000)


class ShowErrors(WhichEvaluation):
    """Which evaluation, and how many of its errors."""

    label: str | None = Field(
        None, description="Only rows that really have this class.", max_length=200
    )
    limit: int = Field(10, description="How many.", ge=1, le=200)


class PlanSample(Args):
    """What difference one wants to be able to see."""

    points: float = Field(
        description="Difference in accuracy, in percentage points.", ge=0.01, le=100
    )
    accuracy: float = Field(
        0.85, description="Accuracy of the model that is there, 0 to 1.", gt=0, lt=1
    )
    power: float = Field(0.8, description="Probability of seeing it.", ge=0.5, lt=1)


class SliceScore(Result):
    """A model's accuracy on some of the rows.

    Attributes:
        column: what the rows have in common: `label`, `length` or a column's name.
        value: its value.
        rows: how many rows.
        accuracy: fraction predicted right.
        low: lower end of Wilson's 95 % interval.
        high: upper end of it.
        worse: True if it is worse than on the other rows beyond chance (Holm-corrected).
    """

    column: str
    value: str
    rows: int
    accuracy: float
    low: float
    high: float
    worse: bool = False


class Slices(Result):
    """The slices of an evaluation, worst first.

    Attributes:
        evaluation: its number.
        model: the model.
        version: its version.
        dataset: what it was measured on.
        task: `embedding` or `classification`.
        accuracy: over all rows.
        columns: what the rows can be sliced by.
        slices: the slices with enough rows.
    """

    evaluation: int
    model: str
    version: int | None
    dataset: str
    task: str = "classification"
    accuracy: float
    columns: list[str]
    slices: list[SliceScore]


class ErrorExample(Result):
    """A row that was predicted wrong; of an embedding, a query that found a wrong text.

    Attributes:
        text: the row's text, or the query.
        label: its class, or the right text.
        predicted: the class that it was given, or the text that was found.
        confidence: of the class, 0 to 1; or the cosine of the text that was found, -1 to 1.
    """

    text: str
    label: str
    predicted: str
    confidence: float


class Confusion(Result):
    """Two classes that are mistaken for each other."""

    label: str
    predicted: str
    rows: int


class Errors(Result):
    """The errors of an evaluation; those of which the model was surest come first.

    Attributes:
        evaluation: its number.
        model: the model.
        version: its version.
        dataset: what it was measured on.
        task: `embedding` or `classification`.
        wrong: rows predicted wrong, of `rows`.
        rows: all rows (of the class, if one was named).
        confused: the commonest mistakes; of an embedding, those made more than once.
        examples: rows to look at.
    """

    evaluation: int
    model: str
    version: int | None
    dataset: str
    task: str = "classification"
    wrong: int
    rows: int
    confused: list[Confusion]
    examples: list[ErrorExample]


class ReliabilityBin(Result):
    """Rows of like confidence: how sure the model was, and how often right."""

    confidence: float
    accuracy: float
    rows: int


class Calibration(Result):
    """Whether a model is as sure as it is right.

    Attributes:
        ece: expected calibration error, 0 to 1.
        ece_low: lower end of its 95 % bootstrap interval.
        ece_high: upper end of it.
        confidence: mean probability of the predicted class.
        accuracy: fraction predicted right.
        bins: by confidence, those with rows.
    """

    ece: float
    ece_low: float
    ece_high: float
    confidence: float
    accuracy: float
    bins: list[ReliabilityBin]


class CalibrationReport(Result):
    """The calibration of an evaluation, and where its reliability diagram lies."""

    evaluation: int
    model: str
    version: int | None
    dataset: str
    ece: float = Field(description="Expected calibration error, 0 to 1, as in `calibration`.")
    calibration: Calibration
    plot: str | None = None


class SamplePlan(Result):
    """How many rows a difference needs to be seen.

    Attributes:
        points: the difference, in percentage points.
        rows: rows needed if the two models' errors are independent (the most it can take).
        rows_alike: rows needed if the two are alike.
        alike: share of the rows that two such models judge differently: one in ten, or half of what
            independent errors give where that is less.
        power: probability of seeing it.
        accuracy: of the model that is there, as it was given or assumed, 0 to 1.
    """

    points: float
    rows: int
    rows_alike: int
    alike: float
    power: float
    accuracy: float


class Perturbed(Result):
    """A model on changed texts.

    Attributes:
        kind: typos, paraphrase, case or punctuation.
        accuracy: on the changed texts.
        drop: accuracy lost against the unchanged texts.
        drop_low: lower end of its 95 % interval, paired by row (Tango's score).
        drop_high: upper end of it.
        flipped: share of rows whose prediction changed.
        example: a text that was right and is wrong now.
        changed: that text as it was changed.
        reworded: of paraphrases, rows in which words or the order of clauses changed; the others
            only got a courtesy round them. None of other kinds.
    """

    kind: Literal["typos", "paraphrase", "case", "punctuation"]
    accuracy: float
    drop: float
    drop_low: float
    drop_high: float
    flipped: float
    example: str | None = None
    changed: str | None = None
    reworded: int | None = None


class Robustness(Result):
    """How a model bears changes that should not matter, worst kind first.

    Attributes:
        id: number of the stored report.
        model: the model.
        version: its version.
        dataset: what it was measured on.
        split: the part of it.
        rows: how many rows.
        accuracy: on the unchanged texts.
        kinds: by kind of change.
        warnings: what a reader must know.
    """

    id: int = 0
    model: str
    version: int | None
    dataset: str
    split: str
    rows: int
    accuracy: float
    kinds: list[Perturbed]
    warnings: list[str] = Field(default_factory=list)
