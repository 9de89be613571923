"""What a training's figures say of it: that it diverged, improved nothing, or cut its texts."""

from __future__ import annotations

import math
from collections.abc import Sequence

from tools.kernel.errors import OperationFailed
from tools.training.types import Keep

_MOST = 0.99
Rank = tuple[float, ...]


def refuse_diverged(loss: float, rate: float) -> None:
    """Stop a training whose loss is infinite or no number: its weights are of no use.

    Args:
        loss: of a step, or of the validation split.
        rate: the peak learning rate.

    Raises:
        OperationFailed: if it is.
    """
    if not math.isfinite(loss):
        raise OperationFailed(
            "The training diverged: the loss is no number any more, "
            f"at a learning rate of {rate:g}.",
            hint="Lower the learning rate.",
        )


def improvement_warnings(
    start: Rank, kept: Rank, losses: tuple[float, float], keep: Keep = "best"
) -> list[str]:
    """What to know of kept weights that are no better than the untrained ones.

    Args:
        start: how good the untrained weights are; the greater the better.
        kept: how good the kept ones are.
        losses: on the validation split, before training and of the kept weights.
        keep: which weights are kept.
    """
    told = f"validation loss {losses[0]:.4f} before, {losses[1]:.4f} after"
    if kept <= start and keep == "last":
        return [f"The last epoch, kept as asked, is no better than the untrained start ({told})."]
    if kept <= start:
        return [
            f"Training improved nothing: no epoch is better than the untrained start ({told}). "
            "The best trained epoch is kept; try more epochs or another learning rate."
        ]
    if losses[1] > losses[0]:
        return [f"The loss is greater than before training ({told}): the rate may be too high."]
    return []


def cut_warning(lengths: Sequence[int], max_length: int) -> str:
    """How many texts are cut and what length would do; empty if none is.

    Args:
        lengths: of the texts, in tokens.
        max_length: the tokens that are read of each.
    """
    cut = sum(length > max_length for length in lengths)
    if not cut:
        return ""
    enough = sorted(lengths)[math.ceil(_MOST * len(lengths)) - 1]
    more = f"; 99 % need at most {enough}" if enough > max_length else ""
    return f"{cut} of {len(lengths)} texts are cut at {max_length} tokens (max_length){more}."
