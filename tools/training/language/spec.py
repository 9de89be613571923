"""What the child of a language model's training is told, and the defaults of each method."""

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


@dataclass(frozen=True, slots=True)
class Defaults:
    """Settings that differ by method: passes over the data, and the peak learning rate."""

    epochs: int
    learning_rate: float


DEFAULTS = {
    "lora": Defaults(2, 5e-4),
    "qlora": Defaults(2, 5e-4),
    "full": Defaults(2, 5e-5),
    "prompt": Defaults(5, 3e-2),
}
BATCH_SIZE = 8
MAX_LENGTH = 512
VIRTUAL_TOKENS = 20


@dataclass(frozen=True, slots=True)
class LanguageSpec:
    """One training, complete: the same spec and data give the same result.

    Attributes:
        base_model: the base model's name.
        base_folder: where its files are, as transformers reads them.
        data: folder with train.jsonl and validation.jsonl (`messages`).
        output: where the model's folder is written.
        checkpoint: the file that a cut-off training resumes from.
        method: `lora`, `qlora` (LoRA on a base held in NF4), `full` or `prompt` (virtual tokens).
        rank: of the LoRA matrices.
        lora_alpha: what their product is scaled by, over the rank; twice the rank if None.
        lora_dropout: dropout before them.
        target_modules: names of the layers that have them; empty for all linear ones.
        dora: weight-decomposed LoRA (Liu et al., 2024).
        rslora: alpha is divided by the root of the rank (Kalajdzievski, 2023).
        virtual_tokens: learnt tokens before every row (method `prompt`).
        batch_size: rows in one optimiser step and pass.
        gradient_accumulation: batches whose gradients are added before a step.
        max_length: tokens of a row; a longer prompt loses its oldest tokens.
        pack_tokens: tokens computed at once; a batch is cut into packs of about this many.
        precision: `fp32` or `bf16`.
        merge: also write the model with the adapter added into its weights.
        max_seconds: of steps, after which it ends; None for no limit.
        keep: the `best` epoch's weights, or the `last` ones.
        judged: validation rows that are answered before and after training.
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
    dora: bool = False
    rslora: bool = False
    lora_alpha: int | None = None
    lora_dropout: float = 0.0
    target_modules: list[str] = field(default_factory=list[str])
    virtual_tokens: int = VIRTUAL_TOKENS
    gradient_accumulation: int = 1
    gradient_checkpointing: bool = False
    pack_tokens: int = 512
    precision: str = "fp32"
    scheduler: str = "linear"
    warmup: float = 0.1
    weight_decay: float = 0.01
    patience: int = 2
    merge: bool = False
    judged: int = 48
    checkpoint_seconds: float = 20.0
    threads: int = 1
    pause: str = ""
    max_seconds: float | None = None
    keep: Keep = "best"
    task: str = "language"

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> LanguageSpec:
        """The spec in a JSON object; unknown keys are left out."""
        return cls(**{f.name: data[f.name] for f in fields(cls) if f.name in data})

    @property
    def fingerprint(self) -> str:
        """Changes with everything that changes the result."""
        told = asdict(self)
        for name in _PLACES:
            told.pop(name)
        return digest(told)

    @property
    def parameters(self) -> dict[str, Any]:
        """The settings that a result and its MLflow run name."""
        hidden = {*_PLACES, "base_model", "lora_alpha", "lora_dropout", "target_modules"} - {
            "threads"
        }
        told = {name: value for name, value in asdict(self).items() if name not in hidden}
        return told | lora_told(self) | limit_told(self)
