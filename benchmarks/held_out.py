"""One measure of what both sides of a training benchmark learnt: their loss on rows kept back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

    from tools.training.language.rows import TokenRow


def answer_loss(model: Any, rows: Sequence[TokenRow]) -> float:
    """The mean loss of the answers' tokens, the end of the turn included.

    Args:
        model: takes `input_ids`, batch × tokens, and answers with `logits`.
        rows: chats that it was not trained on.

    Returns:
        Nats a token, in fp32.
    """
    import torch
    from torch.nn import functional

    total, count = 0.0, 0
    model.eval()
    with torch.inference_mode():
        for row in rows:
            ids = torch.tensor([row.ids])
            learnt = torch.tensor(row.learnt)[1:]
            logits: Tensor = model(input_ids=ids).logits[0, :-1].float()[learnt]
            targets = ids[0, 1:][learnt]
            total += float(functional.cross_entropy(logits, targets, reduction="sum"))
            count += len(targets)
    return total / count


def class_loss(
    logits_of: Callable[[Tensor, Tensor], Tensor], rows: Sequence[tuple[list[int], int]]
) -> float:
    """The mean loss of a classifier.

    Args:
        logits_of: from ids and mask, batch × tokens, to the logits, batch × classes.
        rows: token ids and the class, of texts that it was not trained on.

    Returns:
        Nats a text, in fp32.
    """
    import torch
    from torch.nn import functional

    losses: list[float] = []
    with torch.inference_mode():
        for ids, label in rows:
            tokens = torch.tensor([ids])
            logits = logits_of(tokens, torch.ones_like(tokens)).float()
            losses.append(float(functional.cross_entropy(logits, torch.tensor([label]))))
    return sum(losses) / len(losses)
