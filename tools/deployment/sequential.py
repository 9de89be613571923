"""Tests that may be looked at after every report: evidence that keeps its false-alarm rate.

`evidence_above` is an e-process: while the true rate is at most the limit, it exceeds 1/alpha at
any moment, however often one looks, with probability at most alpha (Ville's inequality). Likewise
the interval of `mean_interval` holds at all moments together with probability 1 - alpha.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, inf, log, sqrt

FALSE_ALARMS = 0.05
"""The chance that one rollout of a model that is as good as its limits is rolled back by a test."""
_TUNED_FOR = 200.0
_LARGEST = 700.0


@dataclass(frozen=True, slots=True)
class Bounds:
    """A mean with the ends of its interval."""

    value: float
    low: float
    high: float


def evidence_above(events: int, trials: int, limit: float) -> float:
    """The evidence that events are more frequent than a limit; 1 means none.

    The likelihood ratio of a rate above the limit to the limit itself, averaged over all such rates
    with equal weight (Robbins, 1970, "Statistical methods related to the law of the iterated
    logarithm").

    Args:
        events: how often it happened, 0 to `trials`.
        trials: how often it could have.
        limit: the rate that is allowed, between 0 and 1.
    """
    from scipy.special import betaincc, betaln

    if trials == 0:
        return 1.0
    above = float(betaincc(events + 1, trials - events + 1, limit))
    if above <= 0.0:
        return 0.0
    found = log(above) + float(betaln(events + 1, trials - events + 1))
    allowed = events * log(limit) + (trials - events) * log(1 - limit)
    evidence = found - allowed - log(1 - limit)
    return exp(evidence) if evidence < _LARGEST else inf


def mean_interval(total: float, count: int, alpha: float = FALSE_ALARMS) -> Bounds:
    """The mean of values between 0 and 1, with an interval that holds at all moments together.

    The normal mixture's bound for values of range 1, whose deviation is at most 1/2 (Robbins, 1970;
    Howard et al., 2021, "Time-uniform, nonparametric, nonasymptotic confidence sequences", eq. 14).

    Args:
        total: the sum of the values.
        count: how many there are; with none the interval is all of 0 to 1.
        alpha: the chance that the interval ever misses the mean.
    """
    if count == 0:
        return Bounds(0.5, 0.0, 1.0)
    wide = count + _TUNED_FOR
    radius = sqrt(wide / 2 * log(sqrt(wide / _TUNED_FOR) / alpha)) / count
    mean = total / count
    return Bounds(mean, max(0.0, mean - radius), min(1.0, mean + radius))
