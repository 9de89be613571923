"""What a server lists: names, schemas, annotations, and only what the caller may use."""

from __future__ import annotations

import json
import re

import pytest
from jsonschema import Draft202012Validator

from mcp_servers.names import SERVERS, offered, operation_name, server_of, tool_name
from mcp_servers.resources import NAME_SOURCES, TEMPLATES
from mcp_servers.schemas import OfferedTool
from tests.support.fake_platform import OWNER, Platform, context_of
from tools.catalog import DOMAINS, load_operations
from tools.kernel.errors import NotFound
from tools.kernel.identity import Role
from tools.kernel.operations import Operation

REAL = list(load_operations())


@pytest.mark.parametrize("operation", REAL, ids=lambda o: o.name)
def test_every_operation_makes_a_valid_tool(operation: Operation) -> None:
    tool = OfferedTool.of(operation).tool
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", tool.name)
    assert operation_name(tool.name) == operation.name
    Draft202012Validator.check_schema(tool.inputSchema)
    Draft202012Validator.check_schema(tool.outputSchema or {})
    assert "$ref" not in json.dumps(tool.inputSchema)
    for name, argument in tool.inputSchema["properties"].items():
        assert argument.get("description"), f"{operation.name}: {name} is not described"
    assert "Args:" not in (tool.description or "")


def test_every_domain_has_exactly_one_server() -> None:
    assert sorted(d for domains in SERVERS.values() for d in domains) == sorted(DOMAINS)
    assert server_of("deployment") == "devices"
    with pytest.raises(NotFound):
        server_of("kitchen")
    with pytest.raises(NotFound):
        offered("kitchen", load_operations())


def test_verbs_with_underscores_come_back_whole() -> None:
    assert tool_name("deployment.ab_test") == "deployment_ab_test"
    assert operation_name("deployment_ab_test") == "deployment.ab_test"


def test_resources_and_completions_read_fields_that_their_operations_have() -> None:
    by_name = {o.name: o for o in REAL}
    for template in TEMPLATES:
        operation = by_name[template.operation]
        if template.pick is None:
            assert set(template.arguments) <= set(operation.input.model_fields)
        else:
            _assert_listed(operation, template.pick[0], template.pick[1])
    for source in NAME_SOURCES.values():
        _assert_listed(by_name[source.operation], source.items, (source.name,))


def _assert_listed(operation: Operation, items: str, fields: tuple[str, ...]) -> None:
    schema = operation.output.model_json_schema()
    entry = schema["properties"][items]["items"]["$ref"].rpartition("/")[2]
    assert set(fields) <= set(schema["$defs"][entry]["properties"])


async def test_hidden_operations_are_neither_listed_nor_callable(platform: Platform) -> None:
    listed = await platform.tools()
    assert "registry_restore" not in {t.name for t in listed.tools}
    async with platform.client() as session:
        with pytest.raises(Exception, match="Unknown tool: registry_restore"):
            await session.call_tool("registry_restore", {"name": "x"})
    assert platform.world.acts == []


async def test_annotations_say_what_a_call_does(platform: Platform) -> None:
    tools = {t.name: t for t in (await platform.tools()).tools}
    reads, writes = tools["registry_list"].annotations, tools["datasets_add"].annotations
    dangers = tools["deployment_rollback"].annotations
    assert (reads.readOnlyHint, reads.destructiveHint, reads.openWorldHint) == (True, False, False)
    assert reads.idempotentHint is True
    assert (writes.readOnlyHint, writes.destructiveHint) == (False, False)
    assert (dangers.readOnlyHint, dangers.destructiveHint) == (False, True)
    assert tools["registry_list"].title == "List the models"
    described = tools["registry_list"].description or ""
    assert "Reads only." in described and "please registry.list" in described
    assert "a third sentence" not in described and "at most this many" not in described
    assert "Raises:" in described


async def test_a_domain_server_offers_its_domains_alone(platform: Platform) -> None:
    names = {t.name for t in (await platform.tools("devices")).tools}
    assert names == {"devices_enroll", "deployment_rollback"}


@pytest.mark.parametrize(
    ("role", "sees", "misses"),
    [
        (Role.VIEWER, {"registry_list", "knowledge_search"}, {"datasets_add", "registry_promote"}),
        (Role.OPERATOR, {"registry_list", "datasets_add", "registry_promote"}, set()),
    ],
)
async def test_the_list_is_cut_to_what_the_roles_may_use(
    platform: Platform, role: Role, sees: set[str], misses: set[str]
) -> None:
    names = {t.name for t in (await platform.tools("all", context_of(role))).tools}
    assert sees <= names
    assert not misses & names


async def test_what_is_not_listed_is_refused_by_the_gate_all_the_same(platform: Platform) -> None:
    async with platform.client("all", context_of(Role.VIEWER)) as session:
        answer = await session.call_tool("datasets_add", {"name": "x"})
    assert answer.isError
    assert answer.structuredContent["error"]["code"] == "policy_denied"
    assert platform.world.acts == []


async def test_the_server_says_who_it_is_and_what_rules_hold(platform: Platform) -> None:
    from mcp.shared.memory import create_connected_server_and_client_session

    from mcp_servers.builder import build_server

    server = build_server("registry", platform.operations, platform.caller, lambda: OWNER)
    async with create_connected_server_and_client_session(server) as session:
        first = await session.initialize()
    assert first.serverInfo.name == "pilothouse-registry"
    assert "no tool can approve" in (first.instructions or "")
    assert first.capabilities.tools and first.capabilities.resources
    assert first.capabilities.prompts and first.capabilities.completions
