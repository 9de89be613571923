"""What was told, named or listed before is what the next short sentence is about."""

from __future__ import annotations

from typing import Any

import pytest

from graphs.understanding.parse_lines import as_line
from tests.graphs.understanding.conftest import Says

DEPLOY = "roll out the champion of ticket-router to the kiosks"


@pytest.mark.parametrize(
    ("turns", "operation", "arguments"),
    [
        (
            ("nadia typed her password wrong", "unlock her"),
            "platform.unlock_user",
            {"name": "nadia"},
        ),
        (("unlock oskar", "and reset his password"), "platform.reset_password", {"name": "oskar"}),
        (
            ("oskar archived ticket-router 1 by mistake", "please bring it back"),
            "registry.restore",
            {"model": "ticket-router", "version": 1},
        ),
        (
            ("somebody aborted the rollout on the kiosks", "retry it"),
            "deployment.retry",
            {"group": "kiosks"},
        ),
        (
            ("weekly-report is still paused, is it", "resume it pls"),
            "schedules.resume",
            {"schedule": "weekly-report"},
        ),
        (("evaluate job 31", "then register it"), "registry.register", {"job": 31}),
        (
            ("evaluate job 31 and job 40", "register the second one"),
            "registry.register",
            {"job": 40},
        ),
        (
            ("look at experiment 5", "and conclude it"),
            "evaluation.conclude_experiment",
            {"experiment": 5},
        ),
        (
            ("describe version 4 of ticket-router", "and the previous version?"),
            "registry.describe",
            {"model": "ticket-router", "version": 3},
        ),
        (
            ("remove nadia", "no wait. which tokens does she have?"),
            "platform.tokens",
            {"user": "nadia"},
        ),
        (
            ("hold the rollout on the kiosks", "ok they calmed down, resume it"),
            "deployment.resume",
            {"group": "kiosks"},
        ),
        (
            ("show me tp-14", "ugh, that thing again. retire it"),
            "devices.retire",
            {"device": "tp-14"},
        ),
        (
            ("protect the kiosks", "other way round, lift the protection"),
            "devices.protect",
            {"group": "kiosks", "protected": False},
        ),
        (
            (DEPLOY, "argh no, the challenger"),
            "deployment.start",
            {"model": "ticket-router", "version": 4, "group": "kiosks"},
        ),
        (
            (DEPLOY, "in steps of 5, 20 and 100"),
            "deployment.start",
            {"model": "ticket-router", "version": 2, "group": "kiosks", "steps": [5, 20, 100]},
        ),
        (("judgements of the rollout please", "17"), "deployment.judgements", {"rollout": 17}),
        (
            ("i need an access token", "ci-nightly"),
            "platform.create_token",
            {"label": "ci-nightly"},
        ),
    ],
)
def test_the_next_sentence_is_about_what_was_spoken_of(
    says: Says, turns: tuple[str, ...], operation: str, arguments: dict[str, Any]
) -> None:
    [step] = says(*turns).steps
    assert (step.operation, step.arguments) == (operation, arguments)


@pytest.mark.parametrize(
    "turns",
    [
        ("remove nadia", "keep her"),
        ("nadia is leaving", "keep her"),
        ("remove nadia", "hm no. keep her"),
        ("remove nadia", "she stays"),
        ("tp-14 got stolen", "keep it"),
        ("tp-14 got stolen. keep it",),
        ("retire tp-14", "leave it"),
        ("nadia was promoted", "she is great"),
        ("ugh, mondays",),
    ],
)
def test_what_is_kept_is_not_ended(says: Says, turns: tuple[str, ...]) -> None:
    assert says(*turns).steps == []


@pytest.mark.parametrize(
    ("answer", "groups"),
    [("both", ["phones-field", "phones-office"]), ("both of them please", None), ("all three", [])],
)
def test_both_means_the_two_that_were_asked_about(
    says: Says, answer: str, groups: list[str] | None
) -> None:
    steps = says("roll back the phones", answer).steps
    expected = ["phones-field", "phones-office"] if groups is None else groups
    assert [s.arguments["group"] for s in steps] == expected
    assert len({s.id for s in steps}) == len(steps)
    assert all(s.operation == "deployment.rollback" and not s.depends_on for s in steps)


@pytest.mark.parametrize(
    ("turns", "slot", "offered"),
    [
        (("roll back the kiosks", "no, the gondola screens"), "group", "thinkpads"),
        (("pause nightly-training", "no, the hourly one"), "schedule", "weekly-report"),
        (("list the users", "remove nadja"), "name", "nadia"),
        (("unlock nadja",), "name", "nadia"),
    ],
)
def test_what_nobody_knows_is_asked_about(
    says: Says, turns: tuple[str, ...], slot: str, offered: str
) -> None:
    question = as_line(says(*turns))["question"]
    assert question["slot"] == slot
    assert offered in question["candidates"]


def test_a_group_is_left_out_by_a_part_of_its_name(says: Says) -> None:
    [step] = says(
        "roll out ticket-router 4 to the kiosks and the field phones", "not the phones"
    ).steps
    assert step.arguments["group"] == "kiosks"
