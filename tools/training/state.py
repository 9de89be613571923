"""What a training knows of itself: its data, its scores, where it stands, and its checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tools.training.objectives import Target


@dataclass(slots=True)
class Examples:
    """Token ids and targets of one split, and what the frozen layers say of them if cached.

    A target is the place of a text's class, or the places of its labels where it may have several.
    """

    ids: list[list[int]]
    targets: list[Target]
    hidden: list[Tensor] | None = None

    @property
    def lengths(self) -> list[int]:
        """Tokens of each row."""
        return [len(row) for row in self.ids]


@dataclass(slots=True)
class EpochScore:
    """What was measured after an epoch; epoch 0 is before the first step.

    Attributes:
        training_loss: mean over the epoch's steps; None for epoch 0.
        validation_loss: mean cross-entropy.
        validation_accuracy: share of rows labelled rightly (all their labels).
        validation_macro_f1: mean F1 over the classes.
        validation_micro_f1: F1 over all labels together; the accuracy where a text has one class.
    """

    epoch: int
    training_loss: float | None
    validation_loss: float
    validation_accuracy: float
    validation_macro_f1: float
    validation_micro_f1: float

    @property
    def rank(self) -> tuple[float, float]:
        """Greater is better: micro F1 (the accuracy of one class a text), then a smaller loss."""
        return self.validation_micro_f1, -self.validation_loss


@dataclass(slots=True)
class State:
    """Where a training stands; everything but the weights."""

    epoch: int = 1
    batch: int = 0
    step: int = 0
    epoch_loss: float = 0.0
    epoch_rows: int = 0
    seconds: float = 0.0
    resumed: int = 0
    stopped: str = ""
    scores: list[EpochScore] = field(default_factory=list[EpochScore])
    steps: list[tuple[int, float, float]] = field(default_factory=list[tuple[int, float, float]])

    @property
    def best(self) -> EpochScore:
        """The best trained epoch so far; the untrained start before there is one."""
        return max(self.scores[1:] or self.scores, key=lambda score: score.rank)


def save_checkpoint(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint whole or not at all."""
    staged = path.with_suffix(".new")
    with staged.open("wb") as file:
        torch.save(content, file)
    staged.replace(path)


def load_checkpoint(path: Path) -> dict[str, Any] | None:
    """A checkpoint, or None if there is none or it cannot be read."""
    if not path.is_file():
        return None
    try:
        return torch.load(path, weights_only=True)
    except (RuntimeError, EOFError, OSError, ValueError, KeyError):
        return None
