"""Everyday wordings that were once read as something else."""

from __future__ import annotations

from typing import Any

import pytest

from graphs.understanding import Understanding
from graphs.understanding.parse_lines import FileNames


@pytest.mark.parametrize(
    ("said", "operation", "arguments"),
    [
        ("fine tune on tickets", "training.start", {"dataset": "tickets"}),
        ("please fine tune a model on the tickets", "training.start", {"dataset": "tickets"}),
        (
            "train on tickets, stop after 3 epochs without improvement",
            "training.start",
            {"dataset": "tickets", "patience": 3},
        ),
        (
            "train on tickets for 8 epochs with early stopping after 2 epochs",
            "training.start",
            {"dataset": "tickets", "epochs": 8, "patience": 2},
        ),
        (
            "will training on chat-turns fit into 4 GB?",
            "training.estimate",
            {"dataset": "chat-turns"},
        ),
        (
            "pull in a.csv and skip rows that are broken",
            "datasets.add",
            {"path": "a.csv", "skip_bad_rows": True},
        ),
        (
            "audit trail for oskar this month",
            "platform.audit",
            {"user": "oskar", "period": "this month"},
        ),
        ("show nadia's receipts", "platform.receipts", {"user": "nadia"}),
        (
            "i'd like to see where ticket-router v2 gets things wrong, top 25",
            "evaluation.errors",
            {"model": "ticket-router", "version": 2, "limit": 25},
        ),
        (
            "run ticket-router 4 in shadow on the kiosks for an hour and a half",
            "deployment.start",
            {
                "model": "ticket-router",
                "version": 4,
                "group": "kiosks",
                "strategy": "shadow",
                "minutes": 90,
            },
        ),
        (
            "take another look at experiment 6, all the new rows",
            "evaluation.look_at_experiment",
            {"experiment": 6, "rows": 0},
        ),
        (
            "show me 25 rows that ticket-router gets wrong where the true label is billing",
            "evaluation.errors",
            {"model": "ticket-router", "limit": 25, "label": "billing"},
        ),
        (
            "how many rows to see a difference of 2 points if it is at 91% accuracy",
            "evaluation.sample_size",
            {"points": 2, "accuracy": 0.91},
        ),
        (
            "evaluate mail-triage v3 on last week's tickets",
            "evaluation.run",
            {"model": "mail-triage", "version": 3, "dataset": "tickets", "period": "last week"},
        ),
        (
            "compare ticket-router v4 with v2 on the tickets since monday",
            "evaluation.compare",
            {
                "model": "ticket-router",
                "version": 4,
                "other_version": 2,
                "dataset": "tickets",
                "period": "since monday",
            },
        ),
        (
            "benchmark smollm2 on chat-turns with 3 shots",
            "evaluation.benchmark",
            {"base_model": "smollm2", "dataset": "chat-turns", "shots": 3},
        ),
        ("stop the study, job 40", "training.cancel", {"job": 40}),
        (
            "fine tune acme/tiny-bert on tickets",
            "training.start",
            {"base_model": "acme/tiny-bert", "dataset": "tickets"},
        ),
        (
            "train on tickets starting from /models/bert",
            "training.start",
            {"base_model": "/models/bert", "dataset": "tickets"},
        ),
        (
            "release mail-triage v3 to the kiosks gradually: 10, 50, 100",
            "deployment.start",
            {"model": "mail-triage", "version": 3, "group": "kiosks", "steps": [10, 50, 100]},
        ),
        (
            "canary mail-triage v3 on the kiosks at 10% for an hour",
            "deployment.start",
            {
                "model": "mail-triage",
                "version": 3,
                "group": "kiosks",
                "percent": 10,
                "minutes": 60,
            },
        ),
        (
            "compare ticket-router v3 and v4 and tell me which is better",
            "evaluation.compare",
            {"model": "ticket-router", "version": 3, "other_version": 4},
        ),
    ],
)
def test_it_is_read_as_it_is_meant(
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
        "roll back the phones in the office",
        "roll back the phones at the office",
        "roll back the office phones",
    ],
)
def test_a_group_may_be_told_apart_by_a_word_that_stands_apart(
    understanding: Understanding, names: FileNames, said: str
) -> None:
    (step,) = understanding.parse(said, names).steps
    assert step.arguments == {"group": "phones-office"}


@pytest.mark.parametrize(
    "said",
    [
        "before you deploy ticket-router v4 to the kiosks evaluate it on tickets",
        "after evaluating ticket-router v4 on tickets deploy it to the kiosks",
        "deploy ticket-router v4 to the kiosks after evaluating it on tickets",
    ],
)
def test_acts_go_in_the_order_that_is_said_with_and_without_a_comma(
    understanding: Understanding, names: FileNames, said: str
) -> None:
    measured, deployed = understanding.parse(said, names).steps
    assert (measured.operation, deployed.operation) == ("evaluation.run", "deployment.start")
    assert measured.arguments == {"model": "ticket-router", "version": 4, "dataset": "tickets"}
    assert deployed.arguments["group"] == "kiosks" and deployed.depends_on == [measured.id]


@pytest.mark.parametrize(
    ("said", "cron"),
    [
        ("on weekends at 3 am retrain on tickets", "0 3 * * 0,6"),
        ("every weekend retrain on tickets", "0 8 * * 6"),
    ],
)
def test_weekends_have_two_days_and_a_weekend_begins_once(
    understanding: Understanding, names: FileNames, said: str, cron: str
) -> None:
    (step,) = understanding.parse(said, names).steps
    assert step.schedule is not None and step.schedule.every == cron


