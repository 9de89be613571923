"""Wordings that people use for an act and all that belongs to it; nothing of it is lost."""

from __future__ import annotations

from typing import Any

import pytest

from graphs.understanding import Understanding
from graphs.understanding.parse_lines import FileNames, parse_turns


@pytest.mark.parametrize(
    ("said", "operation", "arguments"),
    [
        ("make oskar an approver", "platform.set_role", {"name": "oskar", "role": "approver"}),
        ("turn nadia into a viewer", "platform.set_role", {"name": "nadia", "role": "viewer"}),
        ("train on tickets, without early stopping, 3 epochs", "training.start",
         {"dataset": "tickets", "patience": 0, "epochs": 3}),
        ("compare all models on tickets, without the language model, 200 rows",
         "evaluation.frontier", {"dataset": "tickets", "external": False, "rows": 200}),
        ("create a token called nightly for nadia that may only read, for 60 days",
         "platform.create_token",
         {"label": "nightly", "user": "nadia", "scopes": ["*:read"], "days": 60}),
        ("a token for the wallboard that can only read and expires in three weeks",
         "platform.create_token", {"label": "wallboard", "scopes": ["*:read"], "days": 21}),
        ("don't cancel job 31, pause it instead", "training.pause", {"job": 31}),
        ("retire not tp-14 but tp-15", "devices.retire", {"device": "tp-15"}),
        ("not version 3 but version 4 of ticket-router should become champion",
         "registry.promote", {"model": "ticket-router", "version": 4, "alias": "champion"}),
        ("retire tp-14, a truck drove over it", "devices.retire", {"device": "tp-14"}),
        ("unlock nadia, so many typos", "platform.unlock_user", {"name": "nadia"}),
        ("forget on-call-handbook.md, it is outdated", "knowledge.forget",
         {"source": "on-call-handbook.md"}),
        ("shrink ticket-router 4, no larger than 30 MB", "training.optimize",
         {"model": "ticket-router", "version": 4, "max_size_mb": 30}),
        ("shrink ticket-router v4 to half its size, at most one point worse", "training.optimize",
         {"model": "ticket-router", "version": 4, "max_size_ratio": 0.5, "max_loss_points": 1}),
        ("shrink ticket-router 4 to 40% of its size", "training.optimize",
         {"model": "ticket-router", "version": 4, "max_size_ratio": 0.4}),
        ("make ticket-router 4 30 percent smaller", "training.optimize",
         {"model": "ticket-router", "version": 4, "max_size_ratio": 0.7}),
        ("mail-triage 3 to the thinkpads, those with at least 8 GB, at most 5 devices a minute",
         "deployment.start",
         {"model": "mail-triage", "version": 3, "group": "thinkpads", "min_memory_gb": 8,
          "per_minute": 5}),
        ("ticket-router no longer needs its challenger alias, take it off", "registry.clear_alias",
         {"model": "ticket-router", "alias": "challenger"}),
        ("schedule 2 got cancelled by accident, bring it back please", "schedules.restore",
         {"number": 2}),
        ("the A/B test on the kiosks is over, v4 is the winner, bring it to the whole group",
         "deployment.promote", {"group": "kiosks", "version": 4}),
        ("what drift reports are there of mail-triage? list them", "evaluation.drift_reports",
         {"model": "mail-triage"}),
        ("where does mail-triage 2 come from? data, job and base model", "registry.describe",
         {"model": "mail-triage", "version": 2}),
        ("kiosks: the request with key case-77 went wrong, please note that down",
         "deployment.record_outcome", {"group": "kiosks", "key": "case-77", "success": False}),
        ('let the judge grade 40 rows of chat-turns with this rubric: "short, kind, correct"',
         "evaluation.grade",
         {"dataset": "chat-turns", "rows": 40, "rubric": "short, kind, correct"}),
    ],
)  # fmt: skip
def test_all_of_it_is_taken_in(
    understanding: Understanding,
    names: FileNames,
    said: str,
    operation: str,
    arguments: dict[str, Any],
) -> None:
    (step,) = understanding.parse(said, names).steps
    usual = {"strategy": "canary"} if operation == "deployment.start" else {}
    assert step.operation == operation
    assert {**usual, **step.arguments} == {**usual, **arguments}


