"""The better one of an earlier comparison: the side that won, or a question."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from graphs.understanding import ConversationState, Understanding
from graphs.understanding.parse_lines import FileNames
from graphs.understanding.parsed import ParsedPlan

After = Callable[[str, str], ParsedPlan]
SIDES = {"model": "ticket-router", "version": 3, "other_model": "ticket-router", "other_version": 4}


@pytest.fixture
def after(understanding: Understanding, names: FileNames) -> After:
    """What a sentence means once versions 3 and 4 were compared, and one of them was better."""

    def said(better: str, text: str) -> ParsedPlan:
        plan = understanding.parse("compare ticket-router v3 and v4", names)
        result: dict[str, Any] = {**SIDES, "better": better}
        state = ConversationState().after(plan).with_results(plan.steps[0], result).settled()
        for between in ("show the devices", text):
            plan = understanding.parse(between, names, state)
            state = state.after(plan)
        return plan

    return said


@pytest.mark.parametrize(("better", "version"), [("first", 3), ("second", 4)])
@pytest.mark.parametrize(
    ("text", "operation", "more"),
    [
        ("promote the better one to staging", "registry.promote", {"alias": "staging"}),
        ("deploy the winner to the kiosks", "deployment.start", {"group": "kiosks"}),
    ],
)
def test_it_is_the_side_that_won(
    after: After, better: str, version: int, text: str, operation: str, more: dict[str, Any]
) -> None:
    plan = after(better, text)
    (step,) = plan.steps
    assert step.operation == operation and step.condition is None
    assert step.arguments == {"model": "ticket-router", "version": version, **more}


def test_where_the_difference_may_be_chance_nothing_is_guessed(after: After) -> None:
    plan = after("neither", "promote the better one to staging")
    assert not plan.steps and plan.question is not None
    assert plan.question.operation == "registry.promote"


def test_before_the_result_is_known_the_version_is_asked_for(
    understanding: Understanding, names: FileNames
) -> None:
    plan = understanding.parse("compare ticket-router v3 and v4", names)
    state = ConversationState().after(plan)
    plan = understanding.parse("promote the better one to staging", names, state)
    assert plan.question is not None and plan.question.slot == "version"
    assert "ticket-router" in plan.question.text
