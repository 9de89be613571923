"""A device tells how inputs look only where it was asked to, and never what they say."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter

import numpy as np

from edge.counters import Counters
from edge.inputs import CLASSES, EDGES, PLACES, InputCounts
from edge.places import places, projected
from edge.runtime import Prediction
from edge.wire import Assignment

BUNDLE = Assignment("a" * 64, "router", 1, 100)


def _traffic(inputs: bool, texts: list[str]) -> dict[str, object]:
    counters = Counters(inputs)
    found = [Prediction("login", 0.9, place=place % PLACES) for place, _ in enumerate(texts)]
    counters.answered(BUNDLE, found, 1.0)
    counters.asked(BUNDLE, texts, found)
    (told,) = counters.traffic()
    return told


def test_nothing_is_told_of_inputs_unless_it_was_asked_for() -> None:
    assert "inputs" not in _traffic(False, ["my password is hunter2"])
    assert "inputs" in _traffic(True, ["my password is hunter2"])


def test_each_text_counts_once_by_its_length_and_once_by_a_word() -> None:
    texts = ["help", "one two three", " ".join(["word"] * 300), ""]
    told = InputCounts.of(texts).told()
    assert len(told["lengths"]) == len(EDGES) + 1 and len(told["words"]) == CLASSES
    assert told["lengths"] == [2, 1, 0, 0, 0, 0, 0, 0, 1]
    assert sum(told["words"]) == 3  # an empty text has no word


def test_each_text_counts_once_where_its_embedding_lies() -> None:
    told = _traffic(True, ["one", "two", "three"])["inputs"]
    assert isinstance(told, dict) and told["places"] == [1, 1, 1] + [0] * (PLACES - 3)


def test_where_a_text_lies_rests_on_what_its_embedding_has_of_its_own() -> None:
    rng = np.random.default_rng(31)
    common = 5 * rng.normal(size=384)
    found = projected(common + rng.normal(size=(400, 384)))
    crowded = Counter(places(found, [0.0] * PLACES))
    spread = Counter(places(found, found.mean(axis=0).tolist()))
    assert crowded.most_common(1)[0][1] > 200  # what all have in common decides
    assert len(spread) == PLACES and spread.most_common(1)[0][1] < 60
    doubled = projected(2 * (common + rng.normal(size=(5, 384))))
    assert doubled.shape == (5, PLACES) and np.abs(doubled).max() <= 1


def test_no_word_of_an_input_stands_in_what_is_told() -> None:
    told = json.dumps(_traffic(True, ["hunter2 zanzibar", "Hunter2"]))
    assert "hunter2" not in told.lower() and "zanzibar" not in told


def test_devices_and_platform_put_texts_into_the_same_classes() -> None:
    code = (
        "from edge.inputs import InputCounts; import numpy; from edge.places import projected; "
        "print(InputCounts.of(['reset my badge']).told(), end=' '); "
        "print(projected(numpy.eye(3)).round(4).tolist())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed},
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    told = InputCounts.of(["reset my badge"]).told()
    assert found == {f"{told} {projected(np.eye(3)).round(4).tolist()}\n"}
