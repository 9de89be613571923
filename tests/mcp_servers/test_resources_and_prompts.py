"""Addresses, completion and prompts, each through read operations and the gate."""

from __future__ import annotations

import json
from typing import Any

import pytest
from mcp.shared.exceptions import McpError
from mcp.types import PromptReference, ResourceTemplateReference
from pydantic import AnyUrl

from mcp_servers.caller import CallOutcome
from mcp_servers.prompts import RECIPES
from mcp_servers.resources import TEMPLATES, described
from tests.support.fake_platform import Platform
from tools.catalog import load_operations
from tools.kernel.errors import NotFound, PolicyDenied

RESULTS: dict[str, dict[str, Any]] = {
    "registry.list": {"models": [{"model": "ticket-router"}, {"model": "Spam filter"}]},
    "registry.describe": {"model": "ticket-router", "versions": [{"version": 3}, {"version": 2}]},
    "datasets.list": {"datasets": [{"name": "tickets"}, {"name": "tickets"}]},
    "datasets.describe": {"name": "tickets", "rows": 900},
    "devices.list": {"devices": [{"name": "t-1", "group": "thinkpads"}]},
    "devices.describe": {"name": "t-1"},
    "platform.jobs": {"jobs": [{"job": 7, "status": "done"}, {"job": 70, "status": "failed"}]},
    "platform.receipts": {"receipts": [{"number": "R12", "id": "abc"}]},
    "platform.help": {"text": "Say what you want."},
}


class Scripted:
    """Answers read operations from a table, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.errors: dict[str, Exception] = {}

    async def call(self, name: str, arguments: dict[str, Any], *_: Any, **__: Any) -> CallOutcome:
        self.asked.append((name, arguments))
        if name in self.errors:
            raise self.errors[name]
        return CallOutcome(RESULTS[name], {"id": "r", "status": "done", "says": ""})


@pytest.fixture
def real(platform: Platform) -> Platform:
    """The real operations' shapes over scripted answers."""
    platform.operations, platform.caller = load_operations(), Scripted()
    return platform


async def read(platform: Platform, uri: str, server: str = "all") -> Any:
    async with platform.client(server) as session:
        found = await session.read_resource(AnyUrl(uri))
    assert str(found.contents[0].uri) == uri
    return json.loads(found.contents[0].text)


@pytest.mark.parametrize(
    ("uri", "asked", "found"),
    [
        ("model://tr/3", ("registry.describe", {"model": "tr", "version": "3"}), "model"),
        ("model://ticket-router", ("registry.describe", {"model": "ticket-router"}), "model"),
        ("model://Spam%20filter", ("registry.describe", {"model": "Spam filter"}), "model"),
        ("dataset://tickets", ("datasets.describe", {"dataset": "tickets"}), "rows"),
        ("dataset://tickets@2", ("datasets.describe", {"dataset": "tickets@2"}), "rows"),
        ("device://t-1", ("devices.describe", {"device": "t-1"}), "name"),
        ("job://7", ("platform.jobs", {"limit": 500}), "status"),
        ("receipt://R12", ("platform.receipts", {"limit": 500}), "number"),
        ("receipt://abc", ("platform.receipts", {"limit": 500}), "number"),
        ("operations://help", ("platform.help", {}), "text"),
    ],
)  # fmt: skip
async def test_an_address_is_read_through_its_operation(
    real: Platform, uri: str, asked: tuple[str, dict[str, Any]], found: str
) -> None:
    assert found in await read(real, uri)
    assert real.caller.asked == [asked]


async def test_a_job_is_found_by_its_whole_number(real: Platform) -> None:
    assert (await read(real, "job://7"))["job"] == 7
    with pytest.raises(McpError, match="There is no job") as caught:
        await read(real, "job://700")
    assert caught.value.error.code == -32002


@pytest.mark.parametrize("uri", ["kitchen://sink", "model://a/b/c", "file:///etc/passwd"])
async def test_other_addresses_are_not_found(real: Platform, uri: str) -> None:
    with pytest.raises(McpError, match="There is no resource") as caught:
        await read(real, uri)
    assert caught.value.error.code == -32002
    assert real.caller.asked == []


