"""A variant beside its parent on the same rows: what it loses, how sure that is, what it saves.

The interval is the percentile bootstrap of the paired difference: rows are resampled with what both
models did on them, so that what is hard for both does not widen it (Efron and Tibshirani, "An
Introduction to the Bootstrap", 1993, chapter 13). Deterministic: the generator's seed is fixed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

RESAMPLES = 10_000
SEED = 20_260_101
_TAIL = 0.025


@dataclass(frozen=True, slots=True)
class Loss:
    """Points (hundredths of the metric) that a variant loses; below 0 where it gains.

    Attributes:
        points: the difference on the rows.
        low: lower end of its 95 % interval.
        high: upper end of its 95 % interval.
        agreement: share of the rows that both label alike, 0 to 1.
    """

    points: float
    low: float
    high: float
    agreement: float


def paired_loss(
    truth: Sequence[int | str], parent: Sequence[int | str], variant: Sequence[int | str]
) -> Loss:
    """Accuracy that the variant loses, in points, with its paired bootstrap interval.

    Args:
        truth: the right class of every row, or a code of its classes; at least one row.
        parent: what the parent predicted.
        variant: what the variant predicted.
    """
    right, before, after = (np.asarray(v) for v in (truth, parent, variant))
    lost = (before == right).astype(np.int64) - (after == right).astype(np.int64)
    counts = np.array([(lost == 1).sum(), (lost == -1).sum(), (lost == 0).sum()])
    drawn = np.random.default_rng(SEED).multinomial(len(lost), counts / len(lost), RESAMPLES)
    resampled = 100 * (drawn[:, 0] - drawn[:, 1]) / len(lost)
    low, high = np.quantile(resampled, [_TAIL, 1 - _TAIL])
    agreement = float((before == after).mean())
    return Loss(100 * float(lost.mean()), float(low), float(high), agreement)


def paired_answers(truth: Sequence[str], parent: Sequence[str], variant: Sequence[str]) -> Loss:
    """Mean F1 that a language model's variant loses, in points, with its interval.

    Args:
        truth: the right answer of every row; at least one row.
        parent: what the parent answered.
        variant: what the variant answered.

    Returns:
        The loss; they agree on a row where both have the same words in the same order.
    """
    from tools.training.language.answers import exact, f1

    lost = np.array([f1(b, t) - f1(a, t) for t, b, a in zip(truth, parent, variant, strict=True)])
    drawn = np.random.default_rng(SEED).integers(0, len(lost), (RESAMPLES, len(lost)))
    low, high = np.quantile(100 * lost[drawn].mean(axis=1), [_TAIL, 1 - _TAIL])
    alike = [exact(b, a) for b, a in zip(parent, variant, strict=True)]
    return Loss(100 * float(lost.mean()), float(low), float(high), float(np.mean(alike)))


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
