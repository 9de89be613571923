"""What is told in the other branch is there in that branch."""

from __future__ import annotations

from graphs.understanding import Understanding
from graphs.understanding.parse_lines import FileNames


def test_where_nothing_is_registered_the_training_is_told_of(
    understanding: Understanding, names: FileNames
) -> None:
    text = "train on tickets; if accuracy is above 0.9 register it, otherwise tell me why"
    trained, measured, registered, told = understanding.parse(text, names).steps
    assert registered.operation == "registry.register"
    assert (told.operation, told.arguments) == (
        "training.status",
        {"job": {"step": trained.id, "field": "job"}},
    )
    assert told.depends_on == [trained.id, measured.id]
    assert told.condition is not None and told.condition.otherwise


def test_what_was_registered_before_is_told_of_in_either_branch(
    understanding: Understanding, names: FileNames
) -> None:
    text = (
        "train on tickets, register it, compare it with the champion of ticket-router and if it "
        "wins deploy it to the kiosks, otherwise tell me why"
    )
    *_, told = understanding.parse(text, names).steps
    assert told.operation == "evaluation.results"
