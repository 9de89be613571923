"""Tests that stay valid however often one looks: confidence sequences and e-values, from counts.

A fixed-sample test that is looked at daily until it turns significant finds differences that are
not there. The numbers of this module may be looked at after every row: over all looks together
the interval misses the truth, or the p-value falls to `alpha` under the null, with probability at
most `alpha` (Ville's inequality; Ramdas et al. 2023, "Game-Theoretic Statistics and Safe
Anytime-Valid Inference"). Everything is a pure function of what has been counted so far; nothing
is remembered between looks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

ALPHA = 0.05
_BETS = np.geomspace(0.001, 0.99, 48)
"""Shares of the capital that are bet at once: small ones find small differences, late."""
_EDGE = 1e-9
"""How near the search comes to a difference of -1 or 1, where logarithms end."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Outcomes of one arm so far.

    Attributes:
        successes: trials with the outcome that is counted (right answers, or errors).
        trials: all of them.
    """

    successes: int
    trials: int

    def __post_init__(self) -> None:
        if not 0 <= self.successes <= self.trials:
            raise ValueError(f"{self.successes} successes of {self.trials} trials cannot be")


@dataclass(frozen=True, slots=True)
class Moments:
    """Measurements of one arm so far, for example latencies.

    Attributes:
        count: how many.
        mean: their mean.
        variance: their variance, with `count - 1` below the line.
    """

    count: int
    mean: float
    variance: float


@dataclass(frozen=True, slots=True)
class Look:
    """What the data say now.

    Attributes:
        effect: estimated difference.
        low: lower end of the confidence sequence; at level 1 - alpha over all looks together.
        high: upper end of it.
        p_value: always-valid p-value of "there is no difference".
        e_value: evidence against "there is no difference"; 20 is enough at alpha = 0.05.
    """

    effect: float
    low: float
    high: float
    p_value: float
    e_value: float

    @property
    def decided(self) -> bool:
        """Whether the interval excludes no difference."""
        return self.low > 0 or self.high < 0

    def within(self, margin: float) -> bool:
        """Whether the difference is surely smaller than `margin`, in either direction."""
        return -margin < self.low and self.high < margin


def paired_difference(
    only_first: int, only_second: int, both_alike: int, *, alpha: float = ALPHA
) -> Look:
    """Difference in accuracy of two models on the same rows; the sequential McNemar test.

    A row is worth +1 if only the first model is right, -1 if only the second is, else 0. The mean
    is bounded by betting against each value of it, with a mixture of bets of both signs
    (Waudby-Smith and Ramdas 2024, "Estimating means of bounded random variables by betting").
    Exact for every number of rows.

    Args:
        only_first: rows that only the first got right.
        only_second: rows that only the second got right.
        both_alike: rows that both got right or both wrong.
        alpha: probability of a false alarm over all looks, between 0 and 1.
    """
    counts = np.array([only_second, both_alike, only_first], dtype=np.float64)
    rows = counts.sum()
    if rows == 0:
        return Look(0.0, -1.0, 1.0, 1.0, 1.0)
    effect = (only_first - only_second) / float(rows)

    def evidence(difference: float) -> float:
        return _betting_evidence(counts, (difference + 1) / 2)

    return _look(evidence, effect, alpha)


def proportion_difference(control: Counted, treatment: Counted, *, alpha: float = ALPHA) -> Look:
    """Share of successes in the treatment minus that in the control: two independent arms.

    The likelihood of both arms under independent Jeffreys priors, against the best likelihood at
    each difference (universal inference: Wasserman, Ramdas and Balakrishnan 2020, section 8).
    Exact for every number of trials and every split of the traffic between the arms.

    Args:
        control: what has been counted without the change.
        treatment: what has been counted with it.
        alpha: probability of a false alarm over all looks, between 0 and 1.
    """
    if not control.trials or not treatment.trials:
        return Look(0.0, -1.0, 1.0, 1.0, 1.0)
    effect = treatment.successes / treatment.trials - control.successes / control.trials
    mixture = _marginal(control) + _marginal(treatment)

    def evidence(difference: float) -> float:
        return mixture - _best_likelihood(control, treatment, difference)

    return _look(evidence, effect, alpha)


def mean_difference(
    control: Moments, treatment: Moments, *, scale: float, alpha: float = ALPHA
) -> Look:
    """Mean of the treatment minus that of the control: the mixture sequential probability ratio.

    The likelihood ratio mixed over a normal prior of the difference (Johari, Koomen, Pekelis and
    Walsh 2022, "Always Valid Inference", equation 9), with estimated variances: valid once
    each arm has some dozens of measurements, so fewer than 30 give no answer.

    Args:
        control: what has been measured without the change.
        treatment: what has been measured with it.
        scale: the size of difference that matters, in the unit of the measurements; above 0.
        alpha: probability of a false alarm over all looks, between 0 and 1.
    """
    if min(control.count, treatment.count) < 30:
        return Look(treatment.mean - control.mean, -math.inf, math.inf, 1.0, 1.0)
    effect = treatment.mean - control.mean
    variance = max(control.variance / control.count + treatment.variance / treatment.count, 1e-300)
    both = variance + scale**2
    radius = math.sqrt(
        variance * both / scale**2 * (2 * math.log(1 / alpha) + math.log(both / variance))
    )
    evidence = 0.5 * math.log(variance / both) + (scale * effect) ** 2 / (2 * variance * both)
    return Look(effect, effect - radius, effect + radius, *_values(evidence))


def _look(evidence: Callable[[float], float], effect: float, alpha: float) -> Look:
    """The interval of differences against which there is too little evidence.

    `evidence` is the logarithm of an e-value, convex in the difference and at most 0 at the
    estimate, so what is left is an interval round the estimate.
    """
    from scipy.optimize import brentq

    bar = math.log(1 / alpha)
    least, most = -1.0 + _EDGE, 1.0 - _EDGE
    inner = min(max(effect, least), most)

    def end(outer: float) -> float:
        if evidence(outer) <= bar:
            return math.copysign(1.0, outer)
        found = brentq(lambda d: evidence(d) - bar, inner, outer, xtol=1e-6)
        return float(cast("float", found))

    return Look(effect, end(least), end(most), *_values(evidence(0.0)))


def _values(log_evidence: float) -> tuple[float, float]:
    e_value = math.exp(min(log_evidence, 700.0))
    return min(1.0, 1 / e_value) if e_value > 0 else 1.0, e_value


def _betting_evidence(counts: NDArray[np.float64], mean: float) -> float:
    """Logarithm of the capital won against `mean` by values 0, 1/2 and 1, counted so."""
    values = np.array([0.0, 0.5, 1.0])
    up = 1 + np.outer(_BETS, values / mean - 1)
    down = 1 + np.outer(_BETS, (1 - values) / (1 - mean) - 1)
    capital = np.concatenate([np.log(up) @ counts, np.log(down) @ counts])
    return float(np.logaddexp.reduce(capital) - math.log(len(capital)))


def _marginal(arm: Counted) -> float:
    """Logarithm of the probability of the outcomes, in their order, under Jeffreys' prior."""
    failures = arm.trials - arm.successes
    return _log_beta(arm.successes + 0.5, failures + 0.5) - _log_beta(0.5, 0.5)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _best_likelihood(control: Counted, treatment: Counted, difference: float) -> float:
    """Logarithm of the highest likelihood of both arms whose shares differ by `difference`."""
    from scipy.optimize import minimize_scalar

    low, high = max(0.0, -difference), min(1.0, 1.0 - difference)

    def unlikelihood(share: float) -> float:
        return -_likelihood(control, share) - _likelihood(treatment, share + difference)

    found = minimize_scalar(
        unlikelihood, bounds=(low, high), method="bounded", options={"xatol": 1e-9}
    )
    return -min(float(found.fun), unlikelihood(low), unlikelihood(high))


def _likelihood(arm: Counted, share: float) -> float:
    failures = arm.trials - arm.successes
    share = min(max(share, 1e-15), 1 - 1e-15)
    return arm.successes * math.log(share) + failures * math.log1p(-share)
