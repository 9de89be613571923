"""Short turns of a conversation: what they change, add, leave out, and what they must not do."""

from __future__ import annotations

from typing import Any

import pytest

from graphs.understanding.parse_lines import as_line
from tests.graphs.understanding.conftest import Says

SPLIT = "set up an a/b test with ticket-router 4 on the kiosks"
PROMOTED = "promote ticket-router 4 to champion and then roll it out to the kiosks"
MEASURED = "evaluate ticket-router 4, then promote it to staging"


@pytest.mark.parametrize(
    ("turns", "arguments"),
    [
        ((SPLIT, "30 percent is plenty for the challenger"), {"percent": 30}),
        (
            (
                "declare an experiment: ticket-router 4 against version 3",
                "the smallest effect that matters is 2 points",
                "oh and stop at 3000 rows",
            ),
            {"version": 4, "other_version": 3, "minimum_effect": 2, "max_rows": 3000},
        ),
        (("roi of last month", "assume 15 minutes saved per act"), {"period": "last month"}),
        (("deploy mail-triage 2 to the kiosks", "only the laptops"), {"profile": "laptop"}),
        (("take a look at experiment 6", "no, 8"), {"experiment": 8}),
        (
            ("remove the dataset tickets", "whoa, no, only version 2 of it"),
            {"dataset": "tickets@2"},
        ),
        (("would ticket-router 4 pass as champion?", "and for staging?"), {"alias": "staging"}),
        (("promote ticket-router 4 to champion", "staging, not champion"), {"alias": "staging"}),
        (("archive invoice-reader 1", "oops, the other version"), {"version": 2}),
        (("freeze the kiosks", "scratch that, I meant the thinkpads"), {"group": "thinkpads"}),
        (
            ("forget on-call-handbook.md", "sorry, wrong file, I mean model-rollback-runbook.md"),
            {"source": "model-rollback-runbook.md"},
        ),
        (
            ("add ./radio.csv as radio", "broken rows can be left out"),
            {"path": "./radio.csv", "name": "radio", "skip_bad_rows": True},
        ),
    ],
)
def test_what_is_added_stands_beside_what_was_said(
    says: Says, turns: tuple[str, ...], arguments: dict[str, Any]
) -> None:
    before, [step] = says(turns[0]).steps[0], says(*turns).steps
    assert step.operation == before.operation
    assert step.arguments == {**before.arguments, **step.arguments}  # nothing is lost
    assert arguments.items() <= step.arguments.items()


def test_an_alias_is_corrected_where_it_is_given(says: Says) -> None:
    promoted, deployed = says(PROMOTED, "challenger, not champion. the rest stays").steps
    assert promoted.arguments["alias"] == "challenger"
    assert deployed == says(PROMOTED).steps[1]


@pytest.mark.parametrize(
    "change", ["skip the evaluation, jonas ran it last night", "without the evaluation"]
)
def test_a_step_that_others_do_not_rest_on_can_be_skipped(says: Says, change: str) -> None:
    [step] = says(MEASURED, change).steps
    assert (step.operation, step.depends_on) == ("registry.promote", [])


@pytest.mark.parametrize(
    "change",
    ["but wait until job 31 is done", "wait for job 31", "only after job 31 has finished"],
)
def test_a_plan_waits_for_a_job(says: Says, change: str) -> None:
    [step] = says("evaluate ticket-router 3", change).steps
    assert step.arguments == {"model": "ticket-router", "version": 3}
    assert step.schedule is not None
    assert step.schedule.after_job == 31


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ("only promote it to staging if the accuracy is above 0.92", "accuracy"),
        ("the promotion only if the accuracy really is above 0.92", "accuracy"),
    ],
)
def test_a_condition_is_put_to_the_act_that_it_names(says: Says, change: str, field: str) -> None:
    measured, promoted = says(MEASURED, change).steps
    assert measured.condition is None
    assert promoted.condition is not None
    assert promoted.condition.left.field == field


@pytest.mark.parametrize(
    ("turns", "model", "version"),
    [
        (("archive the second one",), "mail-triage", 2),
        (("archive the first one",), "ticket-router", 1),
    ],
)
def test_one_of_two_is_meant_by_its_place(
    says: Says, turns: tuple[str, ...], model: str, version: int
) -> None:
    [step] = says("describe ticket-router 1 and mail-triage 2", *turns).steps
    assert step.arguments == {"model": model, "version": version}