async def test_what_the_operation_refuses_is_told_with_its_suggestions(real: Platform) -> None:
    real.caller.errors["registry.describe"] = NotFound("No model.", suggestions=["ticket-router"])
    with pytest.raises(McpError, match="Did you mean ticket-router"):
        await read(real, "model://tiket-router")
    real.caller.errors["registry.describe"] = KeyError("secret detail")
    with pytest.raises(McpError, match="Something went wrong inside"):
        await read(real, "model://ticket-router")


async def test_servers_offer_the_addresses_of_their_domains(real: Platform) -> None:
    async def offered(server: str) -> set[str]:
        async with real.client(server) as session:
            listed = await session.list_resource_templates()
            return {t.uriTemplate for t in listed.resourceTemplates}

    assert "model://{name}/{version}" in await offered("registry")
    assert "model://{name}" not in await offered("knowledge")
    assert {"job://{id}", "receipt://{id}"} <= await offered("knowledge")
    assert len(await offered("all")) == len(TEMPLATES) - 1
    names = [described(t).name for t in TEMPLATES]
    assert len(set(names)) == len(names)


async def test_what_exists_is_listed_and_what_is_forbidden_left_out(real: Platform) -> None:
    real.caller.errors["devices.list"] = PolicyDenied("No.")
    async with real.client() as session:
        uris = {str(r.uri) for r in (await session.list_resources()).resources}
    assert {"operations://help", "model://ticket-router", "model://Spam%20filter"} <= uris
    assert {"dataset://tickets", "job://7", "receipt://R12"} <= uris
    assert not any(u.startswith("device://") for u in uris)


async def complete(
    platform: Platform, reference: Any, argument: str, typed: str, **context: str
) -> list[str]:
    async with platform.client() as session:
        found = await session.complete(
            reference, {"name": argument, "value": typed}, context or None
        )
    return found.completion.values


async def test_variables_and_prompt_arguments_complete_from_what_exists(real: Platform) -> None:
    def template(uri: str) -> ResourceTemplateReference:
        return ResourceTemplateReference(type="ref/resource", uri=uri)

    version = template("model://{name}/{version}")
    assert await complete(real, template("model://{name}"), "name", "TICK") == ["ticket-router"]
    assert await complete(real, template("model://{name}"), "name", "filter") == ["Spam filter"]
    assert await complete(real, version, "version", "", name="ticket-router") == ["3", "2"]
    assert await complete(real, version, "version", "") == []
    assert await complete(real, template("job://{id}"), "id", "7") == ["7", "70"]
    prompt = PromptReference(type="ref/prompt", name="rollout_safely")
    assert await complete(real, prompt, "group", "") == ["thinkpads"]
    assert await complete(real, prompt, "model", "t") == ["ticket-router", "Spam filter"]
    assert await complete(real, prompt, "percent", "1") == []


async def test_prompts_are_filled_and_their_mistakes_told(real: Platform) -> None:
    async with real.client("devices") as session:
        listed = await session.list_prompts()
        assert [p.name for p in listed.prompts] == ["rollout_safely"]
        given = {"model": "ticket-router", "version": "3", "group": "{thinkpads}"}
        filled = await session.get_prompt("rollout_safely", given)
        text = filled.messages[0].content.text
        assert "ticket-router version 3" in text and "{thinkpads}" in text
        assert "Claim only what a receipt says" in text
        with pytest.raises(McpError, match="group is missing"):
            await session.get_prompt("rollout_safely", {"model": "m", "version": "1"})
        with pytest.raises(McpError, match="no argument 'colour'"):
            await session.get_prompt("rollout_safely", {**given, "colour": "red"})
        with pytest.raises(McpError, match="There is no prompt"):
            await session.get_prompt("board_summary", {})
    async with real.client() as session:
        assert len((await session.list_prompts()).prompts) == len(RECIPES)
        assert "the last 30 days" in (
            (await session.get_prompt("board_summary")).messages[0].content.text
        )
