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


@pytest.mark.parametrize(
    "text",
    [
        "evaluate ticket-router v3 and v4 on tickets and deploy the better one to the kiosks",
        "test 3 and 4 of ticket-router on tickets, canary the better of the two on the kiosks",
        "evaluate mail-triage v1 and v2 on tickets and promote the winner to champion",
    ],
)
def test_which_is_better_is_asked_and_never_guessed(
    understanding: Understanding, names: FileNames, text: str
) -> None:
    plan = understanding.parse(text, names)
    assert plan.question is not None and plan.question.slot == "version"
    dangerous = {"deployment.start", "registry.promote"}
    assert not dangerous & {step.operation for step in plan.steps}


def test_an_order_that_ends_in_stop_is_still_an_order(
    understanding: Understanding, names: FileNames
) -> None:
    plan = understanding.parse("train on tickets, then evaluate it and stop", names)
    assert [s.operation for s in plan.steps] == ["training.start", "evaluation.run"]
