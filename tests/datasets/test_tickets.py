"""The bundled tickets are what their README says."""

from __future__ import annotations

import json
from collections import Counter

from tools.datasets import splits
from tools.datasets.builtin import BUNDLED

FOLDER = BUNDLED[0].folder


def tickets() -> list[tuple[str, str, str]]:
    return [
        (split, row["text"], row["label"])
        for split in ("train", "validation", "test")
        for row in map(json.loads, (FOLDER / f"{split}.jsonl").read_text().splitlines())
    ]


def test_there_are_enough_in_eight_classes_and_the_split_is_stratified():
    rows = tickets()
    assert len(rows) >= 900
    by_split = Counter(split for split, _, _ in rows)
    shares = {split: count / len(rows) for split, count in by_split.items()}
    assert abs(shares["train"] - 0.7) < 0.02
    assert abs(shares["validation"] - 0.1) < 0.02
    assert abs(shares["test"] - 0.2) < 0.02
    classes = Counter(label for _, _, label in rows)
    assert len(classes) == 8
    for label, count in classes.items():
        for split, share in shares.items():
            found = sum(r[0] == split and r[2] == label for r in rows)
            assert abs(found - count * share) <= 2


def test_no_near_duplicates_at_all_so_none_across_splits():
    rows = tickets()
    assert len(set(splits.groups([text for _, text, _ in rows]))) == len(rows)


def test_they_vary_in_length_and_are_called_synthetic():
    lengths = sorted(len(text) for _, text, _ in tickets())
    assert lengths[len(lengths) // 20] < 60
    assert lengths[-len(lengths) // 20] > 250
    readme = (FOLDER / "README.md").read_text()
    assert "synthetic" in readme
    assert str(len(lengths)) in readme
