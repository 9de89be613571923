"""What queries find by their vectors, held against places worked out by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.training.similarity.test_similarity import silent, spec_on
from tools.kernel.errors import InvalidInput, OperationFailed
from tools.training.similarity.child import train
from tools.training.similarity.embedder import found_by, is_embedding, load_embedder
from tools.training.similarity.finding import by_query, find, search_of
from tools.training.similarity.folder import SentenceEncoder


def towards(*degrees: float) -> np.ndarray:
    """Vectors of length 1 in the plane."""
    angles = np.radians(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_places_follow_from_the_angles_and_negatives_are_among_the_candidates():
    search = search_of([("a", "A", "x"), ("b", "B", "y"), ("c", "C", "z")])
    assert search.candidates == ("A", "x", "B", "y", "C", "z")
    found = find(search, towards(0, 90, 180), towards(10, 5, 95, 170, 200, 240))
    assert found.places.tolist() == [2, 1, 2]
    assert [search.candidates[i] for i in found.nearest] == ["x", "B", "y"]
    assert found.won.tolist() == [0, 1, 1]
    assert found.right_nearness == pytest.approx(np.cos(np.radians([10, 5, 20])))
    scores = {name: each.mean() for name, each in by_query(found).items()}
    assert scores["recall_at_1"] == pytest.approx(1 / 3)
    assert scores["recall_at_5"] == 1
    assert scores["mrr"] == pytest.approx(2 / 3)
    assert scores["ndcg_at_10"] == pytest.approx((1 + 2 / np.log2(3)) / 3)
    assert scores["triplet_accuracy"] == pytest.approx(2 / 3)


def test_equal_positives_are_one_candidate_and_right_for_every_query_that_has_them():
    search = search_of([("a", "Same  text"), ("b", "same text"), ("c", "other"), ("a", "third")])
    assert search.candidates == ("Same  text", "other", "third")
    assert search.right == (frozenset([0, 2]), frozenset([0]), frozenset([1]), frozenset([0, 2]))
    found = find(search, towards(0, 2, 90, 0), towards(5, 95, 1))
    assert found.places.tolist() == [1, 2, 1, 1]
    assert "triplet_accuracy" not in by_query(found)


def test_a_query_does_not_find_itself_among_the_candidates():
    search = search_of([("a", "b"), ("c", "a")])
    found = find(search, towards(0, 40), towards(30, 0))
    assert [search.candidates[i] for i in found.nearest] == ["b", "b"]
    assert found.places.tolist() == [1, 2]


def test_vectors_that_are_all_alike_find_nothing():
    search = search_of([("a", "A", "x"), ("b", "B", "y"), ("c", "C")])
    found = find(search, towards(7, 7, 7), towards(7, 7, 7, 7, 7))
    assert found.places.tolist() == [5, 5, 5]
    assert (found.nearest != [0, 2, 4]).all()
    assert found.won[:2].tolist() == [0, 0]
    assert np.isnan(found.won[2])


def test_vectors_that_are_no_numbers_are_refused_with_their_count():
    broken = towards(0, 1)
    broken[1, 0] = np.nan
    with pytest.raises(OperationFailed, match="1 of 4 texts"):
        find(search_of([("a", "A"), ("b", "B")]), towards(0, 1), broken)


def test_many_queries_give_the_places_that_each_has_alone():
    rows = [(f"query {i}", f"text {i}") for i in range(1200)]
    draw = np.random.default_rng(0)
    queries = draw.normal(size=(1200, 8))
    candidates = queries + draw.normal(size=(1200, 8))
    queries /= np.linalg.norm(queries, axis=1, keepdims=True)
    candidates /= np.linalg.norm(candidates, axis=1, keepdims=True)
    near = queries @ candidates.T
    places = [int((near[i] >= near[i, i]).sum()) for i in range(1200)]
    assert find(search_of(rows), queries, candidates).places.tolist() == places


def test_a_trained_embedding_is_loaded_as_it_was_trained(base: Path, tmp_path: Path):
    measured = train(spec_on(base, tmp_path, triplets=True, epochs=2), silent)
    folder = tmp_path / "embedding"
    assert is_embedding(folder)
    embedder = load_embedder(folder)
    lines = ["please red the", "my seven now", "my eight now is it broken"]
    vectors = embedder.embed(lines)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    alone = np.concatenate([embedder.embed([line]) for line in lines])
    assert vectors == pytest.approx(alone, abs=1e-5)
    small = SentenceEncoder(folder).embed(lines)
    assert (vectors * small).sum(1) == pytest.approx(np.ones(3), abs=0.05)
    held = (tmp_path / "data" / "validation.jsonl").read_text().splitlines()
    found = found_by(embedder.embed, search_of([json.loads(line)["texts"] for line in held]))
    won = by_query(found)["triplet_accuracy"].mean()
    assert won >= measured["metrics"]["triplet_accuracy"] - 1e-9


def test_a_folder_that_is_no_embedding_is_refused(tmp_path: Path):
    assert not is_embedding(tmp_path)
    with pytest.raises(InvalidInput, match="no trained embedding"):
        load_embedder(tmp_path)
