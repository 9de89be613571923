"""Looking early costs nothing: over all looks together the promised share of false alarms holds."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.evaluation.sequential import (
    Counted,
    Moments,
    mean_difference,
    paired_difference,
    proportion_difference,
)

LOOKS = (30, 150, 700)
SIMULATIONS = 80
MOST_MISSES = 10
"""Of 80 at 5 %, 10 or more misses happen by chance once in 140 times."""


def _paired(rng: np.random.Generator, first: float, second: float) -> list[bool]:
    """Whether each look at one simulated experiment has the truth in its interval."""
    drawn = rng.choice([1, -1, 0], p=[first, second, 1 - first - second], size=LOOKS[-1])
    seen = [drawn[:n] for n in LOOKS]
    looks = [paired_difference(*(int((s == v).sum()) for v in (1, -1, 0))) for s in seen]
    return [look.low <= first - second <= look.high for look in looks]


@pytest.mark.parametrize("shares", [(0.1, 0.1), (0.02, 0.02), (0.2, 0.1)])
def test_paired_intervals_hold_over_all_looks(shares: tuple[float, float]) -> None:
    rng = np.random.default_rng(11)
    misses = sum(not all(_paired(rng, *shares)) for _ in range(SIMULATIONS))
    assert misses < MOST_MISSES


@pytest.mark.parametrize("rates", [(0.02, 0.02), (0.3, 0.3), (0.05, 0.15)])
def test_proportion_intervals_hold_over_all_looks_with_little_canary_traffic(
    rates: tuple[float, float],
) -> None:
    rng = np.random.default_rng(12)
    misses = 0
    for _ in range(SIMULATIONS):
        control = np.cumsum(rng.random(10 * LOOKS[-1]) < rates[0])
        treatment = np.cumsum(rng.random(LOOKS[-1]) < rates[1])
        looks = [
            proportion_difference(
                Counted(int(control[10 * n - 1]), 10 * n), Counted(int(treatment[n - 1]), n)
            )
            for n in LOOKS
        ]
        misses += any(not look.low <= rates[1] - rates[0] <= look.high for look in looks)
    assert misses < MOST_MISSES


def _moments(values: np.ndarray) -> Moments:
    return Moments(len(values), float(values.mean()), float(values.var(ddof=1)))


def test_mean_intervals_hold_over_all_looks_at_skewed_latencies() -> None:
    rng = np.random.default_rng(13)
    misses = 0
    for _ in range(400):
        control = rng.lognormal(2.0, 0.5, 1000)
        treatment = rng.lognormal(2.0, 0.5, 1000)
        looks = [
            mean_difference(_moments(control[:n]), _moments(treatment[:n]), scale=1.0)
            for n in range(40, 1001, 120)
        ]
        misses += any(not look.low <= 0 <= look.high for look in looks)
    assert misses < 32  # of 400 at 5 %, once in 300 times


def test_a_fixed_sample_test_looked_at_as_often_alarms_far_too_often() -> None:
    """What the sequential test is for: the ordinary one, looked at again and again."""
    from scipy.stats import binom

    rng = np.random.default_rng(14)
    rows = np.arange(20, 1001, 20)
    won = np.cumsum(rng.random((100, 1000)) < 0.5, axis=1)[:, rows - 1]
    p_values = 2 * binom.cdf(np.minimum(won, rows - won), rows, 0.5)
    assert (p_values.min(axis=1) < 0.05).sum() > 20


def test_a_real_difference_is_found_and_the_sign_is_right() -> None:
    look = paired_difference(80, 30, 890)
    assert look.decided
    assert look.low > 0
    assert look.p_value < 0.01
    canary = proportion_difference(Counted(20, 2000), Counted(20, 100))
    assert canary.low > 0
    assert canary.p_value < 0.01
    slower = mean_difference(Moments(500, 10.0, 9.0), Moments(100, 12.0, 9.0), scale=1.0)
    assert slower.low > 0


def test_nothing_seen_says_nothing() -> None:
    for look in (
        paired_difference(0, 0, 0),
        proportion_difference(Counted(0, 0), Counted(3, 5)),
        mean_difference(Moments(3, 1.0, 0.0), Moments(900, 9.0, 1.0), scale=1.0),
    ):
        assert not look.decided
        assert look.p_value == 1.0


def test_enough_rows_without_a_difference_exclude_one_that_matters() -> None:
    assert not paired_difference(3, 3, 50).within(0.05)
    assert paired_difference(30, 30, 5000).within(0.05)


def test_more_successes_than_trials_are_refused() -> None:
    with pytest.raises(ValueError, match="5 successes of 3"):
        Counted(5, 3)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 400), st.integers(0, 400), st.integers(0, 400))
def test_the_interval_holds_the_estimate_and_agrees_with_the_p_value(
    only_first: int, only_second: int, alike: int
) -> None:
    look = paired_difference(only_first, only_second, alike)
    assert -1 <= look.low <= look.effect <= look.high <= 1
    if abs(look.p_value - 0.05) > 1e-3:
        assert look.decided == (look.p_value < 0.05)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 50), st.integers(50, 90), st.integers(0, 9), st.integers(9, 30))
def test_two_arms_swapped_turn_the_interval_round(a: int, n: int, b: int, m: int) -> None:
    look = proportion_difference(Counted(a, n), Counted(b, m))
    swapped = proportion_difference(Counted(b, m), Counted(a, n))
    assert look.low <= look.effect <= look.high
    assert (look.low, look.high) == pytest.approx((-swapped.high, -swapped.low), abs=1e-5)
