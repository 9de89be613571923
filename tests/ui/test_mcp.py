"""`pilothouse mcp` serves the platform's operations to an outside MCP client."""

from __future__ import annotations

import sys

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.ui.homes import ROOT, Home


async def test_tools_reach_the_gate_of_the_running_platform(scripted: Home) -> None:
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "ui.cli", "mcp", "all"],
        env=scripted.environment,
        cwd=str(ROOT),
    )
    async with stdio_client(server) as (reader, writer), ClientSession(reader, writer) as session:
        await session.initialize()
        tools = {tool.name for tool in (await session.list_tools()).tools}
        name = next(t for t in tools if t.endswith("whoami"))
        answer = await session.call_tool(name, {})
        assert not answer.isError and answer.structuredContent is not None
        receipt = answer.structuredContent["receipt"]
    found = scripted.client().get(f"/api/v1/receipts/{receipt['id']}")
    assert found["channel"] == "mcp" and found["principal"] == "owner"


async def test_a_dangerous_tool_is_granted_at_the_terminal_and_called_again(scripted: Home) -> None:
    server = StdioServerParameters(
        command=sys.executable,
        args=["-m", "ui.cli", "mcp", "platform"],
        env=scripted.environment,
        cwd=str(ROOT),
    )
    arguments = {"name": "xenia", "role": "viewer"}
    async with stdio_client(server) as (reader, writer), ClientSession(reader, writer) as session:
        await session.initialize()
        tools = {tool.name for tool in (await session.list_tools()).tools}
        name = next(t for t in tools if t.endswith("add_user"))
        refused = await session.call_tool(name, arguments)
        assert refused.isError and refused.structuredContent is not None
        approval = refused.structuredContent["error"]["approval"]["id"]
        granted = scripted.run("approvals", "grant", approval, "--confirm", "xenia")
        assert granted.returncode == 0
        answer = await session.call_tool(name, arguments)
        assert not answer.isError, answer
    users = [u["name"] for u in scripted.json("users")["result"]["users"]]
    assert "xenia" in users
