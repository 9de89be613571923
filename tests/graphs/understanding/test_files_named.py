"""Files, how their rows are split, and several files in one sentence."""

from __future__ import annotations

from typing import Any

import pytest

from graphs.understanding import Understanding
from graphs.understanding.conversation import ConversationState
from graphs.understanding.parse_lines import FileNames


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("add a.csv as gold, as a test set only", {"name": "gold", "splits": "test-only"}),
        ("add a.csv as gold as a test set", {"name": "gold", "splits": "test-only"}),
        ("add a.csv for judging only", {"splits": "test-only"}),
        ("use every row of a.csv for testing", {"splits": "test-only"}),
        ("add a.csv as gold, use every row for testing", {"name": "gold", "splits": "test-only"}),
        ("add a.csv as gold and hold out every row", {"name": "gold", "splits": "test-only"}),
        ("add a.csv as gold; it is only for judging", {"name": "gold", "splits": "test-only"}),
        ("add a.csv as gold and ignore the split column", {"name": "gold", "splits": "80-10-10"}),
        ("add a.csv split by the column fold", {"split_column": "fold"}),
        (
            "add a.csv as gold and split it by the column fold",
            {"name": "gold", "split_column": "fold"},
        ),
        ("add a.csv, the splits are in the column fold", {"split_column": "fold"}),
        (
            "add a.csv with b.csv as its test rows as mails",
            {"test_path": "b.csv", "name": "mails"},
        ),
        ("add a.csv as mails and b.csv as its test set", {"test_path": "b.csv", "name": "mails"}),
        ("add a.csv as mails; the test rows are in b.csv", {"test_path": "b.csv", "name": "mails"}),
        ("add a.csv as auto-claims", {"name": "auto-claims"}),
    ],
)
def test_how_rows_are_split_is_understood(
    understanding: Understanding, names: FileNames, said: str, arguments: dict[str, Any]
) -> None:
    (step,) = understanding.parse(said, names).steps
    assert (step.operation, step.arguments) == ("datasets.add", {"path": "a.csv", **arguments})


def test_how_rows_are_split_can_be_said_afterwards(
    understanding: Understanding, names: FileNames
) -> None:
    state = ConversationState()
    state = state.after(understanding.parse("add a.csv as gold", names, state))
    (step,) = understanding.parse("as a test set only", names, state).steps
    assert step.arguments == {"path": "a.csv", "name": "gold", "splits": "test-only"}


@pytest.mark.parametrize(
    ("said", "made"),
    [
        ("add a.csv, b.csv and c.csv", [("a.csv", None), ("b.csv", None), ("c.csv", None)]),
        ("add a.csv and b.csv as datasets", [("a.csv", None), ("b.csv", None)]),
        ("add a.csv as x and b.csv as y", [("a.csv", "x"), ("b.csv", "y")]),
        (
            "add a.csv as x, b.csv as y and c.csv as z",
            [("a.csv", "x"), ("b.csv", "y"), ("c.csv", "z")],
        ),
    ],
)
def test_each_of_several_files_is_a_dataset_of_its_own(
    understanding: Understanding, names: FileNames, said: str, made: list[tuple[str, str | None]]
) -> None:
    steps = understanding.parse(said, names).steps
    assert {step.operation for step in steps} == {"datasets.add"}
    assert [(s.arguments["path"], s.arguments.get("name")) for s in steps] == made


def test_what_is_said_of_several_files_holds_for_each(
    understanding: Understanding, names: FileNames
) -> None:
    said = "add a.csv and b.csv, skip the bad rows, for judging only"
    steps = understanding.parse(said, names).steps
    assert [s.arguments for s in steps] == [
        {"path": path, "skip_bad_rows": True, "splits": "test-only"} for path in ("a.csv", "b.csv")
    ]


@pytest.mark.parametrize(
    "said", ["add a.csv, b.csv and c.csv as mails", "add a.csv as mails and b.csv"]
)
def test_one_name_for_several_files_is_asked_about(
    understanding: Understanding, names: FileNames, said: str
) -> None:
    plan = understanding.parse(said, names)
    assert plan.steps == []
    assert plan.question is not None
    assert "'mails' can be the name of only one of these" in plan.question.text
    assert plan.question.candidates[0] == "a.csv"
    state = ConversationState().after(plan)
    (step,) = understanding.parse("b.csv", names, state).steps
    assert step.arguments == {"path": "b.csv", "name": "mails"}
    both = understanding.parse("add a.csv and b.csv", names, state).steps
    assert [s.arguments for s in both] == [{"path": "a.csv"}, {"path": "b.csv"}]
