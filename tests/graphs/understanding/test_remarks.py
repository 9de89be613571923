"""What is told before an order belongs to it, and orders nothing by itself."""

from __future__ import annotations

from typing import Any

import pytest

from graphs.understanding import Understanding
from graphs.understanding.parse_lines import FileNames


@pytest.mark.parametrize(
    ("said", "operation", "arguments"),
    [
        (
            "nadia mistyped her password five times and is locked out, would you let her in again",
            "platform.unlock_user",
            {"name": "nadia"},
        ),
        (
            "oskar forgot his password, give him a new one",
            "platform.reset_password",
            {"name": "oskar"},
        ),
        (
            "nadia should be able to decide on dangerous acts. make her an approver",
            "platform.set_role",
            {"name": "nadia", "role": "approver"},
        ),
        (
            "oskar was an operator, make him a viewer again",
            "platform.set_role",
            {"name": "oskar", "role": "viewer"},
        ),
        (
            "ticket-router 1 is archived, bring it back",
            "registry.restore",
            {"model": "ticket-router", "version": 1},
        ),
        (
            "tickets@1 can go, nobody has looked at it for a year. Delete it please.",
            "datasets.remove",
            {"dataset": "tickets@1"},
        ),
        (
            "the kiosks answer far too slowly since the update. roll them back",
            "deployment.rollback",
            {"group": "kiosks"},
        ),
        (
            "ticket-router v4 drops every second ticket. archive it",
            "registry.archive",
            {"model": "ticket-router", "version": 4},
        ),
        (
            "token T0aa19c02ab leaked, kill it",
            "platform.revoke_token",
            {"token": "T0aa19c02ab"},
        ),
        ("job 40 diverged, stop it", "platform.cancel_job", {"job": 40}),
        (
            "begin the last kiosks rollout anew. It died when the wifi went down.",
            "deployment.retry",
            {"group": "kiosks"},
        ),
    ],
)
def test_a_remark_says_what_the_order_beside_it_is_about(
    understanding: Understanding,
    names: FileNames,
    said: str,
    operation: str,
    arguments: dict[str, Any],
) -> None:
    plan = understanding.parse(said, names)
    assert [(s.operation, s.arguments) for s in plan.steps] == [(operation, arguments)]


@pytest.mark.parametrize(
    "said",
    [
        "nadia left the company, tell her",
        "oskar had a party, invite him",
        "tp-14 is dirty, wash it",
        "the kiosks are slow. restart them",
        "nadia is nice, lock her in",
        "ticket-router v3 looks odd, delete it",
        "kiosks went wrong, do not abort it",
        "tp-14 can go but not before friday. retire it",
        "tp-14 should be painted blue, and retire it",
        "feed the cat and retire tp-14",
    ],
)
def test_a_remark_makes_no_act_of_words_that_order_none(
    understanding: Understanding, names: FileNames, said: str
) -> None:
    assert not understanding.parse(said, names).steps


@pytest.mark.parametrize(
    ("said", "operation"),
    [
        ("take job 31 out of the queue, i don't want it to run", "platform.cancel_job"),
        ("stop training 40, we don't want that one any more", "training.cancel"),
        ("revoke token T4d19c02aa7, i don't want it used", "platform.revoke_token"),
        (
            "record for kiosks: key cust-77, answered by v4, ticket was not solved",
            "deployment.record_outcome",
        ),
    ],
)
def test_a_not_in_a_reason_or_an_outcome_forbids_nothing(
    understanding: Understanding, names: FileNames, said: str, operation: str
) -> None:
    assert [s.operation for s in understanding.parse(said, names).steps] == [operation]


@pytest.mark.parametrize(
    "said", ["I don't want job 31 to run", "i don't want it retired, retire tp-14 not"]
)
def test_what_is_not_wanted_is_not_done(
    understanding: Understanding, names: FileNames, said: str
) -> None:
    assert not understanding.parse(said, names).steps


@pytest.mark.parametrize(
    ("said", "operation", "arguments"),
    [
        ("ABORT THE ROLLOUT ON KIOSKS. NOW!!", "deployment.abort", {"group": "kiosks"}),
        (
            "run ticket-router version four beside what kiosks serves today "
            "and let it answer thirty percent of the requests",
            "deployment.ab_test",
            {"model": "ticket-router", "version": 4, "group": "kiosks", "percent": 30},
        ),
        (
            "how well does ticket-router 3 cope with typos and missing punctuation? measure it",
            "evaluation.robustness",
            {"model": "ticket-router", "version": 3},
        ),
        (
            "train on the complaints-q2 rows from last month",
            "training.start",
            {"dataset": "complaints-q2", "period": "last month"},
        ),
        (
            "please have the LLM grade the answers of chat-turns from 1 to 5, 40 rows",
            "evaluation.grade",
            {"dataset": "chat-turns", "rows": 40},
        ),
        (
            "how many rows do we need to see half a point if the current model is at 0.91?",
            "evaluation.sample_size",
            {"points": 0.5, "accuracy": 0.91},
        ),
        (
            "conclude experiment 2. Decision: keep version 3",
            "evaluation.conclude_experiment",
            {"experiment": 2, "decision": "keep version 3"},
        ),
        (
            "put all fitting models side by side on tickets, "
            "leave the external language model out of it, 300 rows max",
            "evaluation.frontier",
            {"dataset": "tickets", "external": False, "rows": 300},
        ),
    ],
)
def test_everyday_wordings_are_one_act_with_all_that_is_said(
    understanding: Understanding,
    names: FileNames,
    said: str,
    operation: str,
    arguments: dict[str, Any],
) -> None:
    plan = understanding.parse(said, names)
    assert [(s.operation, s.arguments) for s in plan.steps] == [(operation, arguments)]


def test_should_there_be_any_hangs_on_what_was_looked_for(
    understanding: Understanding, names: FileNames
) -> None:
    said = "check mail-triage for drift; should there be any, train on complaints-q2"
    looked, trained = understanding.parse(said, names).steps
    assert looked.operation == "evaluation.drift"
    assert trained.operation == "training.start"
    assert trained.condition is not None and trained.condition.left.field == "drifted"


def test_what_an_ab_test_recommends_is_waited_for(
    understanding: Understanding, names: FileNames
) -> None:
    said = "look at the a/b test on the kiosks; if v4 is recommended promote it there"
    result, promoted = understanding.parse(said, names).steps
    assert (result.operation, promoted.operation) == ("deployment.ab_result", "deployment.promote")
    assert promoted.condition is not None and promoted.condition.right == 4


def test_what_an_ab_test_does_not_recommend_is_not_taken_for_its_contrary(
    understanding: Understanding, names: FileNames
) -> None:
    said = "look at the a/b test on the kiosks; if it does not recommend v4 pause the rollout there"
    assert not understanding.parse(said, names).steps