@pytest.mark.parametrize(
    ("turns", "slot"),
    [
        (("describe ticket-router 1 and mail-triage 2", "archive it"), "model"),
        (("roll back the kiosks", "and the snow cannons"), "group"),
        (("retire tp-14", "wait, no, px-99"), "device"),
        (("train on complaints-q2", "no, on the canteen surveys"), "dataset"),
        (("archive ticket-router 1", "oops, the other version"), "version"),
    ],
)
def test_what_could_be_several_or_nothing_is_asked(
    says: Says, turns: tuple[str, ...], slot: str
) -> None:
    line = as_line(says(*turns))
    assert (line["steps"], line["question"]["slot"]) == ([], slot)


@pytest.mark.parametrize(
    "turns",
    [
        (
            "how many rows do i need to see 2 points?",
            "our accuracy is more like 0.93 btw, take that",
        ),
        ("list nadia's tokens", "revoke the one she no longer uses"),
        ("show the status of the kiosks", "hmm, people complain it mislabels every second report"),
        ("roll back the kiosks", "wrong group"),
        ("undo what nadia did",),
        ("undo nadia's last act",),
    ],
)
def test_nothing_is_done_that_nobody_asked_for(says: Says, turns: tuple[str, ...]) -> None:
    assert says(*turns).steps == []


@pytest.mark.parametrize(
    ("turns", "arguments"),
    [
        (("tune on tickets, 20 trials", "cut that to 8 trials"), {"trials": 8}),
        (
            ("check how robust mail-triage 2 is", "do it on the validation split"),
            {"split": "validation"},
        ),
        (
            ("show me the audit log of yesterday", "only what nadia did"),
            {"period": "yesterday", "user": "nadia"},
        ),
        (
            ("make a token for grafana for 30 days", "7 days is plenty"),
            {"label": "grafana", "days": 7},
        ),
    ],
)
def test_a_setting_is_changed_in_its_act(
    says: Says, turns: tuple[str, str], arguments: dict[str, Any]
) -> None:
    [step] = says(*turns).steps
    assert step.operation == says(turns[0]).steps[0].operation
    assert arguments.items() <= step.arguments.items()


def test_of_two_acts_the_one_that_is_kept_back_is_left_out(says: Says) -> None:
    [step] = says("archive versions 1 and 3 of ticket-router", "keep 3, archive only 1").steps
    assert step.arguments == {"model": "ticket-router", "version": 1}


def test_another_day_keeps_the_time_of_day(says: Says) -> None:
    turns = ("every monday at 7 check ticket-router for drift", "fridays suit us better, same time")
    before, after = (says(*turns[:n]).steps[0].schedule for n in (1, 2))
    assert before is not None
    assert after is not None
    assert (before.every, after.every) == ("0 7 * * 1", "0 7 * * 5")


def test_what_waits_is_tried_dry_when_that_is_asked(says: Says) -> None:
    plan = says("roll back the kiosks", "as a dry run first please")
    assert plan.dry_run
    assert plan.steps == says("roll back the kiosks").steps


def test_who_wins_is_no_order_and_what_follows_is_one(says: Says) -> None:
    turns = (
        "what does the a/b test on the kiosks say?",
        "version 4 wins, bring it to the whole group",
    )
    [step] = says(*turns).steps
    assert (step.operation, step.arguments) == (
        "deployment.promote",
        {"group": "kiosks", "version": 4},
    )


def test_what_is_shown_again_waits_for_no_step_of_before(says: Says) -> None:
    turns = ("evaluate mail-triage 2, then show me its errors", "show me 25 of those")
    [step] = says(*turns).steps
    assert (step.operation, step.arguments["limit"]) == ("evaluation.errors", 25)
    assert step.depends_on == []


def test_what_was_only_tried_stays_tried_for_further_versions(says: Says) -> None:
    plan = says("what would happen if i archived ticket-router 1", "3 too")
    assert plan.dry_run
    assert [step.arguments["version"] for step in plan.steps] == [3]
