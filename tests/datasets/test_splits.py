"""Near-duplicates are found exactly, and never split."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tools.datasets import splits
from tools.datasets.columns import Row
from tools.datasets.similar import SHORT, THRESHOLD, jaccard, similar

LETTERS = "abcdefghijklmnopqrstuvwxyz"
FEW = st.lists(st.sampled_from(LETTERS[:7]), min_size=1, max_size=12)
# Most letters but some: texts at both sides of what counts as short, many of them nearly alike.
MANY = st.integers(8, 20).flatmap(
    lambda size: st.sets(st.sampled_from(LETTERS[:size]), max_size=3).map(
        lambda left_out: [c for c in LETTERS[:size] if c not in left_out]
    )
)
TEXTS = st.lists(st.one_of(FEW, MANY).map(" ".join), min_size=2, max_size=25)


@settings(max_examples=200, deadline=None)
@given(TEXTS)
def test_every_similar_pair_is_in_one_group(texts: list[str]):
    group = splits.groups(texts)
    words = [frozenset(splits.normalise(text).split()) for text in texts]
    for i, j in combinations(range(len(texts)), 2):
        if jaccard(words[i], words[j]) >= THRESHOLD:
            assert group[i] == group[j]


@settings(max_examples=100, deadline=None)
@given(TEXTS)
def test_groups_hold_together_by_similar_pairs_only(texts: list[str]):
    group = splits.groups(texts)
    words = [frozenset(splits.normalise(text).split()) for text in texts]
    for i, number in enumerate(group):
        others = [j for j in range(len(texts)) if j != i and group[j] == number]
        near = [j for j in others if jaccard(words[i], words[j]) >= THRESHOLD]
        assert bool(others) == bool(near)


@pytest.mark.parametrize("words", [SHORT - 3, 3 * SHORT])
def test_thousands_of_texts_of_one_template_are_grouped_without_comparing_them_all(words: int):
    compared = Counter[str]()

    class Counted(frozenset[str]):
        def __and__(self, other: object) -> frozenset[str]:
            compared["pairs"] += 1
            return frozenset(self).intersection(other)  # type: ignore[arg-type]

    template = [f"word{n}" for n in range(words)]
    sets = [Counted([*template, f"number{i}"]) for i in range(3000)]
    groups = similar(sets)
    assert {groups.root(i) for i in range(len(sets))} == {0}
    assert compared["pairs"] <= 2 * len(sets)


@settings(max_examples=100, deadline=None)
@given(TEXTS, st.integers(0, 5))
def test_a_split_keeps_groups_on_one_side_and_is_repeatable(texts: list[str], seed: int):
    rows = [Row(text, "xy"[i % 2]) for i, text in enumerate(texts)]
    again = [Row(row.text, row.label) for row in rows]
    group = splits.groups(texts)
    splits.assign(rows, group, seed=seed)
    splits.assign(again, group, seed=seed)
    assert rows == again
    assert splits.leaks(rows, group) == []
    assert any(row.split == "train" for row in rows)


def test_a_split_is_stratified():
    rows = [Row(f"text number {i} {i * 7} {i * 31}", "abcd"[i % 4]) for i in range(400)]
    splits.assign(rows, list(range(400)))
    counted = Counter((row.split, row.label) for row in rows)
    for label in "abcd":
        assert counted["train", label] == 80
        assert counted["validation", label] == counted["test", label] == 10


def test_normalising_bridges_case_punctuation_and_unicode_forms():
    assert splits.normalise("  Ｈello,   WORLD!! ") == "hello world"
    assert splits.normalise("???") == "???"
