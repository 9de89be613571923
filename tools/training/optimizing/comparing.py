"""A variant beside its parent on the same rows: what it loses, how sure that is, what it saves.

The interval is the score interval of a paired difference (`tools.training.intervals`): what is hard
for both does not widen it, and where hardly a row differs it still says what the rows leave open.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.training.intervals import paired_difference

_RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Loss:
    """Points (hundredths of the metric) that a variant loses; below 0 where it gains.

    Attributes:
        points: the difference on the rows.
        low: lower end of its 95 % interval.
        high: upper end of its 95 % interval.
        agreement: share of the rows that both answer alike, 0 to 1.
        cosine: mean cosine of the vectors that both give to a text; only of embeddings.
    """

    points: float
    low: float
    high: float
    agreement: float
    cosine: float | None = None


def paired_loss(
    truth: Sequence[int | str], parent: Sequence[int | str], variant: Sequence[int | str]
) -> Loss:
    """Accuracy that the variant loses, in points, with its paired 95 % interval.

    Args:
        truth: the right class of every row, or a code of its classes; at least one row.
        parent: what the parent predicted.
        variant: what the variant predicted.
    """
    right, before, after = (np.asarray(v) for v in (truth, parent, variant))
    lost = (before == right).astype(np.int64) - (after == right).astype(np.int64)
    return _loss(lost, float((before == after).mean()))


def paired_answers(truth: Sequence[str], parent: Sequence[str], variant: Sequence[str]) -> Loss:
    """Mean F1 that a language model's variant loses, in points, with its interval.

    F1 lies between 0 and 1, so that the interval is rather too wide than too narrow.

    Args:
        truth: the right answer of every row; at least one row.
        parent: what the parent answered.
        variant: what the variant answered.

    Returns:
        The loss; they agree on a row where both have the same words in the same order.
    """
    from tools.training.language.answers import exact, f1

    lost = np.array([f1(b, t) - f1(a, t) for t, b, a in zip(truth, parent, variant, strict=True)])
    alike = [exact(b, a) for b, a in zip(parent, variant, strict=True)]
    return _loss(lost, float(np.mean(alike)))


def _loss(lost: NDArray[np.number[Any]], agreement: float) -> Loss:
    """What is lost row by row, -1 to 1, as points with their interval."""
    gone, won = float(lost.clip(min=0).sum()), float(-lost.clip(max=0).sum())
    low, high = paired_difference(gone, won, len(lost))
    return Loss(100 * (gone - won) / len(lost), 100 * low, 100 * high, agreement)


def resampled(lost: NDArray[np.int64]) -> tuple[float, float]:
    """The ends of the 95 % bootstrap interval (percentiles) of a mean loss, in points.

    Args:
        lost: what is lost row by row, -1 to 1; at least one row.
    """
    generator = np.random.default_rng(0)
    rows = len(lost)
    means = [lost[generator.integers(rows, size=rows)].mean() for _ in range(_RESAMPLES)]
    low, high = np.quantile(means, (0.025, 0.975))
    return 100 * float(low), 100 * float(high)


def coded(answer: str | list[str], labels: Sequence[str]) -> int | str:
    """An answer as variants are compared by: its place, or the places of several labels."""
    places = {label: place for place, label in enumerate(labels)}
    if isinstance(answer, str):
        return places.get(answer, -1)
    return code_of(places.get(label, -1) for label in answer)


def code_of(places: Iterable[int]) -> str:
    """Several places as one value."""
    return ",".join(map(str, sorted(places)))


def cost_ratio(variant: Mapping[str, Any], parent: Mapping[str, Any]) -> float:
    """Inference cost of a variant, as a share of its parent's: latency × memory.

    Median latency of one text, times the megabytes that the loaded model adds to a process.
    """
    ours = float(variant["p50_ms"]) * float(variant["memory_mb"])
    return ours / max(float(parent["p50_ms"]) * float(parent["memory_mb"]), 1e-9)
