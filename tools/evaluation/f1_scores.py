"""F1 with intervals that stay honest where a class has few rows, or none of them is wrong."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tools.evaluation.statistics import Floats, Interval
from tools.training.intervals import wilson


def f1_of(right: Floats, both: Floats) -> Floats:
    """F1 from rows labelled rightly, and rows that have plus rows that were given the label.

    It is 0 where the label neither occurs nor is given.
    """
    return np.divide(2 * right, both, out=np.zeros_like(both), where=both > 0)


def f1_wilson(right: int, both: int) -> Interval:
    """The F1 of one class with Wilson's 95 % interval (the indirect method).

    Of the rows that have the label or were given it, those of both are a plain share J, and
    F1 = 2J / (1 + J) (Lam, Gopal and Qian 2023, "Confidence Intervals for the F1 Score: A
    Comparison of Four Methods", arXiv 2309.14621). A class without rows may be anything.

    Args:
        right: rows that have the label and were given it.
        both: rows that have it plus rows that were given it.
    """
    low, high = (2 * share / (1 + share) for share in wilson(right, both - right))
    return Interval(2 * right / both if both else 0.0, low, high)


def mean_of(figures: Sequence[Interval]) -> Interval:
    """The mean of several figures, its interval made of theirs as if they were independent.

    Zou and Donner 2008, "Construction of confidence limits about effect measures: A general
    approach", Statistics in Medicine 27 (MOVER).

    Args:
        figures: at least one.
    """
    value = sum(f.value for f in figures) / len(figures)
    below = math.hypot(*(f.value - f.low for f in figures)) / len(figures)
    above = math.hypot(*(f.high - f.value for f in figures)) / len(figures)
    return Interval(value, max(0.0, value - below), min(1.0, value + above))
