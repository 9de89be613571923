"""An act never loses what it hangs on, nor an amount that was said with it."""

from __future__ import annotations

import pytest

from evals.parse_eval import Outcome
from graphs.understanding import Understanding
from graphs.understanding.parse_lines import FileNames, parse_turns
from tools.kernel.operations import Effect

_ACTS = ("registry.promote", "registry.archive", "deployment.start", "deployment.rollback")


@pytest.mark.parametrize(
    "said",
    [
        "promote ticket-router v2 to champion after mia approves",
        "archive ticket-router v1 at the end of the month",
        "roll the thinkpads back once the boss confirms",
        "retire tp-01 by the end of the week",
        "cancel job 7 and restart it with half the learning rate",
        "roll the thinkpads back and reboot them",
    ],
)
def test_an_act_that_is_to_wait_or_to_be_followed_by_another_is_not_done_without(
    understanding: Understanding, names: FileNames, said: str
) -> None:
    plan = understanding.parse(said, names)
    assert not plan.steps


@pytest.mark.parametrize(
    "said",
    [
        "roll the thinkpads back to v1",
        "put the thinkpads back on v2",
        "roll back the thinkpads to version 1",
        "roll the thinkpads back to ticket-router v1",
    ],
)
def test_a_rollback_to_a_certain_version_is_no_rollback_to_whatever_was_before(
    understanding: Understanding, names: FileNames, said: str
) -> None:
    plan = understanding.parse(said, names)
    assert plan.abstained and not plan.steps


@pytest.mark.parametrize(
    "text",
    [
        "compare ticket-router 4 with 3 on tickets. 4 better by 1.5 points? promote it to champion",
        "check whether ticket-router 4 beats 3 on tickets, then promote it to champion",
        "is ticket-router 4 better than 3 on tickets? then promote it to champion",
        "compare ticket-router 4 with 3 on tickets, 4 better -> promote it to champion",
        "evaluate ticket-router 4 on tickets. above 85%? promote it to champion",
        "evaluate ticket-router 4 on tickets and archive it should it fall below 80 percent",
        "are the kiosks healthy? deploy ticket-router 4 there",
        "if ticket-router 4 beats 3 on tickets, promote it to champion and deploy it to the kiosks",
        "compare ticket-router 4 with 2 on tickets and deploy the better one to the kiosks",
    ],
)
def test_an_act_is_planned_with_what_it_hangs_on(
    understanding: Understanding, names: FileNames, text: str
) -> None:
    steps = understanding.parse(text, names).steps
    acts = [step for step in steps if step.operation in _ACTS]
    assert acts and all(step.condition is not None for step in acts)


@pytest.mark.parametrize(
    "text",
    [
        "deploy ticket-router v4 to the kiosks unless someone objects",
        "compare ticket-router 4 with tickets-tagger, the winner becomes champion",
        "roll back the kiosks in the event that it rains",
        "roll back the kiosks, otherwise tell nadia",
        "rotate the signing key, 17 somethings",
        "rotate the key of the kiosks",
        "deploy the better of ticket-router 3 and 4 to the kiosks",
        "train on tickets, 77",
        "roll back the kiosks, sorry, the moon-phones",
    ],
)
def test_what_cannot_be_kept_stops_the_plan(
    understanding: Understanding, names: FileNames, text: str
) -> None:
    plan = understanding.parse(text, names)
    assert plan.abstained or plan.question is not None
    assert plan.steps == []


@pytest.mark.parametrize(
    ("text", "period"),
    [
        ("retrain ticket-router on last week's tickets", "last week"),
        ("train ticket-router on the tickets from may", "may"),
        ("could you fine-tune it on tickets of the past 3 months", "past 3 months"),
        ("how long does training on tickets since 2026-01-01 take", "since 2026-01-01"),
        ("train on tickets this week", None),
        ("train on the tickets today", None),
    ],
)
def test_a_training_takes_the_rows_of_the_time_that_was_said(
    understanding: Understanding, names: FileNames, text: str, period: str | None
) -> None:
    (step,) = understanding.parse(text, names).steps
    assert step.operation in ("training.start", "training.estimate")
    assert step.arguments.get("period") == period


def test_the_winner_is_acted_on_whichever_side_it_is(
    understanding: Understanding, names: FileNames
) -> None:
    text = "compare ticket-router 4 with 2 on tickets and deploy the better one to the kiosks"
    starts = [s for s in understanding.parse(text, names).steps if s.operation in _ACTS]
    sides = {s.arguments["version"]: s.condition.op for s in starts if s.condition}
    assert sides == {4: ">", 2: "<"}


