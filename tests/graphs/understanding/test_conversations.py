"""Whole conversations: what was said and what was done before decides what a sentence means."""

from __future__ import annotations

from typing import Any

import pytest

from graphs.understanding import ConversationState, Understanding
from graphs.understanding.parse_lines import FileNames, parse_turns


def steps(plan: Any) -> list[tuple[str, dict[str, Any]]]:
    return [(step.operation, step.arguments) for step in plan.steps]


def test_the_demonstration_is_planned_from_real_results(
    understanding: Understanding, names: FileNames
) -> None:
    state = ConversationState()

    plan = understanding.parse(
        "train a ticket router on the bundled tickets, then evaluate it on the held-out split",
        names,
        state,
    )
    assert steps(plan) == [
        ("training.start", {"dataset": "tickets", "name": "ticket-router"}),
        ("evaluation.run", {"job": {"step": "s1", "field": "job"}, "split": "test"}),
    ]
    assert plan.steps[1].depends_on == ["s1"]
    state = state.after(plan)
    state = state.with_results(plan.steps[0], {"job": 1, "model_name": "ticket-router"})
    state = state.with_results(plan.steps[1], {"job": 1, "model": "ticket-router", "version": None})

    plan = understanding.parse("register it and make it the challenger", names, state)
    assert steps(plan) == [
        ("registry.register", {"job": 1}),
        (
            "registry.promote",
            {
                "model": {"step": "s1", "field": "model"},
                "version": {"step": "s1", "field": "version"},
                "alias": "challenger",
            },
        ),
    ]
    state = state.after(plan)
    state = state.with_results(plan.steps[0], {"model": "ticket-router", "version": 5})
    state = state.with_results(
        plan.steps[1], {"model": "ticket-router", "version": 5, "alias": "challenger"}
    )

    plan = understanding.parse("roll it out to the thinkpads as a canary", names, state)
    assert steps(plan) == [
        (
            "deployment.start",
            {"model": "ticket-router", "version": 5, "group": "thinkpads", "strategy": "canary"},
        )
    ]
    state = state.after(plan)
    state = state.with_results(
        plan.steps[0],
        {"rollout": 1, "model": "ticket-router", "version": 5, "group": "thinkpads", "job": 2},
    )

    plan = understanding.parse("roll it back", names, state)
    assert steps(plan) == [("deployment.rollback", {"group": "thinkpads"})]
    state = state.after(plan)

    question = "what does the runbook say about rolling back a model?"
    assert steps(understanding.parse(question, names, state)) == [
        ("knowledge.ask", {"question": question})
    ]
    plan = understanding.parse("write a one-page summary for the board", names, state)
    assert steps(plan) == [("reporting.summary", {"audience": "board"})]


@pytest.mark.parametrize(
    ("sentence", "audiences"),
    [
        ("write a summary for engineering and one for the board", ["engineering", "board"]),
        ("write a summary for the board and another for legal", ["board", "legal"]),
        ("summaries for legal and the board", ["legal", "board"]),
        (
            "write a summary for legal, one for finance and one for engineering",
            ["legal", "finance", "engineering"],
        ),
    ],
)
def test_each_audience_gets_a_summary_in_the_order_said(
    understanding: Understanding, names: FileNames, sentence: str, audiences: list[str]
) -> None:
    plan = understanding.parse(sentence, names)
    assert steps(plan) == [("reporting.summary", {"audience": a}) for a in audiences]


def test_a_question_survives_a_change_of_subject(
    understanding: Understanding, names: FileNames
) -> None:
    turns = ["deploy ticket-router v3", "which datasets are there?", "to the kiosks"]
    assert steps(parse_turns(turns, understanding, names)) == [
        ("deployment.start", {"model": "ticket-router", "version": 3, "group": "kiosks"})
    ]


