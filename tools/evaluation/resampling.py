"""Bootstrap intervals of figures that are no plain share: macro-F1, calibration and the like.

Rows are resampled with replacement; the interval is that between the percentiles (Efron and
Tibshirani 1993, chapter 13). Seeds are fixed, so equal rows give equal intervals. Where no row is
wrong every resample is equal, so F1 has intervals of `f1_scores` besides.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from tools.evaluation.f1_scores import f1_of, f1_wilson, mean_of
from tools.evaluation.statistics import LEVEL, SEED, Floats, Interval, Ints

RESAMPLES = 1000
_AT_ONCE = 100


def f1_intervals(confusion: Ints) -> tuple[Interval, list[Interval]]:
    """Macro-F1, and the F1 of every class, with their intervals.

    A class has Wilson's interval; macro-F1 the bootstrap's, widened to what its classes leave open.
    A resample of rows is a multinomial draw of the confusion matrix's cells, so no row is touched.

    Args:
        confusion: counts; row = true class, column = predicted class.

    Returns:
        Macro-F1 over the classes that occur, and one interval a class.
    """
    rows, classes = int(confusion.sum()), len(confusion)
    there = confusion.sum(axis=1) > 0
    cells = confusion.reshape(-1)
    used = np.flatnonzero(cells)
    rng = np.random.default_rng(SEED)
    drawn: list[Floats] = []
    for _ in range(0, RESAMPLES, _AT_ONCE):
        counts = np.zeros((_AT_ONCE, classes * classes))
        counts[:, used] = rng.multinomial(rows, cells[used] / rows, _AT_ONCE)
        drawn.append(_f1(counts.reshape(-1, classes, classes)))
    every = np.concatenate(drawn)[:, there].mean(axis=1)
    right, both = np.diag(confusion), confusion.sum(axis=0) + confusion.sum(axis=1)
    by_class = [f1_wilson(int(r), int(b)) for r, b in zip(right, both, strict=True)]
    macro = mean_of([by_class[i] for i in np.flatnonzero(there)])
    return widened(interval(macro.value, every), macro), by_class


def _f1(counts: Floats) -> Floats:
    """F1 of every class in every matrix."""
    right = np.diagonal(counts, axis1=1, axis2=2)
    return f1_of(right, counts.sum(axis=1) + counts.sum(axis=2))


def bootstrap(
    rows: int, figure: Callable[[Ints], float], *, resamples: int = RESAMPLES
) -> Interval:
    """Any figure of rows with its interval.

    Args:
        rows: how many rows, at least 1.
        figure: computes the figure of the rows with these indices.
        resamples: how many resamples.
    """
    rng = np.random.default_rng(SEED)
    drawn = [figure(rng.integers(0, rows, rows)) for _ in range(resamples)]
    return interval(figure(np.arange(rows)), np.array(drawn))


def paired_p_value(differences: Floats, *, resamples: int = 10_000) -> float:
    """Two-sided p-value of "the mean difference of paired scores is 0": a sign-flip test.

    Under the null each row's difference might as well have had the other sign (Good 2005,
    "Permutation, Parametric and Bootstrap Tests of Hypotheses", chapter 3). Exact up to the number
    of resamples, whatever the scores' distribution.

    Args:
        differences: the first's score minus the second's, one a row.
        resamples: how many sign patterns are drawn.
    """
    apart = differences[differences != 0]
    if not len(apart):
        return 1.0
    rng = np.random.default_rng(SEED)
    seen = abs(apart.sum()) - 1e-12
    extreme = 0
    for _ in range(0, resamples, 1000):
        signs = rng.integers(0, 2, (1000, len(apart)), dtype=np.int8) * 2 - 1
        extreme += int((np.abs(signs @ apart) >= seen).sum())
    return (extreme + 1) / (resamples + 1)


def interval(value: float, drawn: Floats) -> Interval:
    """The percentile interval of resampled values."""
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high))


def widened(found: Interval, other: Interval) -> Interval:
    """An interval that reaches as far as another one of the same value, too."""
    return Interval(found.value, min(found.low, other.low), max(found.high, other.high))


def holm(p_values: list[float]) -> list[float]:
    """P-values corrected for being several (Holm 1979): any false alarm at all has the level.

    Args:
        p_values: uncorrected, in any order.

    Returns:
        The corrected ones, in that order.
    """
    corrected = [0.0] * len(p_values)
    least = 0.0
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    for place, index in enumerate(order):
        least = max(least, min(1.0, p_values[index] * (len(p_values) - place)))
        corrected[index] = least
    return corrected
