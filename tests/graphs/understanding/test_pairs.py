"""A comparison of "the two" is about both of what was made before, never about the last alone."""

from __future__ import annotations

from typing import Any

import pytest

from graphs.plan import Step
from graphs.understanding import Understanding
from graphs.understanding.parse_lines import FileNames


@pytest.mark.parametrize(
    "text",
    [
        "train minilm on tickets and on complaints-q2, then compare the two",
        "train it on tickets, then on complaints-q2, then compare them",
        "train one model on tickets and one on complaints-q2 and compare the results",
        "fine-tune on tickets and on complaints-q2, afterwards put both head to head",
        "retrain on tickets and on complaints-q2. compare them.",
        "train on tickets, then on complaints-q2, then see which is better",
        "train on tickets and on complaints-q2 then pit them against each other",
        "train on tickets with lora and on complaints-q2 with lora, then compare the pair",
    ],
)
def test_two_trainings_are_compared_with_each_other(
    understanding: Understanding, names: FileNames, text: str
) -> None:
    steps = understanding.parse(text, names).steps
    trained = [s.id for s in steps if s.operation == "training.start"]
    made = [s for s in steps if s.operation == "registry.register"]
    assert [s.arguments["job"]["step"] for s in made] == trained
    first, second = (s.id for s in made)
    assert _compared(steps) == [
        {
            "model": {"step": first, "field": "model"},
            "version": {"step": first, "field": "version"},
            "other_model": {"step": second, "field": "model"},
            "other_version": {"step": second, "field": "version"},
        }
    ]


@pytest.mark.parametrize(
    "text",
    [
        "evaluate ticket-router v2 on tickets, then v3, then compare them",
        "evaluate v2 of ticket-router on tickets and v3 too, then compare the two",
        "test ticket-router v2 and v3 on tickets and then compare both",
        "score ticket-router v2 on tickets, next version 3, then compare the two versions",
    ],
)
def test_two_measured_versions_are_compared_on_what_measured_them(
    understanding: Understanding, names: FileNames, text: str
) -> None:
    steps = understanding.parse(text, names).steps
    assert _compared(steps) == [
        {"model": "ticket-router", "version": 2, "other_version": 3, "dataset": "tickets"}
    ]


def test_three_are_compared_two_by_two(understanding: Understanding, names: FileNames) -> None:
    text = "evaluate ticket-router v1, v2 and v3 on tickets, then compare all three"
    sides = _compared(understanding.parse(text, names).steps)
    assert [(s["version"], s["other_version"]) for s in sides] == [(1, 2), (1, 3), (2, 3)]


def test_each_of_both_is_compared_with_what_is_named(
    understanding: Understanding, names: FileNames
) -> None:
    text = "train on tickets and on complaints-q2, compare both with the champion of ticket-router"
    sides = _compared(understanding.parse(text, names).steps)
    assert [s["version"]["step"] for s in sides] == ["s3", "s4"]
    assert all((s["other_model"], s["other_version"]) == ("ticket-router", 2) for s in sides)


@pytest.mark.parametrize(
    "text",
    [
        "train on tickets and on complaints-q2, compare them and promote the winner to champion",
        "train on tickets, then on complaints-q2, compare both and deploy the better one to the "
        "kiosks",
        "train on tickets and on complaints-q2, deploy the better one to the kiosks",
        "train on tickets and on complaints-q2, evaluate both, promote the best one to champion",
    ],
)
def test_the_winner_of_two_trainings_is_acted_on_only_where_it_wins(
    understanding: Understanding, names: FileNames, text: str
) -> None:
    steps = understanding.parse(text, names).steps
    acts = [s for s in steps if s.operation in ("registry.promote", "deployment.start")]
    assert [s.condition.op for s in acts if s.condition] == [">", "<"]
    assert len({s.arguments["version"]["step"] for s in acts}) == len(acts)


@pytest.mark.parametrize(
    "text",
    [
        "train on tickets, on complaints-q2 and on invoices-2026, compare them and promote the "
        "best one to champion",
        "train on tickets, then v3, then compare them",
    ],
)
def test_what_nothing_decides_between_several_is_not_planned(
    understanding: Understanding, names: FileNames, text: str
) -> None:
    plan = understanding.parse(text, names)
    assert plan.steps == [] and (plan.abstained or plan.question is not None)


def test_both_are_evaluated_each_by_itself(understanding: Understanding, names: FileNames) -> None:
    text = "train on tickets and on complaints-q2, then evaluate both on invoices-2026"
    measured = [
        s for s in understanding.parse(text, names).steps if s.operation != "training.start"
    ]
    assert [
        (s.operation, s.arguments["job"]["step"], s.arguments["dataset"]) for s in measured
    ] == [
        ("evaluation.run", "s1", "invoices-2026"),
        ("evaluation.run", "s2", "invoices-2026"),
    ]


def _compared(steps: list[Step]) -> list[dict[str, Any]]:
    return [s.arguments for s in steps if s.operation == "evaluation.compare"]
