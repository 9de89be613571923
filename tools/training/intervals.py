"""Intervals of shares and of their differences that stay honest where rows are few or all alike."""

from __future__ import annotations

import math

Z_95 = 1.959963984540054
"""The normal distribution's 97.5 % point: two-sided 95 %."""
_HALVINGS = 60


def wilson(right: float, rows: float, *, z: float = Z_95) -> tuple[float, float]:
    """The ends of Wilson's score interval (1927) of a share; 0 to 1 where there are no rows.

    Args:
        right: rows that count.
        rows: all rows; a fraction where two samples count as one of such a size.
        z: quantile of the normal distribution; 95 % when not given.
    """
    below = rows + z * z
    middle = right + z * z / 2
    spread = z * math.sqrt(right * (rows - right) / rows + z * z / 4) if rows else z * z / 2
    low = 0.0 if right == 0 else (middle - spread) / below
    high = 1.0 if right == rows else (middle + spread) / below
    return low, high


def paired_difference(
    gained: float, lost: float, rows: int, *, z: float = Z_95
) -> tuple[float, float]:
    """The ends of the score interval of a difference of two paired proportions.

    Tango 1998, "Equivalence test and confidence interval for the difference in proportions for
    the paired-sample design", Statistics in Medicine 17; recommended by Fagerland, Lydersen and
    Laake 2014, Statistics in Medicine 33. A resample of rows of which none differs has no
    variance; this interval then is ± z² / (rows + z²), about what Clopper and Pearson allow.

    Sums of scores between 0 and 1 may stand in place of counts: such scores vary at most as much
    as counts of the same mean, so the interval is rather too wide than too narrow.

    Args:
        gained: rows on which only the first is right.
        lost: rows on which only the second is.
        rows: all rows, at least 1.
        z: quantile of the normal distribution; 95 % when not given.

    Returns:
        Lower and upper end, -1 to 1; the difference itself, (gained - lost) / rows, lies between.
    """
    upper = _end(gained, lost, rows, z)
    lower = -_end(lost, gained, rows, z)
    return lower + 0.0, upper + 0.0


def _end(gained: float, lost: float, rows: int, z: float) -> float:
    """The largest difference that the score test does not refute."""
    low, high = (gained - lost) / rows, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _score(gained, lost, rows, middle) >= -z:
            low = middle
        else:
            high = middle
    return high


def _score(gained: float, lost: float, rows: int, difference: float) -> float:
    """How many standard errors the counts lie above a difference (the restricted likelihood's)."""
    apart = gained - lost - rows * difference
    twice = 2.0 * rows
    linear = -gained - lost + (twice - gained + lost) * difference
    constant = -lost * difference * (1 - difference)
    root = math.sqrt(max(linear * linear - 4 * twice * constant, 0.0))
    share = (root - linear) / (2 * twice)
    variance = rows * (2 * share + difference * (1 - difference))
    if variance <= 0:
        return 0.0 if abs(apart) < 1e-12 else math.copysign(math.inf, apart)
    return apart / math.sqrt(variance)
