"""What is said of a rollout's course is read: steps, times, filters, freezes, whom it is about."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from graphs.understanding.clause import Clause
from graphs.understanding.link import Linker
from graphs.understanding.parse_lines import FileNames
from graphs.understanding.read_rollouts import details, steps
from graphs.understanding.reading import Reading
from graphs.understanding.segment import Segmenter
from graphs.understanding.text import tokenise
from tools.catalog import load_operations

OPERATIONS = load_operations()


def read(sentence: str, operation: str = "deployment.start", **known: Any) -> dict[str, Any]:
    """The arguments that the readers of rollouts find in one clause."""
    scope: Any = SimpleNamespace(
        steps=[],
        conversation=None,
        operations=OPERATIONS,
        answers={},
        names=FileNames({}),
        linker=Linker(),
    )
    reading = Reading(OPERATIONS.get(operation), Clause(tokenise(sentence)), scope)
    reading.out.arguments.update(known)
    if "steps" in reading.fields:
        steps(reading)
    details(reading)
    return {k: v for k, v in reading.out.arguments.items() if k not in known}


@pytest.mark.parametrize(
    ("sentence", "found"),
    [
        ("canary it at 5, 25 then 100 percent, ten minutes each",
         {"steps": [5, 25, 100], "minutes": 10}),
        ("canary it at 5,25,100 percent", {"steps": [5, 25, 100]}),
        ("canary it at five percent, fifty percent and then a hundred", {"steps": [5, 50, 100]}),
        ("roll it out in steps", {"steps": [1, 10, 50, 100]}),
        ("roll it out 10 -> 50 -> 100 %, 90 seconds per step",
         {"steps": [10, 50, 100], "minutes": 1.5}),
        ("canary at 20 percent, 30 minutes each", {"minutes": 30}),
        ("with at least 6 GB on Wi-Fi", {"min_memory_gb": 6, "network": "wifi"}),
        ("only those with 1.5 gb ram over ethernet", {"min_memory_gb": 1.5, "network": "ethernet"}),
        ("between 22:00 and 6:30, at most 20 devices a minute",
         {"window": "22:00-06:30", "per_minute": 20}),
        ("needing at least 200 answers per step", {"sample": 200}),
        ("canary it to 5 percent, then 50, then everyone", {"steps": [5, 50, 100]}),
        ("split it 50/50", {}),
        ("deploy it to all of them", {}),
    ],
)  # fmt: skip
def test_a_course_is_read(sentence: str, found: dict[str, Any]) -> None:
    assert read(sentence) == found


def test_a_class_of_device_beside_a_group_narrows_it() -> None:
    said = "roll it back on the phones only"
    assert read(said, "deployment.rollback", group="kiosks") == {"profile": "phone"}
    assert read(said, "deployment.rollback") == {}


def test_a_freeze_has_an_end_and_a_reason() -> None:
    found = read("declare a change freeze until friday 18:00 because of the audit",
                 "deployment.freeze")  # fmt: skip
    assert found == {"until": "friday 18:00", "reason": "the audit"}


def test_an_outcome_has_a_key_and_may_be_bad() -> None:
    found = read("record that key user-7 ended badly", "deployment.record_outcome")
    assert found == {"key": "user-7", "success": False}
    found = read("record a failure of v2 for key t-8 on the phones", "deployment.record_outcome")
    assert found == {"key": "t-8", "success": False, "version": 2}


@pytest.mark.parametrize(
    "said",
    [
        "5, 25 then 100 percent",
        "5 %, then 50 %, then everyone",
        "10% for an hour then everyone",
        "5 percent for 2 hours, then all of it",
        "5 percent for 2 hours and then all of it",
    ],
)
def test_then_between_shares_begins_no_further_act(said: str) -> None:
    cut = Segmenter(frozenset(["canary"])).clauses(tokenise(f"canary it at {said}"))
    assert len(cut) == 1


@pytest.mark.parametrize(
    ("said", "minutes"),
    [
        ("canary ticket-router v2 on the phones, 10% for an hour then everyone", 60),
        ("canary it on the phones at 10 percent for 30 minutes, then the rest", 30),
        ("canary it on the phones at 10 percent for 2 hours and then all of it", 120),
    ],
)
def test_a_share_that_is_held_for_a_while_is_the_first_of_the_steps(
    said: str, minutes: int
) -> None:
    found = read(said, "deployment.start")
    assert (found["steps"], found["minutes"]) == ([10, 100], minutes)
