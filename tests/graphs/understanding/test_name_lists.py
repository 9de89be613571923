"""Each of several new names makes a step of its own; none is dropped."""

from __future__ import annotations

import pytest

from graphs.understanding import Understanding
from graphs.understanding.conversation import ConversationState
from graphs.understanding.parse_lines import FileNames


@pytest.mark.parametrize(
    ("text", "names_made"),
    [
        ("enroll laptops l1, l2 and l3 in the group laptops", ["l1", "l2", "l3"]),
        ("enroll laptops called x-1 & x-2 in office", ["x-1", "x-2"]),
        ("enroll three laptops l7 l8 l9 in office", ["l7", "l8", "l9"]),
        ("add user alice and bob as viewers", ["alice", "bob"]),
        ("add user alice as operator and then list the users", ["alice"]),
    ],
)
def test_every_name_that_is_listed_is_made(
    understanding: Understanding, names: FileNames, text: str, names_made: list[str]
) -> None:
    steps = understanding.parse(text, names).steps
    made = [s for s in steps if s.operation in ("devices.enroll", "platform.add_user")]
    assert [s.arguments["name"] for s in made] == names_made


def test_a_group_may_be_called_like_the_devices_in_it(
    understanding: Understanding, names: FileNames
) -> None:
    (step,) = understanding.parse("enroll a laptop called l1 in the group laptops", names).steps
    assert step.arguments == {"name": "l1", "group": "laptops", "profile": "laptop"}


def test_one_more_device_is_no_answer_to_the_question_for_a_group(
    understanding: Understanding, names: FileNames
) -> None:
    state = ConversationState()
    asked = understanding.parse("enroll a laptop called l1", names, state)
    assert asked.question is not None and asked.question.slot == "group"
    plan = understanding.parse("and l2 too", names, state.after(asked))
    assert all(step.arguments.get("group") != "l2" for step in plan.steps)
