"""What is ruled out, taken back or not known yet is never done."""

from __future__ import annotations

import pytest

from graphs.understanding import Understanding
from graphs.understanding.parse_lines import FileNames


@pytest.mark.parametrize(
    "text",
    [
        "we are not going to archive ticket-router v3",
        "i am not going to roll back the kiosks today",
        "we won't deploy v3 of ticket-router to the kiosks",
        "archive ticket-router v3, forget i asked",
        "roll back the kiosks; never mind that",
    ],
)
def test_what_is_ruled_out_or_taken_back_has_no_steps(
    understanding: Understanding, names: FileNames, text: str
) -> None:
    plan = understanding.parse(text, names)
    assert plan.steps == [] and plan.question is None


def test_which_is_better_is_asked_where_it_is_not_known_which_are_meant(
    understanding: Understanding, names: FileNames
) -> None:
    text = "test 3 and 4 of ticket-router on tickets, canary the better of the two on the kiosks"
    plan = understanding.parse(text, names)
    assert plan.question is not None and plan.question.slot == "version" and not plan.steps


@pytest.mark.parametrize(
    "text",
    [
        "evaluate ticket-router v3 and v4 on tickets and deploy the better one to the kiosks",
        "evaluate mail-triage v1 and v2 on tickets and promote the winner to champion",
    ],
)
def test_which_is_better_is_compared_and_never_guessed(
    understanding: Understanding, names: FileNames, text: str
) -> None:
    steps = understanding.parse(text, names).steps
    assert [s.operation for s in steps[:3]] == [*["evaluation.run"] * 2, "evaluation.compare"]
    assert len({act.arguments["version"] for act in steps[3:]}) == 2
    for act in steps[3:]:
        first = act.arguments["version"] == steps[2].arguments["version"]
        assert act.condition is not None and act.condition.left.step == "s3"
        assert act.condition.op == (">" if first else "<")


def test_an_order_that_ends_in_stop_is_still_an_order(
    understanding: Understanding, names: FileNames
) -> None:
    plan = understanding.parse("train on tickets, then evaluate it and stop", names)
    assert [s.operation for s in plan.steps] == ["training.start", "evaluation.run"]
