"""What people say of a plan that waits: taken up again, given up, widened, shortened, put off."""

from __future__ import annotations

from typing import Any

import pytest

from graphs.understanding import Understanding
from tests.graphs.understanding.conftest import Says
from tools.kernel.operations import Effect

DEPLOY = "deploy ticket-router v4 to the kiosks"
DEPLOYED = {"model": "ticket-router", "version": 4, "group": "kiosks"}


@pytest.mark.parametrize(
    ("turns", "operation", "arguments"),
    [
        (
            (DEPLOY, "how healthy are they?", "ok back to the deployment, but only 15 percent"),
            "deployment.start",
            {**DEPLOYED, "percent": 15},
        ),
        (
            ("train on tickets", "what is in complaints?", "back to the training: 6 epochs"),
            "training.start",
            {"dataset": "tickets", "epochs": 6},
        ),
        (
            ("train on tickets", "what is in complaints?", "back to the training"),
            "training.start",
            {"dataset": "tickets"},
        ),
        (
            (DEPLOY, "only 10 percent", "and only in the maintenance window 22:00-06:00 utc"),
            "deployment.start",
            {**DEPLOYED, "percent": 10, "window": "22:00-06:00"},
        ),
        (
            ("freeze the kiosks until monday", "actually all groups, not just the kiosks"),
            "deployment.freeze",
            {"until": "monday"},
        ),
        (
            ("train on tickets with dora, rank 16", "without dora"),
            "training.start",
            {"dataset": "tickets", "rank": 16},
        ),
        (
            ("train on tickets and then register it as sorter", "without the registering"),
            "training.start",
            {"dataset": "tickets"},
        ),
        (
            ("what are the worst slices of ticket-router 4?", "and of 3?"),
            "evaluation.slices",
            {"model": "ticket-router", "version": 3},
        ),
        (
            ("search the docs for paper jam", "and for ink pressure?"),
            "knowledge.search",
            {"query": "ink pressure"},
        ),
        (
            ("which versions does mail-triage have?", "deploy the newest one to the kiosks"),
            "deployment.start",
            {"model": "mail-triage", "version": 3, "group": "kiosks"},
        ),
        (
            ("what does the rollback runbook say?", "forget that document"),
            "knowledge.forget",
            {"source": "model-rollback-runbook.md"},
        ),
        (
            ("how far is training 31?", "too slow, cancel it"),
            "platform.cancel_job",
            {"job": 31},
        ),
    ],
)
def test_the_plan_is_what_was_meant(
    says: Says, turns: tuple[str, ...], operation: str, arguments: dict[str, Any]
) -> None:
    (step,) = says(*turns).steps
    assert (step.operation, step.arguments) == (operation, arguments)


@pytest.mark.parametrize(
    ("said", "correction", "every"),
    [
        ("every night at 2 evaluate ticket-router", "make it 3 instead", "0 3 * * *"),
        ("check ticket-router for drift every monday at 8", "not monday, friday", "0 8 * * 5"),
    ],
)
def test_a_schedule_gets_another_hour_or_day(
    says: Says, said: str, correction: str, every: str
) -> None:
    (step,) = says(said, correction).steps
    assert step.schedule is not None and step.schedule.every == every


@pytest.mark.parametrize(
    "no", ["no dont, the ward still uses it", "no don't, we need it", "never mind, it's late"]
)
def test_a_no_may_have_its_reason(says: Says, no: str) -> None:
    plan = says("retire tp-14", no)
    assert not plan.steps and not plan.abstained and "Dropped" in (plan.reply or "")


@pytest.mark.parametrize("said", ["list the models", "how healthy are the kiosks?"])
@pytest.mark.parametrize("answer", ["yes", "no"])
def test_after_a_look_there_is_nothing_to_agree_to(says: Says, said: str, answer: str) -> None:
    plan = says(said, answer)
    assert plan.abstained and not plan.steps


def test_what_is_said_beside_an_answer_is_kept_and_the_question_stays(says: Says) -> None:
    asked = says("deploy ticket-router to the kiosks", "just 10 percent")
    assert asked.question is not None and asked.question.slot == "version"
    (step,) = says("deploy ticket-router to the kiosks", "just 10 percent", "version 3").steps
    assert step.arguments == {**DEPLOYED, "version": 3, "percent": 10}


def test_a_number_out_of_bounds_is_replaced_by_its_answer(says: Says) -> None:
    said = "train tickets with batch 4096, only the head, one epoch"
    assert says(said).question is not None
    (step,) = says(said, "64").steps
    assert step.arguments == {"dataset": "tickets", "batch_size": 64, "method": "head", "epochs": 1}


def test_a_count_is_no_answer_to_the_question_for_a_job(says: Says) -> None:
    plan = says("register it as head-router", "now with two epochs")
    assert not any(s.arguments.get("job") == 2 for s in plan.steps)


