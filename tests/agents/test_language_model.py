"""Open tasks against a real OpenAI-compatible HTTP server whose answers are scripted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from autogen_agentchat.messages import ModelClientStreamingChunkEvent

from agents.catalog import agent_named
from agents.model_clients import llm_client
from agents.outcomes import OpenOutcome
from agents.team import Team
from tests.support.anthropic_double import anthropic_double
from tests.support.fake_platform import OWNER, Platform, context_of
from tests.support.ollama_double import ollama_double
from tests.support.openai_server import CallTools, Fail, Hang, Say, Script, Turn, openai_server
from tools.kernel.errors import BudgetExceeded, Unavailable
from tools.kernel.identity import Role
from tools.kernel.settings import Settings


def settings(script: Script, **more: Any) -> Settings:
    given = {
        "model": "scripted",
        "model_url": script.url,
        "model_key": "sk-test",
        "model_timeout": 5,
    }
    return Settings.model_validate({**given, **more})


@asynccontextmanager
async def scripted(platform: Platform, *turns: Turn) -> AsyncIterator[tuple[Team, Script]]:
    with openai_server(*turns) as script:
        team = Team(platform.servers, llm_client(settings(script)))
        try:
            yield team, script
        finally:
            await asyncio.wait_for(team.close(), 10)


async def work(
    platform: Platform, agent: str, *turns: Turn, confirmed: bool = False
) -> tuple[OpenOutcome, Script]:
    async with scripted(platform, *turns) as (team, script):
        task = team.run_open("do it", OWNER, agent_named(agent), confirmed=confirmed)
        return await asyncio.wait_for(task, 30), script


async def test_the_model_reads_with_its_tools_and_answers_in_words(platform: Platform) -> None:
    turns = CallTools([("registry_list", {"limit": 2})]), Say("Two models: m0 and m1.")
    events: list[Any] = []
    async with scripted(platform, *turns) as (team, script):
        outcome = await team.run_open("which?", OWNER, agent_named("evaluator"), events.append)
    assert outcome.error is None and outcome.text.strip() == "Two models: m0 and m1."
    (made,) = outcome.calls
    assert made.call.operation == "registry.list" and made.call.arguments == {"limit": 2}
    assert made.outcome.receipt is not None and made.outcome.receipt["status"] == "done"
    assert (outcome.usage.prompt, outcome.usage.completion) == (200, 14)
    words = [e.content for e in events if isinstance(e, ModelClientStreamingChunkEvent)]
    assert len(words) > 3 and "".join(words).strip() == outcome.text.strip()
    first, second = script.requests
    assert {t["function"]["name"] for t in first["tools"]} == {
        "evaluation_compare", "registry_list", "registry_promote",
    }  # fmt: skip
    assert first["messages"][0]["role"] == "system"
    assert "Receipts" in first["messages"][0]["content"]
    tool = second["messages"][-1]
    assert tool["role"] == "tool" and tool["content"].startswith("<untrusted from=")
    assert set(script.keys) == {"Bearer sk-test"}


async def test_a_dangerous_choice_becomes_a_pending_approval_and_no_act(platform: Platform) -> None:
    outcome, script = await work(
        platform,
        "deployer",
        CallTools([("deployment_rollback", {"name": "phones"})]),
        CallTools([("deployment_rollback", {"name": "thinkpads"})]),
        Say("It waits for approval."),
        confirmed=True,
    )
    assert platform.world.acts == []
    (approval,) = platform.approvals()
    assert outcome.needs_approval is not None and outcome.needs_approval["id"] == approval.id
    assert approval.arguments == {"name": "phones"}
    told = json.dumps(script.requests[1]["messages"][-1])
    assert "pilothouse approvals grant" in told
    assert "A person has to decide first" in json.dumps(script.requests[2]["messages"][-1])


async def test_two_dangerous_choices_at_once_become_one_pending_approval(
    platform: Platform,
) -> None:
    both = [("deployment_rollback", {"name": "a"}), ("deployment_rollback", {"name": "b"})]
    outcome, _ = await work(platform, "deployer", CallTools(both), Say("ok"), confirmed=True)
    assert len(platform.approvals()) == 1 and platform.world.acts == []
    assert outcome.needs_approval is not None


async def test_a_change_is_proposed_until_the_person_has_agreed(platform: Platform) -> None:
    turns = CallTools([("datasets_add", {"name": "tickets"})]), Say("Proposed.")
    outcome, _ = await work(platform, "trainer", *turns)
    assert platform.world.acts == [] and outcome.calls == []
    (proposal,) = outcome.proposals
    assert (proposal.operation, proposal.arguments) == ("datasets.add", {"name": "tickets"})

    outcome, _ = await work(platform, "trainer", *turns, confirmed=True)
    assert platform.world.acts == ["added"] and outcome.proposals == []
    assert (outcome.calls[0].outcome.receipt or {})["status"] == "done"


async def test_what_may_be_dangerous_is_never_done_on_the_models_word(platform: Platform) -> None:
    """`registry.promote` is dangerous for some aliases: unconfirmed it is only proposed."""
    arguments = {"model": "m", "version": 1, "alias": "champion"}
    turns = CallTools([("registry_promote", arguments)]), Say("ok")
    outcome, _ = await work(platform, "evaluator", *turns)
    assert [p.operation for p in outcome.proposals] == ["registry.promote"]
    outcome, _ = await work(platform, "evaluator", *turns, confirmed=True)
    assert outcome.needs_approval is not None and platform.world.acts == []


async def test_after_untrusted_text_even_a_confirmed_change_is_only_proposed(
    platform: Platform,
) -> None:
    outcome, script = await work(
        platform,
        "knowledge_curator",
        CallTools([("knowledge_search", {})]),
        CallTools([("knowledge_ingest", {"name": "evil"})]),
        Say("The document asks for an act; I did nothing."),
        confirmed=True,
    )
    assert platform.world.acts == []
    assert [p.operation for p in outcome.proposals] == ["knowledge.ingest"]
    told = script.requests[1]["messages"][-1]["content"]
    assert told.count("</untrusted>") == 1 and told.endswith("</untrusted>")


async def test_the_model_sees_only_what_the_person_may_use(platform: Platform) -> None:
    viewer = context_of(Role.VIEWER)
    async with scripted(platform, Say("hello")) as (team, script):
        await team.run_open("x", viewer, agent_named("deployer"))
        await team.run_open("x", OWNER, agent_named("deployer"))
    seen = [{t["function"]["name"] for t in r.get("tools", [])} for r in script.requests]
    assert seen == [{"registry_list"}, {"registry_list", "devices_enroll", "deployment_rollback"}]


async def test_secrets_never_travel_to_the_model(platform: Platform) -> None:
    turns = CallTools([("devices_enroll", {"name": "d"})]), Say("Enrolled.")
    outcome, script = await work(platform, "deployer", *turns, confirmed=True)
    assert outcome.calls[0].outcome.revealed is None
    assert "tok-secret" not in json.dumps(script.requests) + outcome.model_dump_json()


@pytest.mark.parametrize(
    "calls",
    [
        [("registry_list", "{not json")],
        [("registry_list", "[1, 2]")],
        [("no_such_tool", {})],
        [("registry_list", {"limit": "many"})],
    ],
)
async def test_a_models_mistake_is_told_to_it_and_the_turn_goes_on(
    platform: Platform, calls: Any
) -> None:
    outcome, script = await work(platform, "evaluator", CallTools(calls), Say("Sorry."))
    assert outcome.error is None and outcome.text.strip() == "Sorry."
    assert len(script.requests) == 2
    assert script.requests[1]["messages"][-1]["role"] == "tool"


async def test_a_model_that_never_stops_is_stopped(platform: Platform) -> None:
    outcome, script = await work(platform, "evaluator", CallTools([("evaluation_compare", {})]))
    assert len(script.requests) == 8 and len(outcome.calls) == 8
    assert outcome.error is None


@pytest.mark.parametrize("turn", [Fail(401), Fail(500)])
async def test_a_failing_endpoint_is_an_error_with_a_hint_and_few_retries(
    platform: Platform, turn: Turn
) -> None:
    outcome, script = await work(platform, "evaluator", turn)
    assert (outcome.error or {})["code"] == "unavailable"
    assert "HTTP status" in (outcome.error or {})["message"]
    assert "sk-test" not in outcome.model_dump_json()
    assert len(script.requests) <= 2


async def test_a_silent_endpoint_is_given_up_after_the_timeout(platform: Platform) -> None:
    with openai_server(Hang()) as script:
        team = Team(platform.servers, llm_client(settings(script, model_timeout=0.3)))
        task = team.run_open("x", OWNER, agent_named("evaluator"))
        outcome = await asyncio.wait_for(task, 10)
        await team.close()
    assert (outcome.error or {})["code"] == "unavailable"


async def test_cancelling_an_open_task_ends_it_while_the_model_thinks(platform: Platform) -> None:
    async with scripted(platform, Hang()) as (team, script):
        task = asyncio.create_task(team.run_open("x", OWNER, agent_named("evaluator")))
        await asyncio.to_thread(script.asked.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(asyncio.shield(task), 5)


async def test_without_a_model_it_says_so(platform: Platform) -> None:
    team = Team(platform.servers)
    outcome = await team.run_open("x", OWNER, agent_named("trainer"))
    await team.close()
    assert "No language model is configured" in (outcome.error or {})["message"]
    with pytest.raises(Unavailable):
        llm_client(Settings.model_validate({}))


def test_an_endpoint_of_ones_own_never_gets_another_providers_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-real")
    given = {"model": "gpt-4o", "model_url": "http://127.0.0.1:9/v1"}
    client: Any = llm_client(Settings.model_validate(given))
    assert client._client.api_key == "none"
    assert client._client.max_retries == 1


def test_openai_itself_needs_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(Unavailable, match="cannot be used"):
        llm_client(Settings.model_validate({"model": "gpt-4o"}))
    assert llm_client(Settings.model_validate({"model": "brand-new-9", "model_key": "k"}))


async def test_a_provider_that_langchain_knows_does_the_same_work(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = CallTools([("registry_list", {"limit": 1})]), Say("One model.")
    with openai_server(*turns) as script:
        monkeypatch.setenv("OPENAI_BASE_URL", script.url)
        client = llm_client(Settings.model_validate({"model": "openai:gpt-x", "model_key": "k"}))
        team = Team(platform.servers, client)
        outcome = await team.run_open("x", OWNER, agent_named("evaluator"))
        await team.close()
    assert outcome.error is None and outcome.text.strip() == "One model."
    assert [c.call.operation for c in outcome.calls] == ["registry.list"]
    assert outcome.usage.prompt == 200
    assert script.requests[1]["messages"][-1]["role"] == "tool"


def test_a_provider_that_is_not_installed_is_named() -> None:
    with pytest.raises(Unavailable, match="nobody:model"):
        llm_client(Settings.model_validate({"model": "nobody:model"}))


@pytest.mark.parametrize(
    ("model", "double"),
    [("anthropic:claude-scripted", anthropic_double), ("ollama:scripted:1b", ollama_double)],
)
async def test_agents_work_over_other_providers_own_protocols(
    platform: Platform, model: str, double: Any
) -> None:
    turns = CallTools([("registry_list", {"limit": 1})]), Say("One model.")
    events: list[Any] = []
    with double(*turns) as script:
        team = Team(platform.servers, llm_client(settings(script, model=model, model_timeout=20)))
        outcome = await team.run_open("x", OWNER, agent_named("evaluator"), events.append)
        await team.close()
    assert outcome.error is None and outcome.text.strip() == "One model."
    assert [c.call.operation for c in outcome.calls] == ["registry.list"]
    assert (outcome.usage.prompt, outcome.usage.completion) == (200, 14)
    assert any(isinstance(e, ModelClientStreamingChunkEvent) for e in events)
    assert all("sk-test" in key for key in script.keys)


class Purse:
    """Lets a number of calls pass."""

    def __init__(self, calls: int) -> None:
        self.left = calls
        self.used: list[tuple[int, int]] = []

    async def check(self, prompt_tokens: int) -> None:
        if self.left == 0:
            raise BudgetExceeded("The purse is empty.")
        self.left -= 1

    async def record(self, prompt_tokens: int, answer_tokens: int, ms: float) -> None:
        self.used.append((prompt_tokens, answer_tokens))


async def test_a_budget_that_ends_in_the_middle_of_a_turn_ends_the_turn(
    platform: Platform,
) -> None:
    purse = Purse(1)
    async with scripted(platform, CallTools([("registry_list", {})]), Say("done")) as made:
        team, script = made
        task = team.run_open("x", OWNER, agent_named("evaluator"), meter=purse)
        outcome = await asyncio.wait_for(task, 30)
    assert (outcome.error or {})["code"] == "budget_exceeded"
    assert len(script.requests) == 1 and purse.used == [(100, 7)]
    assert [c.call.operation for c in outcome.calls] == ["registry.list"]
