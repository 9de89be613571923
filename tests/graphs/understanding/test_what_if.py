"""A plan that waits for its yes can be asked about; it is tried dry and goes on waiting."""

from __future__ import annotations

import pytest

from tests.graphs.understanding.conftest import Says

CANARY = "canary ticket-router v4 on the kiosks at 10 %"


@pytest.mark.parametrize(
    "question",
    [
        "what would that do?",
        "hm, and what does it change exactly?",
        "how long will that take?",
        "ok, how much would it cost",
        "is that safe?",
        "what's the risk?",
        "what happens if i say yes?",
        "can it be undone?",
        "dry run it first please",
        "preview that",
    ],
)
def test_what_waits_is_tried_dry_and_a_yes_still_carries_it_out(says: Says, question: str) -> None:
    tried, then = says(CANARY, question), says(CANARY, question, "yes")
    planned = says(CANARY)
    assert tried.dry_run and tried.steps == planned.steps and tried.question is None
    assert not then.dry_run and then.steps == planned.steps


def test_after_a_try_the_plan_can_still_be_changed(says: Says) -> None:
    plan = says(CANARY, "what would that do?", "make it 20 percent")
    assert not plan.dry_run and plan.steps[0].arguments["percent"] == 20


def test_an_end_is_asked_of_the_job(says: Says) -> None:
    plan = says("train on tickets", "how long until it's done?")
    assert [s.operation for s in plan.steps] == ["training.status"] and not plan.dry_run


@pytest.mark.parametrize("before", ["show the models", "hi"])
def test_where_nothing_waits_nothing_is_tried(says: Says, before: str) -> None:
    assert not says(before, "is that safe?").dry_run