def test_looks_named_in_one_breath_wait_for_the_same_step(says: Says) -> None:
    plan = says("evaluate ticket-router 4, then show its worst slices and its calibration")
    assert [s.depends_on for s in plan.steps] == [[], ["s1"], ["s1"]]


def test_a_gate_may_decide(says: Says) -> None:
    said = "run the promotion check for ticket-router 3, if it passes make it champion"
    checked, promoted = says(said).steps
    assert checked.operation == "registry.check_promotion" and promoted.condition is not None
    assert (promoted.condition.left.field, promoted.condition.right) == ("passes", 1.0)


@pytest.mark.parametrize(
    "turns",
    [
        ("nightly-training",),
        ("nightly-training is great",),
        ("kiosks rolled back?",),
        ("rolled back the kiosks by mistake",),
        ("could somebody have rolled back the kiosks?",),
        ("rolling back the kiosks was a mistake",),
        ("already archived ticket-router v1",),
        ("retire tp-14", "keep tp-15"),
        ("retire tp-14", "tp-15 is fine"),
        ("retire a device", "not tp-14"),
        ("retire a device", "is tp-14 silent?"),
        ("remove the user oskar", "and nadia's fine with it"),
        ("roll back the kiosks", "oh and not the thinkpads!"),
        ("deploy ticket-router v3", "anywhere but the kiosks"),
        ("archive ticket-router", "v3 is live"),
        ("deploy ticket-router v4 to the thinkpads", "and to the kiosks next week"),
        ("cancel all trainings",),
        ("how is the rollout on the kiosks", "next step"),
        ("pause nightly-training until monday",),
    ],
)
def test_what_is_told_asked_or_excluded_is_no_act(
    says: Says, understanding: Understanding, turns: tuple[str, ...]
) -> None:
    plan = says(*turns)
    effects = {understanding.operations.get(s.operation).effect for s in plan.steps}
    assert effects <= {Effect.READ}


@pytest.mark.parametrize(
    "restriction", ["only on weekdays", "but not on fridays", "once omar agrees"]
)
def test_a_condition_that_cannot_be_kept_drops_what_waits(says: Says, restriction: str) -> None:
    said = ("every night at 2 retrain ticket-router on tickets", restriction)
    assert says(*said).abstained and "dropped" in (says(*said).reply or "")
    assert not says(*said, "yes").steps


def test_an_order_after_what_is_told_is_done(says: Says) -> None:
    (step,) = says("tp-14 got stolen, lock it out").steps
    assert (step.operation, step.arguments) == ("devices.retire", {"device": "tp-14"})


def test_the_first_of_two_is_not_the_last(says: Says) -> None:
    turns = ("describe mail-triage v1", "describe ticket-router v2", "archive the first one")
    (step,) = says(*turns).steps
    assert step.arguments == {"model": "mail-triage", "version": 1}


def test_more_without_an_amount_is_asked_about(says: Says) -> None:
    asked = says("train on tickets with 2 epochs", "retrain it with more epochs")
    assert asked.question is not None and asked.question.text == "How many epochs?"
    (step,) = says("train on tickets with more epochs", "8").steps
    assert step.arguments == {"dataset": "tickets", "epochs": 8}


def test_an_estimate_is_begun_with_all_its_settings(says: Says) -> None:
    (step,) = says("estimate a training on tickets with rank 16", "ok, start that").steps
    assert (step.operation, step.arguments) == (
        "training.start",
        {"dataset": "tickets", "rank": 16},
    )


@pytest.mark.parametrize(
    ("turns", "arguments"),
    [
        (("archive ticket-router v1. v2 is in use",), {"model": "ticket-router", "version": 1}),
        (
            ("promote ticket-router v3 to champion, champion is v2 right now",),
            {"model": "ticket-router", "version": 3, "alias": "champion"},
        ),
        (("roll back the kiosks", "thinkpads instead of kiosks"), {"group": "thinkpads"}),
    ],
)
def test_one_act_is_planned_where_one_is_wanted(
    says: Says, turns: tuple[str, ...], arguments: dict[str, Any]
) -> None:
    (step,) = says(*turns).steps
    assert step.arguments == arguments


@pytest.mark.parametrize(
    "turns",
    [
        ("what would happen if i froze the kiosks?", "actually all groups"),
        ("what would happen if i trained on tickets?", "list the models", "back to the training"),
    ],
)
def test_what_was_only_tried_is_only_tried_when_it_is_changed(
    says: Says, turns: tuple[str, ...]
) -> None:
    plan = says(*turns)
    assert plan.steps and plan.dry_run


def test_an_act_done_once_more_waits_for_nothing_of_the_plan_before(says: Says) -> None:
    turns = ("train on tickets, then show the slices of ticket-router v4", "and of 3?")
    (step,) = says(*turns).steps
    assert step.arguments["version"] == 3 and step.depends_on == []
