"""The numbers agree with scikit-learn, SciPy and worked examples, and with what they mean."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.evaluation import statistics

LABELS = ["a", "b", "c", "d"]


def _random(rows: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 3, rows)  # class d never occurs
    predicted = np.where(rng.random(rows) < 0.7, truth, rng.integers(0, 4, rows))
    return truth, predicted


def test_scores_agree_with_scikit_learn() -> None:
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    truth, predicted = _random()
    confusion = statistics.confusion_matrix(truth, predicted, 4)
    assert (confusion == confusion_matrix(truth, predicted, labels=range(4))).all()
    ours = statistics.class_scores(confusion, LABELS)
    theirs: Any = precision_recall_fscore_support(
        truth, predicted, labels=range(4), zero_division=cast("Any", 0)
    )
    assert [s.precision for s in ours] == pytest.approx(theirs[0])
    assert [s.recall for s in ours] == pytest.approx(theirs[1])
    assert [s.f1 for s in ours] == pytest.approx(theirs[2])
    assert [s.support for s in ours] == [*theirs[3]]


def test_macro_f1_leaves_out_classes_without_rows() -> None:
    truth, predicted = _random()
    ours = statistics.class_scores(statistics.confusion_matrix(truth, predicted, 4), LABELS)
    assert statistics.macro_f1(ours) == pytest.approx(np.mean([s.f1 for s in ours[:3]]))
    assert "d" not in statistics.worst_classes(ours)


def test_worst_classes_come_worst_first_and_perfect_ones_not_at_all() -> None:
    confusion = np.array([[9, 1, 0], [5, 5, 0], [0, 0, 7]])
    scored = statistics.class_scores(confusion, ["fair", "poor", "perfect"])
    assert statistics.worst_classes(scored) == ["poor", "fair"]


@pytest.mark.parametrize(
    ("only_first", "only_second"), [(0, 0), (5, 0), (10, 3), (3, 10), (7, 7), (400, 420)]
)
def test_mcnemar_is_the_two_sided_binomial_test(only_first: int, only_second: int) -> None:
    from scipy.stats import binomtest

    total = only_first + only_second
    expected = binomtest(only_first, total).pvalue if total else 1.0
    assert statistics.mcnemar(only_first, only_second) == pytest.approx(expected)


@given(st.integers(1, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_accuracy_interval_holds_the_accuracy(counts: tuple[int, int]) -> None:
    correct, rows = counts
    interval = statistics.accuracy_interval(correct, rows, resamples=500)
    assert 0 <= interval.low <= interval.value <= interval.high <= 1
    assert interval.value == correct / rows


def test_the_accuracy_interval_equals_a_bootstrap_that_resamples_rows() -> None:
    right = np.array([True] * 170 + [False] * 30)
    rng = np.random.default_rng(0)
    slow = [rng.choice(right, right.size).mean() for _ in range(4000)]
    fast = statistics.accuracy_interval(170, 200)
    assert (fast.low, fast.high) == pytest.approx(np.quantile(slow, [0.025, 0.975]), abs=0.006)


def test_all_right_does_not_mean_certain() -> None:
    from scipy.stats import binomtest

    interval = statistics.accuracy_interval(90, 90)
    exact = binomtest(90, 90).proportion_ci(0.95, "exact")
    assert (interval.low, interval.high) == pytest.approx((exact.low, exact.high))
    assert statistics.accuracy_interval(0, 90).high == pytest.approx(1 - exact.low)


def test_the_difference_interval_knows_that_rows_are_paired() -> None:
    # 80 % against 75 % on 100 rows: unpaired this is nothing, but one never beats the other
    interval = statistics.difference_interval(5, 0, 100)
    assert interval.value == pytest.approx(0.05)
    assert interval.low > 0
    assert statistics.difference_interval(25, 20, 100).low < 0


def test_the_difference_interval_is_the_one_published_for_the_airway_data() -> None:
    # Fagerland, Lydersen and Laake 2014: 1, 1, 7 and 12 pairs; Tango's interval -0.517 to -0.026
    interval = statistics.difference_interval(1, 7, 21)
    assert (interval.low, interval.high) == pytest.approx((-0.517, -0.026), abs=0.0005)


def test_rows_on_which_nothing_differs_leave_a_difference_open() -> None:
    interval = statistics.difference_interval(0, 0, 89)
    assert interval.value == 0
    assert -interval.low == interval.high == pytest.approx(0.041, abs=0.001)


@given(st.integers(1, 40).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_difference_interval_holds_the_difference(counts: tuple[int, int]) -> None:
    first, rows = counts
    for second in range(rows - first + 1):
        found = statistics.difference_interval(first, second, rows)
        assert -1 <= found.low <= found.value + 1e-9
        assert found.value - 1e-9 <= found.high <= 1


@pytest.mark.parametrize(("first", "second"), [(0.01, 0.01), (0.03, 0.01), (0.02, 0.0)])
def test_the_difference_interval_of_rare_differences_holds_the_truth(first, second) -> None:
    rng = np.random.default_rng(12)
    drawn = rng.multinomial(89, [first, second, 1 - first - second], 400)
    ends = [statistics.difference_interval(int(a), int(b), 89) for a, b, _ in drawn]
    assert sum(e.low <= first - second <= e.high for e in ends) >= 372  # 380 expected at 95 %


def test_the_same_counts_always_give_the_same_interval() -> None:
    assert statistics.accuracy_interval(80, 100) == statistics.accuracy_interval(80, 100)
    assert statistics.difference_interval(9, 4, 80) == statistics.difference_interval(9, 4, 80)


def test_calibration_error_of_a_worked_example() -> None:
    # four rows at 0.9 with three right (gap .15), one at 0.6 that is right (gap .4)
    probabilities = np.array([[0.9, 0.1]] * 4 + [[0.6, 0.4]])
    truth = np.array([0, 0, 0, 1, 0])
    expected = (4 * 0.15 + 1 * 0.4) / 5
    assert statistics.calibration_error(probabilities, truth) == pytest.approx(expected)


def test_certain_and_right_is_perfectly_calibrated() -> None:
    assert statistics.calibration_error(np.eye(3), np.arange(3)) == 0.0


def test_quantiles_are_in_milliseconds() -> None:
    assert statistics.quantile_ms([0.001, 0.002, 0.003], 0.5) == pytest.approx(2.0)


def test_an_interval_of_few_rows_does_not_reach_what_was_not_seen():
    interval = statistics.accuracy_interval(27, 30)
    assert interval.high == pytest.approx(0.965, abs=0.001)
    assert statistics.accuracy_interval(3, 30).low == pytest.approx(0.035, abs=0.001)
