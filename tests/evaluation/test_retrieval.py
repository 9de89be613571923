"""Retrieval scores with intervals, and paired tests of two embeddings."""

from __future__ import annotations

import numpy as np
import pytest

from tools.evaluation.retrieval import figures, intervals, paired
from tools.training.similarity.finding import Found


def found(places: list[int]) -> Found:
    """Queries that found their counterpart at these places."""
    at, none = np.array(places), np.zeros(len(places))
    return Found(at, np.zeros(len(at), dtype=np.int64), none, none, np.full(len(at), np.nan))


def test_every_score_lies_in_its_interval_and_a_share_has_that_of_an_accuracy():
    told = figures(found([1] * 30 + [2] * 10 + [7] * 5 + [40] * 5))
    assert told["recall_at_1"] == 0.6
    assert told["recall_at_5"] == 0.8
    assert told["mrr"] == pytest.approx((30 + 5 + 5 / 7 + 5 / 40) / 50)
    for name in ("recall_at_1", "recall_at_5", "recall_at_10", "mrr", "ndcg_at_10"):
        assert told[f"{name}_low"] < told[name] < told[f"{name}_high"]
    assert "triplet_accuracy" not in told


def test_queries_that_all_find_their_counterpart_leave_the_interval_open_below():
    every = intervals(found([1] * 20))
    assert all(ends.value == 1 and 0.8 < ends.low < 0.9 for ends in every.values())
    none = intervals(found([500] * 20))
    assert none["mrr"].low < 0.002 < none["mrr"].high


def test_a_difference_on_few_queries_is_not_real_and_one_on_many_is():
    few = paired(found([1] * 28 + [2, 2]), found([1] * 30))
    assert (few.only_first, few.only_second) == (0, 2)
    assert few.p_value == 0.5
    assert few.mrr.low < few.mrr.value < 0 < few.mrr.high
    many = paired(found([1] * 60), found([1] * 40 + [2] * 20))
    assert many.p_value < 0.001
    assert many.mrr_p_value < 0.001
    assert 0 < many.mrr.low < many.mrr.value < many.mrr.high


def test_a_model_against_itself_shows_no_difference_but_leaves_room_for_one():
    same = paired(found([1, 2, 3] * 10), found([1, 2, 3] * 10))
    assert same.p_value == same.mrr_p_value == 1.0
    assert same.mrr.value == 0
    assert same.mrr.low < 0 < same.mrr.high
