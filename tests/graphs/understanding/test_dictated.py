"""What a person dictates stands in the argument, word for word."""

from __future__ import annotations

import pytest

from graphs.understanding import Understanding
from graphs.understanding.parse_lines import FileNames


@pytest.mark.parametrize(
    ("text", "decision"),
    [
        ("conclude experiment 1: keep v1", "keep v1"),
        ("conclude experiment 1 with: we keep v1", "we keep v1"),
        ("conclude experiment 1 with the decision to keep v1", "keep v1"),
        ("conclude experiment 1, decision: keep v1, please", "keep v1"),
        ('conclude experiment 1 with "we keep v1, it is quicker"', "we keep v1, it is quicker"),
        ("conclude experiment 1 because v2 is slower", "because v2 is slower"),
    ],
)
def test_a_dictated_decision_reaches_the_record(
    understanding: Understanding, names: FileNames, text: str, decision: str
) -> None:
    (step,) = understanding.parse(text, names).steps
    assert step.operation == "evaluation.conclude_experiment"
    assert step.arguments == {"experiment": 1, "decision": decision}


def test_a_quotation_that_cannot_be_read_whole_is_asked_for(
    understanding: Understanding, names: FileNames
) -> None:
    parsed = understanding.parse('conclude experiment 1 with "keep v1; v2 is slower"', names)
    assert parsed.question is not None and parsed.steps == []


@pytest.mark.parametrize("text", ["conclude experiment 1", "end experiment 1, please"])
def test_without_dictation_the_finding_is_the_decision(
    understanding: Understanding, names: FileNames, text: str
) -> None:
    (step,) = understanding.parse(text, names).steps
    assert step.arguments == {"experiment": 1}


def test_acts_after_a_conclusion_are_no_part_of_its_decision(
    understanding: Understanding, names: FileNames
) -> None:
    said = "conclude experiment 2, then promote mail-triage v2 to champion"
    first, second = understanding.parse(said, names).steps
    assert first.arguments == {"experiment": 2}
    assert second.operation == "registry.promote"
