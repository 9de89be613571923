"""The sentence says who is better only where the difference is more than chance."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tools.datasets.columns import Row
from tools.evaluation.rows import HeldOut
from tools.evaluation.subjects import Subject
from tools.evaluation.types import ComparisonResult
from tools.evaluation.verdict import compared

FIRST = Subject("router", 3, 7, "r", Path("x"), "h", "tickets@1", ("a", "b"), "minilm", {})
SECOND = replace(FIRST, version=2)


def judged(
    only_first: int, only_second: int, both: int, second: Subject = SECOND, rows: int = 200
) -> ComparisonResult:
    held_out = HeldOut([Row("t", "a")] * rows, 0, 0, "a")
    counts = {
        "first": both + only_first,
        "second": both + only_second,
        "only_first": only_first,
        "only_second": only_second,
    }
    return compared(FIRST, second, "tickets@1", "test", held_out, counts)


def test_a_clear_lead_is_called_real() -> None:
    found = judged(30, 5, 140)
    assert found.better == "first"
    assert found.p_value < 0.001
    assert found.difference_low > 0
    assert found.verdict == (
        "router v3 gets 85.0% right and router v2 72.5% on 200 rows of tickets@1: router v3 is "
        "better, and the difference is real (p < 0.001)."
    )


def test_the_second_can_win() -> None:
    assert judged(5, 30, 140).better == "second"
    assert "router v2 is better" in judged(5, 30, 140).verdict


def test_a_small_lead_may_be_chance() -> None:
    found = judged(9, 6, 150)
    assert found.better == "neither"
    assert found.difference_low < 0 < found.difference_high
    assert "router v3 is ahead, but the difference may be chance (p = 0.607)" in found.verdict


def test_equal_counts_are_no_proof_and_the_smallest_difference_to_be_seen_is_told() -> None:
    found = judged(4, 4, 150)
    assert (found.better, found.difference) == ("neither", 0.0)
    assert found.verdict.endswith(
        "these 200 rows show no difference; the smallest that they could show is about 3.9 points."
    )
    assert found.smallest_seen == pytest.approx(0.039, abs=0.001)


def test_few_rows_on_which_no_answer_differs_show_only_large_differences() -> None:
    found = judged(0, 0, 30, rows=32)
    assert found.difference_low < -0.1 < 0.1 < found.difference_high
    assert "these 32 rows show no difference" in found.verdict
    assert found.smallest_seen is not None and 0.15 < found.smallest_seen < 0.25
    assert "so few can show none" in judged(0, 0, 5, rows=5).verdict


def test_different_classes_are_told() -> None:
    found = judged(4, 4, 150, replace(SECOND, labels=("a", "b", "c")))
    assert any("different classes" in warning for warning in found.warnings)
