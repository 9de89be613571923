"""The numbers: intervals, scores by class, calibration, and tests of two models on one set of rows.

Everything is deterministic: each resampling draws from a generator with a fixed seed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from tools.training.intervals import paired_difference, wilson

RESAMPLES = 10_000
SEED = 20_260_101
LEVEL = 0.95
CALIBRATION_BINS = 15

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Scores:
    """Precision, recall and F1 of one class; see `types.ClassScore`."""

    label: str
    precision: float
    recall: float
    f1: float
    support: int


def accuracy_interval(correct: int, rows: int, *, resamples: int = RESAMPLES) -> Interval:
    """Accuracy with the percentile bootstrap interval over rows.

    The number of right answers in a resample of rows is binomial, so it is drawn directly. Where
    all rows are right, or none, every resample is equal and the bootstrap says nothing: the end
    that is open is then Clopper and Pearson's exact bound. Of few rows more than a fortieth of the
    resamples may be all right although not all rows are: that end is Wilson's.

    Args:
        correct: rows predicted right.
        rows: all rows, at least 1.
        resamples: how many resamples.
    """
    tail = (1 - LEVEL) / 2
    if correct == rows:
        return Interval(1.0, tail ** (1 / rows), 1.0)
    if correct == 0:
        return Interval(0.0, 0.0, 1 - tail ** (1 / rows))
    drawn = np.random.default_rng(SEED).binomial(rows, correct / rows, resamples) / rows
    low, high = np.quantile(drawn, [tail, 1 - tail])
    ends = wilson(correct, rows)
    return Interval(
        correct / rows, float(low) if low > 0 else ends[0], float(high) if high < 1 else ends[1]
    )


def difference_interval(only_first: int, only_second: int, rows: int) -> Interval:
    """Difference of two accuracies on the same rows, with Tango's score interval (1998).

    It does not shrink to a point where no row differs; see `tools.training.intervals`.

    Args:
        only_first: rows that only the first model got right.
        only_second: rows that only the second got right.
        rows: all rows, at least 1.
    """
    low, high = paired_difference(only_first, only_second, rows)
    return Interval((only_first - only_second) / rows, low, high)


def mcnemar(only_first: int, only_second: int) -> float:
    """Two-sided p-value of the exact McNemar test (binomial with probability one half).

    Args:
        only_first: rows that only the first model got right.
        only_second: rows that only the second got right.
    """
    discordant = only_first + only_second
    smaller = min(only_first, only_second)
    tail = sum(comb(discordant, i) for i in range(smaller + 1))
    return min(1.0, 2 * tail / 2**discordant)


def confusion_matrix(truth: Ints, predicted: Ints, classes: int) -> Ints:
    """Counts; row = true class, column = predicted class."""
    return np.bincount(truth * classes + predicted, minlength=classes * classes).reshape(
        classes, classes
    )


def class_scores(confusion: Ints, labels: Sequence[str]) -> list[Scores]:
    """Scores of every class, in the order of the labels; 0 where a ratio is undefined."""
    right = np.diag(confusion).astype(np.float64)
    given, there = confusion.sum(axis=0), confusion.sum(axis=1)
    precision = _ratio(right, given)
    recall = _ratio(right, there)
    f1 = _ratio(2 * precision * recall, precision + recall)
    return [
        Scores(label, float(precision[i]), float(recall[i]), float(f1[i]), int(there[i]))
        for i, label in enumerate(labels)
    ]


def _ratio(above: Floats, below: Ints | Floats) -> Floats:
    out = np.zeros_like(above, dtype=np.float64)
    np.divide(above, below, out=out, where=np.asarray(below) > 0)
    return out


def macro_f1(scores: Sequence[Scores]) -> float:
    """Mean F1 over the classes that occur in the rows."""
    there = [s.f1 for s in scores if s.support]
    return sum(there) / len(there) if there else 0.0


def worst_classes(scores: Sequence[Scores], limit: int = 3) -> list[str]:
    """The classes with the lowest F1 under 1, among those that occur in the rows, worst first."""
    there = sorted((s.f1, s.label) for s in scores if s.support and s.f1 < 1)
    return [label for _, label in there[:limit]]


def calibration_error(probabilities: Floats, truth: Ints, bins: int = CALIBRATION_BINS) -> float:
    """Expected calibration error: |accuracy - confidence| by bin of the top probability.

    Bins of equal width, weighted by their rows (Guo et al. 2017, "On Calibration of Modern Neural
    Networks").

    Args:
        probabilities: rows x classes.
        truth: index of the true class of each row.
        bins: how many bins between 0 and 1.
    """
    confidence = probabilities.max(axis=1)
    correct = (probabilities.argmax(axis=1) == truth).astype(np.float64)
    index = np.clip(np.ceil(confidence * bins).astype(np.int64) - 1, 0, bins - 1)
    gaps = np.abs(
        np.bincount(index, weights=correct, minlength=bins)
        - np.bincount(index, weights=confidence, minlength=bins)
    )
    return float(gaps.sum() / len(truth))


def quantile_ms(seconds: Sequence[float], quantile: float) -> float:
    """A quantile of durations, in milliseconds."""
    return float(np.quantile(np.asarray(seconds), quantile) * 1000)
