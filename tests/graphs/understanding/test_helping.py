"""What can be asked for, of some things, is answered by help on them and lists none of them."""

from __future__ import annotations

import pytest

from graphs.understanding import Understanding
from graphs.understanding.parse_lines import FileNames


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("what can you do with devices?", "devices"),
        ("what can we do with datasets", "datasets"),
        ("what can you do for models?", "models"),
        ("what could you do about schedules please", "schedules"),
        ("tell me what you can do with trainings", "trainings"),
        ("what is possible with rollouts?", "rollouts"),
        ("which things can you do with documents", "documents"),
        ("hey, what can be done with reports", "reports"),
        ("what operations are there for evaluations", "evaluations"),
    ],
)
def test_help_is_given_on_the_things_that_are_named(
    understanding: Understanding, names: FileNames, text: str, topic: str
) -> None:
    (step,) = understanding.parse(text, names).steps
    assert (step.operation, step.arguments) == ("platform.help", {"topic": topic})


@pytest.mark.parametrize(
    "text", ["what can you do?", "what can you do for me", "what can i do here"]
)
def test_help_on_nothing_in_particular_is_an_overview(
    understanding: Understanding, names: FileNames, text: str
) -> None:
    (step,) = understanding.parse(text, names).steps
    assert (step.operation, step.arguments) == ("platform.help", {})


@pytest.mark.parametrize(
    ("text", "operation"),
    [
        ("which datasets do we have?", "datasets.list"),
        ("what can you tell me about the kiosks", "devices.list"),
    ],
)
def test_questions_about_the_things_themselves_are_no_calls_for_help(
    understanding: Understanding, names: FileNames, text: str, operation: str
) -> None:
    assert [s.operation for s in understanding.parse(text, names).steps] == [operation]
