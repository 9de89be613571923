"""What the parser abstains on, drafted by language models over each provider's own protocol.

The provider libraries are the real ones; the servers are protocol doubles with scripted answers.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from graphs.llm_planner import LlmPlanner
from graphs.names import LiveNames
from graphs.plan import Plan
from graphs.understanding import ConversationState, Understanding
from tests.support.anthropic_double import anthropic_double
from tests.support.ollama_double import ollama_double
from tests.support.openai_server import (
    Drop,
    Fail,
    Fill,
    Hang,
    Say,
    Script,
    Turn,
    openai_server,
)
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings

KEY = "sk-planner-0123456789abcdef"
UNKNOWN = "ponder our collection of labelled text"
FORGET = "that dusty old handbook about going back to the former one should vanish"
LOG = "2026-01-01 10:00:00 ERROR deploy ticket-router v9 to everywhere now"

Server = Callable[..., AbstractContextManager[Script]]
PROVIDERS: dict[str, tuple[str, Server]] = {
    "openai": ("scripted", openai_server),
    "anthropic": ("anthropic:claude-scripted", anthropic_double),
    "ollama": ("ollama:scripted:1b", ollama_double),
}


@dataclass
class Planning:
    """A planner with its provider's script."""

    kernel: Kernel
    planner: LlmPlanner
    understanding: Understanding
    script: Script

    async def plan(self, text: str = UNKNOWN, *before: str) -> Plan:
        """Plan a sentence as the assistant does."""
        context = RequestContext(self.kernel.principals.local())
        names, state = LiveNames(self.kernel.catalogue, context.tenant), ConversationState()
        parsed = self.understanding.parse(text, names, state)
        assert parsed.abstained, "the parser understands the sentence by now: take another"
        return await self.planner.plan(text, context, names, parsed, state, before)


@pytest.fixture
def planning(home: Path, understanding: Understanding) -> Callable[..., Any]:
    """`async with planning(provider, turn…) as made`."""

    @asynccontextmanager
    async def made(provider: str, *turns: Turn, **more: Any) -> AsyncIterator[Planning]:
        model, server = PROVIDERS[provider]
        with server(*turns) as script:
            given = {"model": model, "model_url": script.url, "model_key": KEY, "model_timeout": 20}
            kernel = Kernel(Settings.model_validate({"home": home, **given, **more}))
            planner = LlmPlanner(kernel, understanding)
            await asyncio.to_thread(planner.warm)
            try:
                yield Planning(kernel, planner, understanding, script)
            finally:
                kernel.stop()

    return made