@pytest.mark.parametrize(
    "said",
    [
        "deploy mail-triage 3 to the kiosks, one device first",
        "roll mail-triage 3 out to the kiosks, without waiting, 20 percent",
        "retire tp-14, the truck drove over tp-15",
        "forget on-call-handbook.md, both are needed",
        "not only version 3 but version 4 of ticket-router should be archived",
    ],
)
def test_an_act_that_would_lose_a_part_is_not_planned(
    understanding: Understanding, names: FileNames, said: str
) -> None:
    assert not understanding.parse(said, names).steps


@pytest.mark.parametrize(
    ("said", "operations"),
    [
        ("what would happen if I retired tp-14 and removed the dataset tickets?",
         ["devices.retire", "datasets.remove"]),
        ("what if we froze the kiosks and then rolled them back?",
         ["deployment.freeze", "deployment.rollback"]),
    ],
)  # fmt: skip
def test_what_is_supposed_is_tried_with_all_its_acts(
    understanding: Understanding, names: FileNames, said: str, operations: list[str]
) -> None:
    plan = understanding.parse(said, names)
    assert plan.dry_run
    assert [step.operation for step in plan.steps] == operations


@pytest.mark.parametrize(
    ("said", "listed"),
    [
        ("delete the dataset tickets and list the ones that remain", "datasets.list"),
        ("retire tp-14 and show me the remaining ones", "devices.list"),
        ("remove the user oskar and list what is left", "platform.users"),
    ],
)
def test_what_remains_is_of_the_kind_that_was_spoken_of(
    understanding: Understanding, names: FileNames, said: str, listed: str
) -> None:
    assert understanding.parse(said, names).steps[-1].operation == listed


def test_one_label_makes_one_token_and_two_make_two(
    understanding: Understanding, names: FileNames
) -> None:
    one = understanding.parse("make a token labelled ci, read-only, good for 30 days", names).steps
    two = understanding.parse("make a token labelled ci and one labelled cd", names).steps
    assert [step.arguments["label"] for step in one] == ["ci"]
    assert [step.arguments["label"] for step in two] == ["ci", "cd"]


def test_a_drift_check_without_its_model_asks_for_it(
    understanding: Understanding, names: FileNames
) -> None:
    question = understanding.parse("run the drift check every night at three", names).question
    assert question is not None
    assert (question.operation, question.slot) == ("evaluation.drift", "model")


def test_a_model_that_drifted_keeps_its_name_when_it_is_retrained(
    understanding: Understanding, names: FileNames
) -> None:
    said = "check mail-triage for drift and if it has drifted, retrain it on tickets"
    assert understanding.parse(said, names).steps[-1].arguments == {
        "name": "mail-triage",
        "dataset": "tickets",
    }


def test_a_later_question_is_asked_in_its_own_words(
    understanding: Understanding, names: FileNames
) -> None:
    said = "ingest /srv/handbook, then tell me within how many hours we must answer"
    asked = understanding.parse(said, names).steps[-1]
    assert asked.operation == "knowledge.ask"
    assert asked.arguments == {"question": "tell me within how many hours we must answer"}


def test_a_share_that_comes_first_repeats_no_step_of_before(
    understanding: Understanding, names: FileNames
) -> None:
    turns = [
        "evaluate mail-triage 3 on tickets",
        "deploy that version to the kiosks, a quarter of them first",
    ]
    (step,) = parse_turns(turns, understanding, names).steps
    assert (step.operation, step.arguments["percent"]) == ("deployment.start", 25)