def test_two_missing_things_are_asked_one_after_the_other(
    understanding: Understanding, names: FileNames
) -> None:
    first = parse_turns(["deploy ticket-router"], understanding, names)
    second = parse_turns(["deploy ticket-router", "version 3"], understanding, names)
    third = parse_turns(["deploy ticket-router", "version 3", "the kiosks"], understanding, names)
    assert first.question and first.question.slot == "version" and not first.steps
    assert second.question and second.question.slot == "group" and not second.steps
    assert steps(third) == [
        ("deployment.start", {"model": "ticket-router", "version": 3, "group": "kiosks"})
    ]


def test_yes_repeats_the_very_plan_that_waits(
    understanding: Understanding, names: FileNames
) -> None:
    state = ConversationState()
    plan = understanding.parse("pause the rollout on the kiosks", names, state)
    again = understanding.parse("yes please", names, state.after(plan))
    assert again.id == plan.id and steps(again) == steps(plan)


@pytest.mark.parametrize("word", ["yes", "no", "cancel", "ok"])
def test_yes_and_no_mean_nothing_when_nothing_waits(
    understanding: Understanding, names: FileNames, word: str
) -> None:
    plan = understanding.parse(word, names)
    assert not plan.steps and plan.question is None and plan.reply


def test_no_drops_what_waits(understanding: Understanding, names: FileNames) -> None:
    state = ConversationState()
    state = state.after(understanding.parse("pause the rollout on the kiosks", names, state))
    dropped = understanding.parse("no", names, state)
    assert not dropped.steps
    assert state.after(dropped).proposed is None


def test_state_survives_json(understanding: Understanding, names: FileNames) -> None:
    state = ConversationState()
    state = state.after(understanding.parse("deploy ticket-router", names, state))
    back = ConversationState.model_validate_json(state.model_dump_json())
    plan = understanding.parse("v3", names, back)
    assert plan.question and plan.question.slot == "group"
    state = back.after(plan)
    back = ConversationState.model_validate_json(state.model_dump_json())
    assert steps(understanding.parse("kiosks", names, back)) == [
        ("deployment.start", {"model": "ticket-router", "version": 3, "group": "kiosks"})
    ]


def test_it_is_never_guessed_without_something_to_point_at(
    understanding: Understanding, names: FileNames
) -> None:
    for sentence in ("deploy it to the kiosks", "roll it back", "archive it"):
        plan = understanding.parse(sentence, names)
        assert not plan.steps, sentence


def test_the_newest_version_is_not_version_one(
    understanding: Understanding, names: FileNames
) -> None:
    for answer, version in (("the newest one please", 4), ("the third one", 3), ("three", 3)):
        (step,) = parse_turns(
            ["deploy ticket-router to kiosks", answer], understanding, names
        ).steps
        assert step.arguments["version"] == version, answer


def said(understanding: Understanding, names: FileNames, *turns: str) -> Any:
    """The plan of the last turn, the ones before taken as said and planned."""
    return parse_turns(list(turns), understanding, names)


def test_giving_an_alias_is_a_wish_of_its_own_and_repeats_nothing(
    understanding: Understanding, names: FileNames
) -> None:
    plan = said(
        understanding,
        names,
        "train a mail sorter on chat-turns, then evaluate it, then register it",
        "make it the challenger",
    )
    assert [step.operation for step in plan.steps] == ["registry.promote"]
    assert plan.steps[0].arguments["alias"] == "challenger"


def test_a_correction_of_an_alias_keeps_the_version(
    understanding: Understanding, names: FileNames
) -> None:
    plan = said(
        understanding, names, "promote mail-triage v2 to challenger", "no, make it the champion"
    )
    assert steps(plan) == [
        ("registry.promote", {"alias": "champion", "model": "mail-triage", "version": 2})
    ]


def test_making_it_another_version_still_corrects_the_plan(
    understanding: Understanding, names: FileNames
) -> None:
    plan = said(understanding, names, "deploy mail-triage v2 to the kiosks", "make it v3")
    assert [step.operation for step in plan.steps] == ["deployment.start"]
    assert plan.steps[0].arguments["version"] == 3
