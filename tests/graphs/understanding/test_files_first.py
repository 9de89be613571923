"""A file can be trained and measured on in one sentence: it is added first."""

from __future__ import annotations

from typing import Any

import pytest

from graphs.understanding import Understanding
from graphs.understanding.parse_lines import FileNames

ROWS = {"step": "s1", "field": "name"}


@pytest.mark.parametrize(
    ("said", "operation", "more"),
    [
        ("train on ./data/june.csv", "training.start", {}),
        ("can you fine-tune on june.jsonl with rank 8 please", "training.start", {"rank": 8}),
        (
            "evaluate ticket-router v3 on the file held.parquet",
            "evaluation.run",
            {"model": "ticket-router", "version": 3},
        ),
        ("tune on june.tsv, 10 trials", "training.tune", {"trials": 10}),
    ],
)
def test_the_file_becomes_a_dataset_that_the_act_takes(
    understanding: Understanding, names: FileNames, said: str, operation: str, more: dict[str, Any]
) -> None:
    plan = understanding.parse(said, names)
    assert [s.operation for s in plan.steps] == ["datasets.add", operation]
    assert plan.steps[1].arguments == {"dataset": ROWS, **more}
    assert plan.steps[1].depends_on == ["s1"]


def test_only_the_act_that_is_beside_the_file_takes_it(
    understanding: Understanding, names: FileNames
) -> None:
    plan = understanding.parse("train on tickets and evaluate on held.csv", names)
    trained, added, measured = plan.steps
    assert trained.arguments == {"dataset": "tickets"} and added.arguments == {"path": "held.csv"}
    assert measured.arguments == {
        "job": {"step": "s1", "field": "job"},
        "dataset": {"step": "s2", "field": "name"},
    }


@pytest.mark.parametrize(
    "said",
    ["please dont train on a.csv", "don't train on a.csv", "should i train on a.csv?"],
)
def test_what_is_not_ordered_adds_nothing(
    understanding: Understanding, names: FileNames, said: str
) -> None:
    assert not understanding.parse(said, names).steps


def test_a_file_that_is_added_anyway_is_added_once(
    understanding: Understanding, names: FileNames
) -> None:
    plan = understanding.parse("load a.csv as x and train on it", names)
    assert [s.operation for s in plan.steps] == ["datasets.add", "training.start"]
