"""A person can stop a sentence while it is understood, and nothing is done then."""

from __future__ import annotations

import asyncio

import pytest

from graphs.drafting import STOPPED, Drafting, refuse_if, unless, without_steps
from graphs.plan import Plan, Step
from tools.kernel.errors import Conflict

DRAFT = Plan(text="drafted", steps=[Step(id="s1", operation="datasets.list")])


async def _draft(begun: asyncio.Event, go_on: asyncio.Event) -> Plan:
    begun.set()
    await go_on.wait()
    return DRAFT


def test_a_draft_that_is_stopped_gives_no_plan_and_ends() -> None:
    async def stopped() -> Plan | None:
        drafting, begun, never = Drafting(), asyncio.Event(), asyncio.Event()
        with drafting.of("talk") as stop:
            waiting = asyncio.create_task(unless(stop, _draft(begun, never)))
            await begun.wait()
            assert drafting.stop("talk")
            return await waiting

    assert asyncio.run(stopped()) is None


def test_a_draft_that_is_left_alone_gives_its_plan() -> None:
    async def drafted() -> Plan | None:
        begun, at_once = asyncio.Event(), asyncio.Event()
        at_once.set()
        with Drafting().of("talk") as stop:
            return await unless(stop, _draft(begun, at_once))

    assert asyncio.run(drafted()) == DRAFT


def test_nothing_is_stopped_where_nothing_is_understood() -> None:
    drafting = Drafting()
    with drafting.of("talk"):
        pass
    assert not drafting.stop("talk")


def test_a_stopped_sentence_has_no_steps_and_says_that_nothing_was_done() -> None:
    plan = without_steps(DRAFT)
    assert (plan.steps, plan.abstained, plan.reply) == ([], False, STOPPED)


def test_an_answer_that_was_stopped_is_not_taken() -> None:
    stop = asyncio.Event()
    refuse_if(stop)
    stop.set()
    with pytest.raises(Conflict, match="still waits"):
        refuse_if(stop)
