"""Intervals hold the truth as often as they say; planned sample sizes find what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from tools.evaluation import resampling, statistics
from tools.evaluation.calibration import calibration_of
from tools.evaluation.perturb import KINDS, perturb
from tools.evaluation.power import difference_seen, discordance, rows_needed
from tools.evaluation.predictions import Predicted
from tools.evaluation.slices import slice_scores


def test_macro_f1_intervals_hold_the_truth_nineteen_times_in_twenty() -> None:
    shares = np.array([[0.3, 0.05, 0.02], [0.04, 0.25, 0.04], [0.03, 0.07, 0.2]])
    truth = resampling.f1_intervals((shares * 100_000).astype(np.int64))[0].value
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(200):
        counts = rng.multinomial(300, shares.ravel()).reshape(3, 3)
        macro, classes = resampling.f1_intervals(counts)
        held += macro.low <= truth <= macro.high
        assert all(c.low <= c.value <= c.high for c in classes)
    assert 180 <= held <= 199  # 190 expected, standard deviation 3


def test_f1_of_the_resampled_matrix_is_that_of_the_rows() -> None:
    counts = np.array([[30, 5, 0], [4, 20, 0], [0, 0, 0]])
    scored = statistics.class_scores(counts, ["a", "b", "never"])
    macro, classes = resampling.f1_intervals(counts)
    assert [c.value for c in classes] == pytest.approx([s.f1 for s in scored])
    assert macro.value == pytest.approx(statistics.macro_f1(scored))


@pytest.mark.parametrize(("difference", "discordant"), [(0.05, 0.15), (0.1, 0.2)])
def test_the_planned_rows_find_the_difference_four_times_in_five(
    difference: float, discordant: float
) -> None:
    rows = rows_needed(difference, discordant)
    rng = np.random.default_rng(6)
    first = (discordant + difference) / 2
    shares = [first, discordant - first, 1 - discordant]
    drawn = rng.multinomial(rows, shares, 400)
    found = sum(statistics.mcnemar(int(a), int(b)) < 0.05 for a, b, _ in drawn)
    assert 280 <= found <= 352  # 320 expected; the exact test is a little shy
    assert difference_seen(rows, discordant) == pytest.approx(difference, rel=0.01)


def test_independent_errors_need_the_most_rows() -> None:
    assert discordance(0.9, 0.92) == pytest.approx(0.9 * 0.08 + 0.92 * 0.1)
    assert rows_needed(0.02, 0.17) > rows_needed(0.02, 0.1) > rows_needed(0.04, 0.1)


def test_the_sign_flip_test_keeps_its_level_and_finds_what_is_there() -> None:
    rng = np.random.default_rng(7)
    null = [resampling.paired_p_value(rng.normal(0, 1, 40), resamples=1000) for _ in range(200)]
    assert sum(p < 0.05 for p in null) <= 19  # 10 expected
    assert resampling.paired_p_value(rng.normal(0.8, 1, 60)) < 0.001
    assert resampling.paired_p_value(np.zeros(9)) == 1.0


def test_several_labels_agree_with_scikit_learn() -> None:
    from sklearn.metrics import accuracy_score, f1_score

    from tools.evaluation.multilabel import several_scores

    rng = np.random.default_rng(10)
    truth = rng.random((300, 4)) < 0.3
    probabilities = np.clip(truth * 0.5 + rng.random((300, 4)) * 0.6, 0, 1)
    given = probabilities > 0.5
    found = several_scores(probabilities, truth, given, ["a", "b", "c", "d"])
    for average in ("macro", "micro"):
        assert found[f"{average}_f1"] == pytest.approx(f1_score(truth, given, average=average))
    assert found["accuracy"] == pytest.approx(accuracy_score(truth, given))
    assert found["macro_f1_low"] < found["macro_f1"] < found["macro_f1_high"]
    by_label = [f1_score(truth[:, i], given[:, i]) for i in range(4)]
    assert [c["f1"] for c in found["classes"]] == pytest.approx(by_label)


def test_holm_is_what_the_paper_says() -> None:
    assert resampling.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert resampling.holm([]) == []


def _rows(label: str, right: int, wrong: int, **extra: str) -> list[Predicted]:
    return [
        Predicted(f"{label} text {i}", label, label if i < right else "other", 0.9, extra)
        for i in range(right + wrong)
    ]


def test_only_a_slice_that_is_really_worse_is_called_so() -> None:
    rows = [*_rows("a", 190, 10), *_rows("b", 190, 10), *_rows("c", 24, 16), *_rows("d", 3, 2)]
    found = slice_scores(rows, "label")
    assert [(s.value, s.worse) for s in found] == [("c", True), ("a", False), ("b", False)]
    assert slice_scores(rows, "label", min_rows=5)[0].value in ("c", "d")


def test_one_error_beside_a_rest_that_is_all_right_makes_no_slice_really_worse() -> None:
    rows = [*_rows("a", 19, 1), *_rows("b", 12, 0)]
    assert not any(s.worse for s in slice_scores(rows, "label", min_rows=10))
    clearly = [*_rows("a", 12, 8), *_rows("b", 60, 0)]
    assert [s.value for s in slice_scores(clearly, "label") if s.worse] == ["a"]


def test_a_slice_is_tested_with_fishers_exact_test() -> None:
    from scipy.stats import fisher_exact

    from tools.evaluation.slices import _worse

    members = _rows("a", 14, 6)
    expected = fisher_exact([[14, 6], [38, 2]], alternative="less")[1]
    assert _worse(members, 52, 60) == pytest.approx(expected)


def test_a_class_without_an_error_is_not_certain_and_neither_is_the_mean() -> None:
    macro, classes = resampling.f1_intervals(np.diag([4, 7, 0]))
    assert [c.value for c in classes] == [1, 1, 0]
    assert classes[0].high == 1 and 0.6 < classes[0].low < 0.7 < classes[1].low < 0.8
    assert (classes[2].low, classes[2].high) == (0, 1)
    assert macro.value == macro.high == 1 and 0.6 < macro.low < 0.9


def test_labels_that_are_all_right_are_not_certain() -> None:
    from tools.evaluation.multilabel import f1_of_labels

    truth = np.eye(2, dtype=np.int64)[np.arange(12) % 2]
    counts = np.stack([truth, truth, truth], axis=-1)
    macro, micro, by_label = f1_of_labels(counts, np.array([True, True]))
    for found in (macro, micro, *by_label):
        assert found.value == found.high == 1 and 0.6 < found.low < 0.95


def test_class_f1_intervals_hold_the_truth_nineteen_times_in_twenty() -> None:
    shares = np.array([[0.3, 0.05, 0.02], [0.04, 0.25, 0.04], [0.03, 0.07, 0.2]])
    truth = resampling.f1_intervals((shares * 100_000).astype(np.int64))[1]
    rng = np.random.default_rng(11)
    held = 0
    for _ in range(100):
        counts = rng.multinomial(60, shares.ravel()).reshape(3, 3)
        classes = resampling.f1_intervals(counts)[1]
        held += sum(c.low <= t.value <= c.high for c, t in zip(classes, truth, strict=True))
    assert 273 <= held <= 297  # 285 expected, standard deviation 4


def test_slices_of_equal_skill_are_rarely_called_worse() -> None:
    rng = np.random.default_rng(8)
    alarms = 0
    for _ in range(60):
        rows = [
            Predicted("t", str(label), str(label) if rng.random() < 0.8 else "x", 0.8)
            for label in range(10)
            for _ in range(40)
        ]
        alarms += any(s.worse for s in slice_scores(rows, "label"))
    assert alarms <= 9  # 3 expected at 5 % for all slices together


def test_calibration_of_an_honest_model_is_near_zero_and_of_a_sure_one_is_not() -> None:
    rng = np.random.default_rng(9)
    sure = rng.uniform(0.5, 1, 4000)
    honest = [Predicted("t", "a", "a" if rng.random() < s else "b", float(s)) for s in sure]
    assert calibration_of(honest).ece < 0.03
    boastful = [Predicted("t", r.label, r.predicted, 0.99) for r in honest]
    found = calibration_of(boastful)
    assert found.ece == pytest.approx(0.99 - found.accuracy)
    assert found.ece_low < found.ece < found.ece_high


@pytest.mark.parametrize("kind", KINDS)
def test_changes_are_the_same_every_time_and_keep_texts_whole(kind) -> None:
    texts = ["I can't log in, please help!", "refund", "ÄÖ", "42", "x" * 3000]
    for text in texts:
        changed = perturb(text, kind)
        assert changed == perturb(text, kind)
        assert changed.strip()
    assert perturb(texts[0], kind) != texts[0]
    assert perturb(texts[0], "typos", 1) != perturb(texts[0], "typos", 2)