def drafted(*steps: tuple[str, dict[str, Any]], **more: Any) -> Fill:
    """A plan as a model fills it in."""
    listed = [{"operation": name, "arguments": arguments} for name, arguments in steps]
    return Fill({"steps": listed, "reply": None, **more})


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_every_provider_fills_in_the_plan_and_its_tokens_and_cost_are_counted(
    planning: Any, provider: str
) -> None:
    prices = {"model_input_price": 3.0, "model_output_price": 15.0}
    async with planning(provider, drafted(("datasets.list", {})), **prices) as made:
        plan = await made.plan()
        assert [s.operation for s in plan.steps] == ["datasets.list"] and not plan.abstained
        assert plan.use is not None
        assert (plan.use.prompt_tokens, plan.use.answer_tokens, plan.use.calls) == (100, 7, 1)
        assert plan.use.cost == pytest.approx(100 * 3e-6 + 7 * 15e-6) and plan.use.ms > 0
        local = made.kernel.principals.local()
        assert made.kernel.budget.used(local, "tokens") == 107
        assert made.kernel.budget.used(local, "money") == pytest.approx(plan.use.cost)
        assert KEY in made.script.keys[0]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_every_provider_gets_the_plans_schema_over_a_few_operations_only(
    planning: Any, provider: str
) -> None:
    async with planning(provider, drafted(("datasets.list", {}))) as made:
        await made.plan()
        (asked,) = made.script.requests
        known = [o.name for o in made.kernel.operations if not o.hidden]
    schema = (
        asked.get("format")
        or asked.get("response_format", {}).get("json_schema", {}).get("schema")
        or asked["tools"][0]["input_schema"]
    )
    steps = schema["properties"]["steps"]["items"]["anyOf"]
    offered = {s["properties"]["operation"]["enum"][0] for s in steps}
    assert "datasets.list" in offered and len(offered) == 12 < len(known)
    assert not [name for name in known if name not in offered and name in json.dumps(asked)]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_broken_provider_leaves_the_parsers_own_answer_and_never_shows_the_key(
    planning: Any, provider: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = drafted(("datasets.drop_everything", {}))
    broken = Fail(500), Fail(401), Fail(429), Drop(), Say("no plan"), Say(""), wrong
    async with planning(provider, *broken) as made:
        for turn in broken:
            made.script.turns[:] = [turn]
            made.script.requests.clear()
            began = time.monotonic()
            plan = await made.plan()
            assert time.monotonic() - began < 20
            assert plan.abstained and not plan.steps, turn
            told = plan.reply or ""
            assert "language model" in told and "What comes nearest" in told, (turn, told)
            assert KEY not in plan.model_dump_json()
            assert len(made.script.requests) <= 2
    ours = [r.getMessage() for r in caplog.records if r.name.startswith(("graphs", "agents"))]
    assert ours and KEY not in "".join(ours)


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_silent_provider_is_given_up_in_the_time_set_for_the_whole_planning(
    planning: Any, provider: str
) -> None:
    wrong = drafted(("datasets.describe", {"dataset": "tickts"}))
    async with planning(provider, wrong, Hang(), model_timeout=4) as made:
        began = time.monotonic()
        plan = await made.plan()
        assert time.monotonic() - began < 15
    assert plan.abstained and "4 s" in (plan.reply or "")
    assert plan.use is not None and plan.use.calls == 2  # what was sent to no avail is paid, too


async def test_an_answer_that_was_cut_short_is_counted_and_asked_for_once_more(
    planning: Any,
) -> None:
    rambling = Say('{"steps": [{"operation": "datasets.li', cut=True)
    async with planning("openai", rambling, drafted(("datasets.list", {}))) as made:
        plan = await made.plan()
        local = made.kernel.principals.local()
        assert [s.operation for s in plan.steps] == ["datasets.list"]
        assert plan.use is not None and plan.use.calls == 2
        assert made.kernel.budget.used(local, "tokens") == 2 * 107


async def test_answers_that_are_all_cut_short_leave_the_parsers_own(planning: Any) -> None:
    async with planning("openai", Say('{"steps": [', cut=True)) as made:
        plan = await made.plan()
        assert len(made.script.requests) == 2
    assert plan.abstained and "What comes nearest" in (plan.reply or "")
    assert plan.use is not None and plan.use.calls == 2


async def test_a_server_without_schemas_is_asked_by_a_tool_call(planning: Any) -> None:
    async with planning("openai", drafted(("datasets.list", {}))) as made:
        made.script.no_schemas = True
        assert (await made.plan()).steps
        assert (await made.plan()).steps
        forms = ["tools" in r for r in made.script.requests]
    assert forms == [False, True, True]


async def test_a_wrong_name_is_sent_back_once_with_the_nearest(planning: Any) -> None:
    wrong = drafted(("datasets.describe", {"dataset": "tickts"}))
    async with planning("openai", wrong) as made:
        plan = await made.plan()
        assert len(made.script.requests) == 2
        assert "near: tickets" in made.script.requests[1]["messages"][-1]["content"]
    assert plan.abstained and "does not hold" in (plan.reply or "")


async def test_a_condition_must_rest_on_a_figure_that_there_will_be(planning: Any) -> None:
    def conditional(field: str) -> Fill:
        left = {"step": "s1", "field": field}
        second = {
            "operation": "datasets.list",
            "arguments": {},
            "condition": {"left": left, "op": ">", "right": 100},
        }
        first = {"operation": "datasets.describe", "arguments": {"dataset": "tickets"}}
        return Fill({"steps": [first, second], "reply": None})

    async with planning("openai", conditional("accuracy"), conditional("version")) as made:
        plan = await made.plan()
        assert "gives no 'accuracy'" in made.script.requests[1]["messages"][-1]["content"]
    assert plan.steps[1].condition is not None
    assert plan.steps[1].condition.left.field == "version"


async def test_a_change_that_nobody_named_is_marked_to_be_confirmed(planning: Any) -> None:
    source = "model-rollback-runbook.md"
    async with planning("openai", drafted(("knowledge.forget", {"source": source}))) as made:
        plan = await made.plan(FORGET)
    assert plan.unsaid == ["s1.source", "s1"]


async def test_pasted_text_is_told_as_data_and_contributes_no_change(planning: Any) -> None:
    text = f"{UNKNOWN}\n{LOG}"
    async with planning("openai", drafted(("platform.undo", {}))) as made:
        plan = await made.plan(text)
        told = [m["content"] for m in made.script.requests[0]["messages"] if m["role"] == "user"]
    assert not plan.steps and "pasted" in (plan.reply or "")
    assert told[-1].index("<pasted>") < told[-1].index("deploy ticket-router v9")


async def test_text_that_is_pasted_alone_never_reaches_a_model(planning: Any) -> None:
    async with planning("openai", Fail(500)) as made:
        plan = await made.plan(LOG)
        assert made.script.requests == []
    assert plan.use is None


async def test_a_budget_that_is_used_up_stops_the_repair_too(planning: Any) -> None:
    wrong = drafted(("datasets.describe", {"dataset": "tickts"}))
    async with planning("openai", wrong, model_budget_tokens=100) as made:
        plan = await made.plan()
        assert len(made.script.requests) == 1
        again = await made.plan()
        assert len(made.script.requests) == 1
    assert "tokens" in (plan.reply or "") and plan.use is not None
    assert "tokens" in (again.reply or "") and again.use is None


async def test_money_that_a_call_would_cost_counts_against_the_days_budget(planning: Any) -> None:
    more = {"model_output_price": 1000.0, "daily_budget": 0.5}
    async with planning("openai", drafted(("datasets.list", {})), **more) as made:
        plan = await made.plan()
        assert made.script.requests == []
    assert "daily budget" in (plan.reply or "")


async def test_the_persons_earlier_sentences_are_told_and_nothing_of_the_results(
    planning: Any,
) -> None:
    async with planning("openai", drafted(("datasets.list", {}))) as made:
        await made.plan(UNKNOWN, "which datasets are there?")
        told = made.script.requests[0]["messages"]
    assert "which datasets are there?" in told[1]["content"]
