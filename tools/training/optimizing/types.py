"""What shrinking takes and answers."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from tools.kernel.entities import EntityKind, Slot
from tools.kernel.operations import Args, Result

TargetName = Literal[
    "onnx",
    "onnx-int8",
    "onnx-static-int8",
    "openvino-int8",
    "executorch-int8",
    "pruned",
    "student",
    "int8",
    "gguf-q8",
    "gguf-q4",
    "gguf-lora",
    "gguf",
]
Profile = Literal["phone", "laptop", "server"]


def _listed(value: Any) -> Any:
    """`onnx-int8, openvino-int8` as a list."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


class OptimizeModel(Args):
    """Which version to shrink, into what, and what it may cost."""

    model: Annotated[str, Slot(EntityKind.MODEL, "Which model shall I shrink?")] = Field(
        description="The registered model's name.", max_length=80
    )
    version: Annotated[int | None, Slot(EntityKind.MODEL_VERSION, "Which version?")] = Field(
        None, ge=1, description="Its version; the newest that is no variant when not given."
    )
    targets: Annotated[list[TargetName] | None, BeforeValidator(_listed)] = Field(
        None,
        description="What to make of it: `onnx`, `onnx-int8`, `onnx-static-int8`, "
        "`openvino-int8`, `executorch-int8`, `pruned`, `student`; `int8` is every int8 one. Of a "
        "language model `gguf-q8`, `gguf-q4`, or `gguf-lora` (adapter kept apart); `gguf` is the "
        "first two. From the profile when not given.",
        max_length=8,
    )
    profile: Profile | None = Field(
        None, description="The kind of device that it is for: only what suits it is made."
    )
    max_loss_points: float = Field(
        1.0,
        ge=0,
        le=100,
        description="Points of accuracy (of a language model: of its answers' F1; of an "
        "embedding: of texts whose counterpart is nearest) that a variant may lose; one that loses "
        "more is not registered.",
    )
    max_latency_ms: float | None = Field(
        None, gt=0, description="Milliseconds that 95 of 100 texts may take at most, one at a time."
    )
    max_size_mb: float | None = Field(
        None, gt=0, description="Megabytes that a variant's files may have at most."
    )
    max_size_ratio: float | None = Field(
        None,
        gt=0,
        le=1,
        description="The same as a share of what its parent takes, base included: 0.5 for half.",
    )
    layers: int | None = Field(
        None, ge=1, le=96, description="Layers of a student or pruned model; half for a student."
    )


class VariantResult(Result):
    """One variant beside its parent, measured in one run on one machine.

    Attributes:
        variant: the target's name.
        runtime: what runs it.
        metric: what `accuracy` is: `accuracy` of labels, `token_f1` of a language model, or
            `recall_at_1` of an embedding: the share of held-out texts whose counterpart is nearest.
        accuracy: that metric on the held-out rows, 0 to 1; of several labels a text the share of
            rows of which all are right.
        exact_match: share of answers that are right word for word; only of a language model.
        loss_points: points of the metric lost against the parent; below 0 where it gained.
        loss_low: lower end of the 95 % interval of the loss, paired by row (Tango's score; of an
            embedding the wider of it and a bootstrap over the queries).
        loss_high: upper end of it.
        proven: True if even the upper end is within what was asked.
        agreement: share of rows that both label or answer alike, 0 to 1; of an embedding, of
            queries with the same nearest candidate.
        cosine: mean cosine of both models' vectors of a text; only of an embedding.
        size_bytes: of the files that its runtime opens.
        size_ratio: the same, as a share of the parent's.
        load_ms: time to load it.
        p50_ms: median latency of one text or answer, tokenising included.
        p95_ms: 95th percentile of it.
        memory_mb: what loading and running it adds to a process that has imported its runtime.
        peak_mb: peak of the whole process.
        cost_ratio: latency × memory, as a share of the parent's.
        beside_jobs: how many other jobs ran while it was timed; 0 where they stood still.
        reasons: why it was not registered; empty if it was.
        version: the version that it is registered as.
        error: why it could not be made or run.
    """

    variant: str
    runtime: str
    metric: str = "accuracy"
    accuracy: float | None = None
    exact_match: float | None = None
    loss_points: float | None = None
    loss_low: float | None = None
    loss_high: float | None = None
    proven: bool = False
    agreement: float | None = None
    cosine: float | None = None
    size_bytes: int | None = None
    size_ratio: float | None = None
    load_ms: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    memory_mb: float | None = None
    peak_mb: float | None = None
    cost_ratio: float | None = None
    beside_jobs: int = 0
    reasons: list[str] = Field(default_factory=list)
    version: int | None = None
    error: str | None = None


class Recommendation(Result):
    """What to deploy to one kind of device.

    Attributes:
        profile: phone, laptop or server.
        variant: the variant; None if none keeps the constraint and runs there.
        version: its registered version.
        proven: True if its loss is within what was asked up to the upper end of its interval.
        why: one line for a person.
    """

    profile: str
    variant: str | None
    version: int | None
    proven: bool = False
    why: str


class OptimizeResult(Result):
    """All variants, and which to take.

    Attributes:
        job: the job that made them.
        model: the parent's name.
        version: the parent's version.
        dataset: what was measured on, `name@2`.
        split: its part.
        rows: how many held-out rows.
        parent: the parent as it was measured in the same run, in torch.
        variants: one entry a target.
        recommendations: one entry a kind of device.
        table: the figures as a text table.
        plot: the picture of accuracy lost against cost.
        warnings: what a reader must know.
    """

    job: int
    model: str
    version: int
    dataset: str
    split: str
    rows: int
    parent: VariantResult
    variants: list[VariantResult]
    recommendations: list[Recommendation]
    table: str
    plot: str
    warnings: list[str] = Field(default_factory=list)


class VariantVersions(Args):
    """Variants to take out of the registry."""

    model: str = Field(description="The model's name.", max_length=80)
    versions: list[int] = Field(description="The variants' versions.", max_length=64)


class VariantsRemoved(Result):
    """Which variants are no longer registered."""

    model: str
    versions: list[int]
