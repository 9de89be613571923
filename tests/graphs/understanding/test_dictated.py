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
        ("conclude experiment 1, reason: v2 is slower", "v2 is slower"),
        ("conclude experiment 1 and write down that v2 is slower", "v2 is slower"),
        ("close experiment 1, and note: v2 is better but slower", "v2 is better but slower"),
    ],
)
def test_a_dictated_decision_reaches_the_record(
    understanding: Understanding, names: FileNames, text: str, decision: str
) -> None:
    (step,) = understanding.parse(text, names).steps
    assert step.operation == "evaluation.conclude_experiment"
    assert step.arguments == {"experiment": 1, "decision": decision}


@pytest.mark.parametrize(
    "decision", ["keep v1; v2 is slower", "keep v1. v2 is slower", "keep v1 and promote v2"]
)
def test_a_quotation_is_the_decision_word_for_word(
    understanding: Understanding, names: FileNames, decision: str
) -> None:
    (step,) = understanding.parse(f'conclude experiment 1 with "{decision}"', names).steps
    assert step.arguments == {"experiment": 1, "decision": decision}


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
