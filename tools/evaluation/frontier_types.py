"""What a comparison of many models takes and answers."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from tools.kernel.entities import EntityKind, Slot
from tools.kernel.operations import Args, Result


class CompareFrontier(Args):
    """Which models to compare, and on what."""

    dataset: Annotated[
        str,
        Slot(EntityKind.DATASET, "On which dataset?"),
        Field(description="The dataset that all are measured on.", max_length=120),
    ]
    model: Annotated[
        str | None,
        Slot(EntityKind.MODEL, "All versions of which model?"),
        Field(
            description="All versions of this model; the newest version of every model, and "
            "champions, when left out.",
            max_length=80,
        ),
    ] = None
    external: bool = Field(
        True, description="Whether the configured language model takes part, if there is one."
    )
    external_models: list[str] = Field(
        default_factory=list,
        description="Further models at the same endpoint.",
        max_length=8,
    )
    rows: int = Field(
        200, description="Test rows at most; language models are slow and cost.", ge=10, le=20_000
    )


class Contender(Result):
    """One model of a frontier.

    Attributes:
        name: the model with its version, or the language model.
        kind: registered, or external.
        accuracy: fraction of rows predicted right.
        low: lower end of its 95 % bootstrap interval.
        high: upper end of it.
        macro_f1: mean F1 over the classes that occur; None of embeddings.
        recall_at_5: of embeddings, share of queries with a right text among the nearest five.
        mrr: of embeddings, mean reciprocal rank of the right text.
        p50_ms: median time of one row alone, in milliseconds.
        p95_ms: 95th percentile of the same.
        memory_mb: peak memory of the process; None for a model that runs elsewhere.
        cost_per_1000: money for a thousand rows: compute at the hourly rate, or tokens.
        unreadable: rows on which no class could be read from its answer (they count as wrong).
        best: True if no other is really better.
    """

    name: str
    kind: Literal["registered", "external"]
    accuracy: float
    low: float
    high: float
    macro_f1: float | None = None
    recall_at_5: float | None = None
    mrr: float | None = None
    p50_ms: float
    p95_ms: float
    memory_mb: float | None = None
    cost_per_1000: float
    unreadable: int = 0
    best: bool = False


class Difference(Result):
    """Two contenders against each other.

    Attributes:
        first: the one that is ahead.
        second: the other.
        difference: the first's accuracy minus the second's.
        low: lower end of its 95 % interval, paired by row (Tango's score).
        high: upper end of it.
        p_value: of the exact McNemar test, corrected for all pairs (Holm).
        real: True if that is below 0.05.
    """

    first: str
    second: str
    difference: float
    low: float
    high: float
    p_value: float
    real: bool


class Frontier(Result):
    """Many models on the same rows.

    Attributes:
        id: number of the stored report.
        dataset: what all were measured on.
        split: the part of it.
        rows: how many rows all predicted.
        smallest_seen: the smallest difference that so many rows show four times in five, where
            two models differ on one row in ten.
        contenders: the models, best first.
        differences: every pair, the surest first.
        currency: the unit of costs.
        warnings: what a reader must know.
    """

    id: int = 0
    dataset: str
    split: str
    rows: int
    smallest_seen: float
    contenders: list[Contender]
    differences: list[Difference]
    currency: str
    warnings: list[str] = Field(default_factory=list)
