"""What the child of an embedding's training is told, and the defaults of each method."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from typing import Any

from tools.kernel.canonical import digest
from tools.training.ending import limit_told
from tools.training.spec import lora_told
from tools.training.types import Keep

_PLACES = (
    *("pause", "output", "checkpoint", "checkpoint_seconds", "data", "base_folder", "threads"),
    "max_seconds",
)
DEFAULTS = {"lora": (3, 1e-3), "full": (2, 3e-5)}
"""Passes over the data and the peak learning rate, by method."""
BATCH_SIZE = 32
MAX_LENGTH = 128
SCALE = 20.0


@dataclass(frozen=True, slots=True)
class EmbeddingSpec:
    """One training, complete: the same spec and data give the same result.

    Attributes:
        data: folder with train.jsonl and validation.jsonl (`texts`: anchor, positive, perhaps a
            negative).
        batch_size: anchors in a step; every other positive and every negative of it counts as
            wrong for an anchor.
        scale: what cosines are multiplied by before the softmax.
        precision: `fp32` or `bf16`.
        lora_alpha: what the low-rank product is scaled by, over the rank; twice the rank if None.
        lora_dropout: dropout before the low-rank matrices.
        target_modules: names of the layers that have them; empty for all linear ones.
        max_seconds: of steps, after which it ends; None for no limit.
        keep: the `best` epoch's weights, or the `last` ones.
    """

    base_model: str
    base_folder: str
    data: str
    output: str
    checkpoint: str
    method: str
    epochs: int
    learning_rate: float
    rank: int
    batch_size: int
    seed: int
    max_length: int
    scale: float = SCALE
    dora: bool = False
    rslora: bool = False
    lora_alpha: int | None = None
    lora_dropout: float = 0.0
    target_modules: list[str] = field(default_factory=list[str])
    warmup: float = 0.1
    weight_decay: float = 0.01
    patience: int = 2
    precision: str = "fp32"
    checkpoint_seconds: float = 20.0
    threads: int = 1
    pause: str = ""
    max_seconds: float | None = None
    keep: Keep = "best"
    task: str = "embedding"

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> EmbeddingSpec:
        """The spec in a JSON object; unknown keys are left out."""
        return cls(**{f.name: data[f.name] for f in fields(cls) if f.name in data})

    @property
    def fingerprint(self) -> str:
        """Changes with everything that changes the result."""
        return digest({k: v for k, v in asdict(self).items() if k not in _PLACES})

    @property
    def parameters(self) -> dict[str, Any]:
        """The settings that a result and its MLflow run name."""
        hidden = {*_PLACES, "base_model", "lora_alpha", "lora_dropout", "target_modules"} - {
            "threads"
        }
        told = {name: value for name, value in asdict(self).items() if name not in hidden}
        return told | lora_told(self) | limit_told(self)
