"""What the evaluation's operations take and answer."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, model_validator

from tools.evaluation.measured_types import Compared, Measured
from tools.kernel.entities import EntityKind, Slot
from tools.kernel.operations import Args, Result
from tools.registry.types import KnownModel, KnownVersion, MaybeVersion

Split = Literal["test", "validation"]


Period = Annotated[
    str | None,
    Field(
        description="Only rows from then, such as `last week` or `since 2026-01-01`, by the "
        "dataset's column of dates; all rows when left out.",
        max_length=100,
    ),
]


class RunEvaluation(Args):
    """Which model to measure (a registered one, or a training job's), and on what."""

    model_config = ConfigDict(
        json_schema_extra={
            "anyOf": [
                {"required": ["model"], "properties": {"model": {"type": "string"}}},
                {
                    "required": ["job"],
                    "properties": {"job": {"type": "integer"}, "version": {"type": "null"}},
                },
            ]
        }
    )

    model: Annotated[
        str | None,
        Slot(EntityKind.MODEL, "Which model or training job should be evaluated?"),
        Field(description="A registered model; or give `job`.", max_length=80),
    ] = None
    version: MaybeVersion = Field(None, description="Its version; the newest when left out.", ge=1)
    job: Annotated[
        int | None,
        Slot(EntityKind.JOB, "Which training job?"),
        Field(description="A finished training job, in place of a registered model.", ge=1),
    ] = None
    dataset: Annotated[
        str | None,
        Slot(EntityKind.DATASET, "On which dataset?"),
        Field(description="The dataset; the one it was trained on when left out.", max_length=120),
    ] = None
    split: Annotated[
        Split,
        Slot(None, "On which split?"),
        Field(description="Which held-out part of the dataset."),
    ] = "test"
    period: Period = None

    @model_validator(mode="after")
    def _one_subject(self) -> RunEvaluation:
        if self.model is None and self.job is None:
            raise ValueError("name a registered model or the number of a training job")
        if self.job is not None and self.version is not None:
            raise ValueError("give either a version of a model or a training job, not both")
        return self


class CompareModels(Args):
    """Which two versions to compare, and on what."""

    model: KnownModel
    version: KnownVersion
    other_version: Annotated[int | None, Slot(EntityKind.MODEL_VERSION, "With which version?")] = (
        Field(
            None,
            description="The version to compare with; the champion when nothing else is named.",
            ge=1,
        )
    )
    other_model: Annotated[
        str | None,
        Slot(EntityKind.MODEL, "With which model?"),
        Field(description="The other model, where it is not the same one.", max_length=80),
    ] = None
    dataset: Annotated[
        str | None,
        Slot(EntityKind.DATASET, "On which dataset?"),
        Field(description="The dataset; the first model's own when left out.", max_length=120),
    ] = None
    period: Period = None


class ListResults(Args):
    """Whose results to show."""

    model: KnownModel
    version: MaybeVersion = Field(None, description="Only this version's; all when left out.", ge=1)


class EvaluationResult(Measured):
    """A model measured on rows that it was not trained on.

    An embedding has no classes, and none of confusion and calibration: its accuracy is the share of
    queries that find a right text at once. The figures below are of embeddings alone, None for
    other models; each has its 95 % interval beside it, as `_low` and `_high`.
    `training.similarity.finding` says what each is.

    Attributes:
        candidates: how many texts every query could find.
        recall_at_1: share of queries that find a right text at once: the accuracy.
        recall_at_5: share that find one among the nearest five.
        recall_at_10: share that find one among the nearest ten.
        mrr: mean reciprocal rank of the right text.
        ndcg_at_10: discounted gain within the nearest ten.
        triplet_accuracy: share of triplets whose positive is nearer than their negative; None
            without negatives.
        mrr_untrained: mean reciprocal rank of the encoder as published.
        gain_p_value: of training having changed nothing of that rank, by flipped signs.
    """

    candidates: int | None = None
    recall_at_1: float | None = None
    recall_at_1_low: float | None = None
    recall_at_1_high: float | None = None
    recall_at_5: float | None = None
    recall_at_5_low: float | None = None
    recall_at_5_high: float | None = None
    recall_at_10: float | None = None
    recall_at_10_low: float | None = None
    recall_at_10_high: float | None = None
    mrr: float | None = None
    mrr_low: float | None = None
    mrr_high: float | None = None
    ndcg_at_10: float | None = None
    ndcg_at_10_low: float | None = None
    ndcg_at_10_high: float | None = None
    triplet_accuracy: float | None = None
    triplet_accuracy_low: float | None = None
    triplet_accuracy_high: float | None = None
    mrr_untrained: float | None = None
    gain_p_value: float | None = None


class ComparisonResult(Compared):
    """Two models on the same rows; of two embeddings also their mean reciprocal ranks.

    Attributes:
        mrr: of the first.
        other_mrr: of the second.
        mrr_difference: the first's minus the second's.
        mrr_low: lower end of its 95 % interval (bootstrap over queries, paired).
        mrr_high: upper end of it.
        mrr_p_value: that there is none, by flipped signs.
    """

    mrr: float | None = None
    other_mrr: float | None = None
    mrr_difference: float | None = None
    mrr_low: float | None = None
    mrr_high: float | None = None
    mrr_p_value: float | None = None


class EvaluationResults(Result):
    """The stored results and comparisons of a model, newest first."""

    model: str
    results: list[EvaluationResult]
    comparisons: list[ComparisonResult]
