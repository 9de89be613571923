"""A device tells how inputs look only where it was asked to, and never what they say."""

from __future__ import annotations

import json
import subprocess
import sys

from edge.counters import Counters
from edge.inputs import CLASSES, EDGES, InputCounts
from edge.runtime import Prediction
from edge.wire import Assignment

BUNDLE = Assignment("a" * 64, "router", 1, 100)


def _traffic(inputs: bool, texts: list[str]) -> dict[str, object]:
    counters = Counters(inputs)
    counters.answered(BUNDLE, [Prediction("login", 0.9)] * len(texts), 1.0)
    counters.asked(BUNDLE, texts)
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


def test_no_word_of_an_input_stands_in_what_is_told() -> None:
    told = json.dumps(_traffic(True, ["hunter2 zanzibar", "Hunter2"]))
    assert "hunter2" not in told.lower() and "zanzibar" not in told


def test_devices_and_platform_put_a_word_into_the_same_class() -> None:
    code = "from edge.inputs import InputCounts; print(InputCounts.of(['reset my badge']).told())"
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
    assert found == {f"{InputCounts.of(['reset my badge']).told()}\n"}
