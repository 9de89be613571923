"""How many rows it takes to see a difference, said before anything is measured."""

from __future__ import annotations

import math

POWER = 0.8
ALPHA = 0.05


def rows_needed(
    difference: float, discordant: float, *, power: float = POWER, alpha: float = ALPHA
) -> int:
    """Rows on which the McNemar test finds a difference in accuracy with this probability.

    Connor 1987, "Sample Size for Testing Differences in Proportions for the Paired-Sample Design",
    Biometrics 43, equation 2.

    Args:
        difference: the difference in accuracy, 0 to 1, not 0.
        discordant: share of rows that only one of the two gets right; at least the difference.
        power: probability of finding it.
        alpha: two-sided level of the test.
    """
    from scipy.stats import norm

    difference = abs(difference)
    discordant = max(discordant, difference)
    level, found = float(norm.isf(alpha / 2)), float(norm.isf(1 - power))
    spread = math.sqrt(max(discordant - difference**2, 0.0))
    return math.ceil(((level * math.sqrt(discordant) + found * spread) / difference) ** 2)


def difference_seen(
    rows: int, discordant: float, *, power: float = POWER, alpha: float = ALPHA
) -> float:
    """The smallest difference in accuracy that so many rows show; the inverse of `rows_needed`.

    Args:
        rows: how many rows, at least 1.
        discordant: share of rows that only one of the two gets right.
        power: probability of finding it.
        alpha: two-sided level of the test.
    """
    low, high = 1e-4, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        if rows_needed(middle, discordant, power=power, alpha=alpha) <= rows:
            high = middle
        else:
            low = middle
    return high


def discordance(accuracy: float, other: float) -> float:
    """Share of rows that only one of two models gets right if their errors are independent.

    Real models err on the same rows more often, so fewer rows will do.
    """
    return accuracy * (1 - other) + other * (1 - accuracy)
