"""What the operations on experiments take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from tools.kernel.entities import EntityKind, Slot
from tools.kernel.operations import Args, Result
from tools.registry.types import KnownModel, KnownVersion

Advice = Literal["go on", "stop: better", "stop: worse", "stop: no difference that matters", "stop"]

Number = Annotated[
    int,
    Slot(None, "Which experiment (its number)?"),
    Field(description="Number of a declared experiment.", ge=1),
]


class DeclareExperiment(Args):
    """What is to be found out, and when to stop."""

    model: KnownModel
    version: KnownVersion
    other_version: Annotated[
        int | None, Slot(EntityKind.MODEL_VERSION, "Against which version?")
    ] = Field(
        None,
        description="The version to beat; the champion when nothing else is named.",
        ge=1,
    )
    other_model: Annotated[
        str | None,
        Slot(EntityKind.MODEL, "Against which model?"),
        Field(description="The other model, where it is not the same one.", max_length=80),
    ] = None
    dataset: Annotated[
        str | None,
        Slot(EntityKind.DATASET, "On which dataset?"),
        Field(
            description="Where rows come from, at each look its newest version; the first model's "
            "own when left out.",
            max_length=120,
        ),
    ] = None
    hypothesis: str | None = Field(
        None,
        description="What is expected, in words; that the first is more accurate when left out.",
        max_length=500,
    )
    metric: Literal["accuracy", "macro_f1"] = Field(
        "accuracy",
        description="What is compared: `accuracy`. `macro_f1` is refused: it is no mean over rows, "
        "so that no exact test of it may be looked at early.",
    )
    minimum_effect: float = Field(
        1.0,
        description="The smallest difference in accuracy that matters, in percentage points.",
        gt=0,
        le=100,
    )
    max_rows: int = Field(
        5000, description="Stop undecided once so many rows were looked at.", ge=10, le=1_000_000
    )
    alpha: float = Field(
        0.05, description="Probability of a false alarm over all looks together.", gt=0, lt=0.5
    )


class LookAtExperiment(Args):
    """Which experiment to look at, with how many more rows."""

    experiment: Number
    rows: int = Field(
        200, description="New rows to predict at most; 0 takes all there are.", ge=0, le=100_000
    )


class ConcludeExperiment(Args):
    """Which experiment to conclude, and what was decided."""

    experiment: Number
    decision: str | None = Field(
        None,
        description="What was decided and why, in words; the finding when left out.",
        max_length=1000,
    )


class WithdrawExperiment(Args):
    """Which experiment to take back that nobody has looked at."""

    experiment: Number


class ListExperiments(Args):
    """Whose experiments to show."""

    model: Annotated[
        str | None,
        Slot(EntityKind.MODEL, "Of which model?"),
        Field(description="Only this model's; all when left out.", max_length=80),
    ] = None


class ExperimentLook(Result):
    """One look: what all rows so far say.

    Attributes:
        job: the job that looked.
        at: when.
        rows: rows so far.
        only_first: of these, rows that only the first model got right.
        only_second: rows that only the second got right.
        difference: the first's accuracy minus the second's.
        low: lower end of the confidence sequence, valid over all looks together.
        high: upper end of it.
        p_value: always-valid p-value of "there is no difference".
        advice: what the declared stopping rule says.
        left: rows that were still unseen after it; None in looks of older experiments.
        left_out: why test rows of the dataset could not be used, a sentence each.
    """

    job: int
    at: datetime
    rows: int
    only_first: int
    only_second: int
    difference: float
    low: float
    high: float
    p_value: float
    advice: Advice
    left: int | None = None
    left_out: list[str] = Field(default_factory=list)


class Experiment(Result):
    """A declared experiment with every look at it.

    Attributes:
        id: its number.
        hypothesis: what was expected.
        metric: what is compared.
        model: the first model.
        version: its version.
        other_model: the second model.
        other_version: its version.
        dataset: where rows come from.
        minimum_effect: the smallest difference that matters, in percentage points.
        max_rows: rows after which it stops undecided.
        alpha: probability of a false alarm over all looks.
        expected_rows: rows after which it would probably be decided if the difference were
            twice the smallest that matters and one row in ten were judged differently.
        declared_by: who declared it.
        declared: when.
        status: open, or concluded.
        looks: every look, oldest first.
        decided: True once a look's stopping rule has found an answer; False while it goes on, and
            where the rows ran out without one.
        decision: what was decided.
        concluded_by: who concluded it.
        concluded: when.
    """

    id: int = 0
    hypothesis: str
    metric: Literal["accuracy"] = "accuracy"
    model: str
    version: int
    other_model: str
    other_version: int
    dataset: str
    minimum_effect: float
    max_rows: int
    alpha: float
    expected_rows: int
    available_rows: int | None = None
    warnings: list[str] = Field(default_factory=list)
    declared_by: str
    declared: datetime
    status: Literal["open", "concluded"] = "open"
    looks: list[ExperimentLook] = Field(default_factory=list)
    decided: bool = False
    decision: str | None = None
    concluded_by: str | None = None
    concluded: datetime | None = None


class Experiments(Result):
    """Experiments, newest first."""

    experiments: list[Experiment]


class ExperimentWithdrawn(Result):
    """An experiment that was taken back."""

    experiment: int
