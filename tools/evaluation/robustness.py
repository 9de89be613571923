"""What small changes of the texts do to a model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from tools.evaluation.paraphrase import reworded
from tools.evaluation.perturb import Kind, perturb
from tools.evaluation.report_types import Perturbed
from tools.evaluation.statistics import difference_interval

if TYPE_CHECKING:
    from tools.evaluation.statistics import Ints


def perturbed(
    kind: Kind,
    texts: Sequence[str],
    truth: Ints,
    plain: Ints,
    predict: Callable[[Sequence[str]], Ints],
) -> Perturbed:
    """How a model bears one kind of change.

    Args:
        kind: which.
        texts: the texts as they are.
        truth: their classes.
        plain: what the model says of them as they are.
        predict: the model.
    """
    changed = [perturb(text, kind) for text in texts]
    found = predict(changed)
    lost = (plain == truth).astype(int) - (found == truth)
    drop = difference_interval(int((lost > 0).sum()), int((lost < 0).sum()), len(texts))
    broken = next((i for i, value in enumerate(lost) if value > 0), None)
    return Perturbed(
        kind=kind,
        accuracy=float((found == truth).mean()),
        drop=drop.value,
        drop_low=drop.low,
        drop_high=drop.high,
        flipped=float((found != plain).mean()),
        example=None if broken is None else texts[broken],
        changed=None if broken is None else changed[broken],
        reworded=sum(reworded(t) != t for t in texts) if kind == "paraphrase" else None,
    )
