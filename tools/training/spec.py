"""What a training child is told, and the defaults of each method."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Protocol

from tools.kernel.canonical import digest
from tools.training.types import Keep


@dataclass(frozen=True, slots=True)
class MethodDefaults:
    """Settings that differ by method.

    Attributes:
        epochs: passes over the training split.
        learning_rate: peak rate of the encoder's trained weights.
        head_learning_rate: peak rate of the head.
        trained_share: the share of the layers, from the top, that is trained; what lies below is
            frozen, runs once for each text, and is cached.
    """

    epochs: int
    learning_rate: float
    head_learning_rate: float
    trained_share: float


DEFAULTS = {
    "lora": MethodDefaults(3, 2e-3, 5e-3, 1 / 3),
    "head": MethodDefaults(20, 5e-3, 5e-3, 0.0),
    "full": MethodDefaults(3, 5e-5, 1e-3, 1.0),
}

HEAD_DROPOUT = 0.1
LABEL_SMOOTHING = 0.1


class HasMatrices(Protocol):
    """A spec of which low-rank matrices may be a part."""

    @property
    def method(self) -> str:
        """How it is trained."""
        ...

    @property
    def rank(self) -> int:
        """Of the matrices."""
        ...

    @property
    def lora_alpha(self) -> int | None:
        """What their product is scaled by, over the rank; twice the rank if None."""
        ...

    @property
    def lora_dropout(self) -> float:
        """Dropout before them."""
        ...

    @property
    def target_modules(self) -> list[str]:
        """Names of the layers that have them; empty for all linear ones."""
        ...

    @property
    def dora(self) -> bool:
        """Whether direction and size are apart."""
        ...

    @property
    def rslora(self) -> bool:
        """Whether alpha is over the root of the rank."""
        ...


def alpha_of(spec: HasMatrices) -> int:
    """What the low-rank product is scaled by, over the rank."""
    return spec.lora_alpha or 2 * spec.rank


def lora_told(spec: HasMatrices) -> dict[str, Any]:
    """Alpha, dropout and places of low-rank matrices, as a result and its run name them."""
    if spec.method not in ("lora", "qlora"):
        return {}
    return {
        "lora_alpha": alpha_of(spec),
        "lora_dropout": spec.lora_dropout,
        "target_modules": ", ".join(spec.target_modules) or "all-linear",
    }


@dataclass(frozen=True, slots=True)
class TrainingSpec:
    """One training, complete: the same spec and data give the same result.

    Attributes:
        base_model: the base model's name.
        base_folder: where its files are.
        data: folder with train.jsonl and validation.jsonl (`text`, `label`).
        labels: the classes in the order of the outputs.
        output: where the classifier's folder is written.
        checkpoint: the file that a cut-off training resumes from.
        task: `classification` (one class a text) or `multilabel` (any number of them).
        gradient_accumulation: batches whose gradients are added before a step.
        scheduler: `linear` to zero, `cosine` to zero, or `constant`, after the warm-up.
        gradient_checkpointing: compute activations twice instead of keeping them.
        pause: a file that asks for a pause while it is there.
        precision: `fp32` or `bf16` (matrix products in bfloat16).
        label_smoothing: share of the target spread over all classes; not in reported losses.
        patience: epochs without improvement after which training stops; 0 to go through all.
        lora_alpha: what the low-rank product is scaled by, over the rank; twice the rank if None.
        lora_dropout: dropout before the low-rank matrices.
        target_modules: names of the layers that have them; empty for all linear ones.
        timed_alone: time single texts while other computing processes stand still.
        checkpoint_seconds: the longest time between checkpoints.
        max_seconds: of steps, after which it ends; None for no limit.
        keep: the `best` epoch's weights, or the `last` ones.
        threads: compute threads.
    """

    base_model: str
    base_folder: str
    data: str
    labels: list[str]
    output: str
    checkpoint: str
    method: str
    epochs: int
    learning_rate: float
    head_learning_rate: float
    rank: int
    batch_size: int
    seed: int
    max_length: int
    trained_share: float
    warmup: float = 0.1
    weight_decay: float = 0.01
    head_dropout: float = HEAD_DROPOUT
    label_smoothing: float = LABEL_SMOOTHING
    patience: int = 2
    checkpoint_seconds: float = 20.0
    threads: int = 1
    task: str = "classification"
    gradient_accumulation: int = 1
    scheduler: str = "linear"
    gradient_checkpointing: bool = False
    precision: str = "fp32"
    dora: bool = False
    rslora: bool = False
    lora_alpha: int | None = None
    lora_dropout: float = 0.0
    target_modules: list[str] = field(default_factory=list[str])
    pause: str = ""
    max_seconds: float | None = None
    keep: Keep = "best"
    timed_alone: bool = False

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> TrainingSpec:
        """The spec in a JSON object; unknown keys are left out."""
        return cls(**{f.name: data[f.name] for f in fields(cls) if f.name in data})

    @property
    def fingerprint(self) -> str:
        """Changes with everything that changes the result."""
        told = asdict(self)
        for name in (
            *("output", "checkpoint", "checkpoint_seconds", "data", "base_folder", "pause"),
            *("timed_alone", "max_seconds"),
        ):
            told.pop(name)
        return digest(told)