@pytest.mark.parametrize(
    ("text", "slot"),
    [
        ("train on tickets with lr 3", "learning_rate"),
        ("train on tickets with 100000 epochs", "epochs"),
        ("deploy ticket-router v3 to the kiosks at 250 percent", "percent"),
    ],
)
def test_a_number_out_of_range_is_asked_about(
    understanding: Understanding, names: FileNames, text: str, slot: str
) -> None:
    question = understanding.parse(text, names).question
    assert question is not None and question.slot == slot
    assert "less than" in question.text


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("train on tickets with a learning rate of three times ten to the minus five", 3e-5),
        ("train on tickets, learning rate 2 x 10^-4", 2e-4),
    ],
)
def test_powers_of_ten_are_read(
    understanding: Understanding, names: FileNames, text: str, rate: float
) -> None:
    [step] = understanding.parse(text, names).steps
    assert step.arguments["learning_rate"] == pytest.approx(rate)


@pytest.mark.parametrize(
    ("text", "argument", "value"),
    [
        ("evaluate ticket-router v3, no, v4, on tickets", "version", 4),
        ("roll back the kiosks, sorry, the thinkpads", "group", "thinkpads"),
    ],
)
def test_a_wish_corrected_in_the_same_breath_is_done_once(
    understanding: Understanding, names: FileNames, text: str, argument: str, value: object
) -> None:
    [step] = understanding.parse(text, names).steps
    assert step.arguments[argument] == value


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("at 5, 10 then 100 percent, half a minute each", {"steps": [5, 10, 100], "minutes": 0.5}),
        ("with 1, 10, 50, 100 percent", {"steps": [1, 10, 50, 100]}),
        (", 10 then 50%", {"steps": [10, 50]}),
        ("at 10 percent between 1am and 5am", {"percent": 10, "window": "01:00-05:00"}),
        ("from 10pm to 4am, half of them", {"window": "22:00-04:00"}),
    ],
)
def test_amounts_of_a_rollout_are_neither_versions_nor_lost(
    understanding: Understanding, names: FileNames, said: str, arguments: dict[str, object]
) -> None:
    [step] = understanding.parse(f"canary ticket-router v3 on the kiosks {said}", names).steps
    assert step.arguments["version"] == 3
    assert arguments.items() <= step.arguments.items()


def test_an_amount_far_from_any_version_corrects_the_amount(
    understanding: Understanding, names: FileNames
) -> None:
    unchecked = FileNames({"device_group": ["kiosks"], "model": ["spam-gate"]})
    turns = ["canary spam-gate v2 on the kiosks at 10 percent", "make it 25"]
    [step] = parse_turns(turns, understanding, unchecked).steps
    assert (step.arguments["version"], step.arguments["percent"]) == (2, 25)


@pytest.mark.parametrize(
    "said", ["on tickets and on complaints", "on tickets and complaints in parallel"]
)
def test_two_data_sets_named_apart_are_two_trainings(
    understanding: Understanding, names: FileNames, said: str
) -> None:
    steps = understanding.parse(f"train a router {said}", names).steps
    assert [s.arguments["dataset"] for s in steps] == ["tickets", "complaints-q2"]
    assert not any(s.depends_on for s in steps)


def test_it_is_the_thing_spoken_of_not_another_kind(
    understanding: Understanding, names: FileNames
) -> None:
    plan = parse_turns(["how is training 31 doing?", "pause it for now"], understanding, names)
    [step] = plan.steps
    assert (step.operation, step.arguments) == ("training.pause", {"job": 31})


def test_an_act_without_its_condition_counts_as_false(understanding: Understanding) -> None:
    act = {
        "id": "s1", "operation": "deployment.rollback", "arguments": {"group": "kiosks"},
        "depends_on": [], "condition": {"text": "if any is silent"},
    }  # fmt: skip
    plan = {"question": None, "abstained": False, "dry_run": False}
    bare = Outcome({**plan, "steps": [act]}, {**plan, "steps": [{**act, "condition": None}]})
    kept = Outcome({**plan, "steps": [act]}, {**plan, "steps": [act]})
    operations = understanding.operations
    assert operations.get("deployment.rollback").effect is Effect.DANGEROUS
    assert bare.false_steps(operations) and bare.false_dangerous(operations)
    assert not kept.false_steps(operations) and not kept.false_dangerous(operations)


@pytest.mark.parametrize(
    "said", ["put ticket-router v2 on tp-14 only", "deploy ticket-router v4 to kiosk-3"]
)
def test_what_is_done_to_groups_is_told_so_where_a_single_device_is_named(
    understanding: Understanding, names: FileNames, said: str
) -> None:
    plan = understanding.parse(said, names)
    assert plan.abstained and plan.question is None
    assert "one device" in (plan.reply or "")


@pytest.mark.parametrize(
    "said",
    [
        "deploy ticket-router v4 to the kiosks if the weather is fine",
        "roll back the kiosks if the moon is healthy",
    ],
)
def test_a_condition_on_what_nothing_measures_is_none(
    understanding: Understanding, names: FileNames, said: str
) -> None:
    plan = understanding.parse(said, names)
    assert not plan.steps