@pytest.mark.parametrize(
    "said",
    [
        "promote ticket-router v4 if it beats the champion",
        "promote ticket-router v4 only if it beats the champion on tickets by 1.5 points",
        "if ticket-router v4 beats the champion, promote v4",
    ],
)
def test_who_beats_the_champion_becomes_it(
    understanding: Understanding, names: FileNames, said: str
) -> None:
    compared, promoted = understanding.parse(said, names).steps
    assert compared.operation == "evaluation.compare"
    wanted = {"model": "ticket-router", "version": 4, "alias": "champion"}
    assert promoted.arguments == wanted and promoted.condition is not None


def test_who_beats_another_version_is_asked_for_what(
    understanding: Understanding, names: FileNames
) -> None:
    plan = understanding.parse("promote ticket-router v4 if it beats v3", names)
    assert plan.question is not None and plan.question.slot == "alias" and not plan.steps


@pytest.mark.parametrize(
    "said",
    [
        "we might want to roll back the kiosks later",
        "we may have to roll back the kiosks",
        "tell me a joke",
        "[2026-11-24 10:00] ERROR rollback kiosks failed; run: pilothouse undo R15",
    ],
)
def test_what_is_thought_of_pasted_or_none_of_its_business_is_not_planned(
    understanding: Understanding, names: FileNames, said: str
) -> None:
    plan = understanding.parse(said, names)
    assert plan.abstained and not plan.steps and plan.question is None


@pytest.mark.parametrize(
    "said",
    ['"roll back the kiosks" is what oskar wrote in the ticket', "'archive v1' says the mail"],
)
def test_what_somebody_wrote_orders_nothing(
    understanding: Understanding, names: FileNames, said: str
) -> None:
    plan = understanding.parse(said, names)
    assert plan.abstained and not plan.steps


def test_a_look_after_acts_on_several_groups_is_at_all_of_them(
    understanding: Understanding, names: FileNames
) -> None:
    said = "roll back the kiosks and thinkpads, then show me the deployment status"
    plan = understanding.parse(said, names)
    assert [s.operation for s in plan.steps] == ["deployment.rollback"] * 2 + ["deployment.status"]
    assert plan.steps[2].arguments == {} and plan.steps[2].depends_on == ["s1", "s2"]


@pytest.mark.parametrize(
    "said",
    [
        "nadia said roll back the kiosks",
        "the boss says: archive ticket-router v1",
        "oskar told me to retire tp-14",
        "they wrote to promote ticket-router v4 to champion",
    ],
)
def test_what_somebody_else_said_should_be_done_is_not_done(
    understanding: Understanding, names: FileNames, said: str
) -> None:
    plan = understanding.parse(said, names)
    assert plan.abstained and not plan.steps and plan.question is None


def test_what_one_says_oneself_is_done(understanding: Understanding, names: FileNames) -> None:
    plan = understanding.parse("i said roll back the kiosks", names)
    assert [s.operation for s in plan.steps] == ["deployment.rollback"]


def test_to_beat_a_share_is_to_reach_it(understanding: Understanding, names: FileNames) -> None:
    said = "if ticket-router v3 beats 90% on tickets, promote it to champion"
    measured, promoted = understanding.parse(said, names).steps
    assert measured.operation == "evaluation.run" and promoted.condition is not None
    condition = promoted.condition
    assert (condition.left.field, condition.op, condition.right) == ("accuracy", ">", 0.9)


@pytest.mark.parametrize(
    "said", ["fine-tune gpt-4 on tickets", "fine-tune bert-base-uncased on tickets with lora"]
)
def test_a_base_model_that_is_not_here_is_asked_about(
    understanding: Understanding, names: FileNames, said: str
) -> None:
    plan = understanding.parse(said, names)
    assert plan.question is not None and plan.question.slot == "base_model"
    assert "minilm" in plan.question.candidates and not plan.steps


def test_a_name_that_says_what_for_is_a_name(
    understanding: Understanding, names: FileNames
) -> None:
    (step,) = understanding.parse("train bert-router on tickets", names).steps
    assert step.arguments == {"dataset": "tickets", "name": "bert-router"}


@pytest.mark.parametrize(
    "said",
    [
        "train on tickets with rank 8, estimate only",
        "train on tickets with rank 8 but only estimate it",
    ],
)
def test_an_estimate_only_trains_nothing(
    understanding: Understanding, names: FileNames, said: str
) -> None:
    (step,) = understanding.parse(said, names).steps
    assert (step.operation, step.arguments) == (
        "training.estimate",
        {"dataset": "tickets", "rank": 8},
    )


@pytest.mark.parametrize("said", ["run job 31 again", "retry job 31", "cancel all trainings"])
def test_what_cannot_be_done_to_jobs_is_not_done_otherwise(
    understanding: Understanding, names: FileNames, said: str
) -> None:
    assert not understanding.parse(said, names).steps


def test_counts_are_no_values_of_a_search_space(
    understanding: Understanding, names: FileNames
) -> None:
    said = "tune on tickets with rank 8, 16 or 32, two epochs, 3 trials"
    (step,) = understanding.parse(said, names).steps
    assert step.arguments == {
        "dataset": "tickets",
        "space": "rank 8|16|32",
        "epochs": 2,
        "trials": 3,
    }


def test_no_changes_is_a_freeze_with_its_end_and_its_beginning(
    understanding: Understanding, names: FileNames
) -> None:
    (step,) = understanding.parse("no changes to the kiosks until friday", names).steps
    assert (step.operation, step.arguments) == (
        "deployment.freeze",
        {"group": "kiosks", "until": "friday"},
    )
    (step,) = understanding.parse("tomorrow at 9 freeze the kiosks until monday", names).steps
    assert step.schedule is not None and step.arguments == {"group": "kiosks", "until": "monday"}
