"""The same over standard input and output, with the official client and the official inspector."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

from tests.support.node import peers, run_node

ROOT = Path(__file__).resolve().parents[2]


def command(home: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "tests.mcp_servers.stdio_server", str(home), *more]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}


@asynccontextmanager
async def client(home: Path, *more: str) -> AsyncIterator[ClientSession]:
    program, *arguments = command(home, *more)
    server = StdioServerParameters(
        command=program, args=arguments, env=environment(), cwd=str(ROOT)
    )
    with open(os.devnull, "w") as nowhere:
        async with (
            stdio_client(server, errlog=nowhere) as streams,
            ClientSession(*streams) as session,
        ):
            await session.initialize()
            yield session


async def test_the_official_client_lists_calls_and_reads(home: Path) -> None:
    async with client(home, "all") as session:
        tools = (await session.list_tools()).tools
        assert {"registry_promote", "deployment_rollback"} <= {t.name for t in tools}
        answer = await session.call_tool("registry_list", {"limit": 2})
        assert len(answer.structuredContent["result"]["models"]) == 2
        refused = await session.call_tool("deployment_rollback", {"name": "phones"})
        assert refused.isError and "pilothouse approvals grant A" in refused.content[0].text
        prompts = (await session.list_prompts()).prompts
        assert "rollout_safely" in {p.name for p in prompts}


async def test_receipts_name_the_mcp_door_and_each_request_has_its_own_id(home: Path) -> None:
    async with client(home, "registry", "operator") as session:
        seen = []
        for version in (1, 2):
            answer = await session.call_tool(
                "registry_promote", {"model": "m", "version": version, "alias": "challenger"}
            )
            seen.append(answer.structuredContent["receipt"])
    assert [r["channel"] for r in seen] == ["mcp", "mcp"]


def test_only_the_protocol_reaches_standard_output_and_the_end_of_input_ends_it(
    home: Path,
) -> None:
    messages = [
        {
            "jsonrpc": "2.0",
            "id": 0,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "raw", "version": "1"},
            },
        },
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "platform_whoami", "arguments": {}},
        },
    ]
    server = subprocess.Popen(
        command(home, "platform"),
        cwd=ROOT,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert server.stdin and server.stdout and server.stderr
    answers = []
    for message in messages:
        server.stdin.write(json.dumps(message) + "\n")
        server.stdin.flush()
        if "id" in message:
            answers.append(json.loads(server.stdout.readline()))
    server.stdin.close()
    rest, told = server.stdout.read(), server.stderr.read()
    assert server.wait(20) == 0
    assert [a["id"] for a in answers] == [0, 1]
    assert answers[1]["result"]["structuredContent"]["result"] == {"word": "owner"}
    assert rest == ""
    assert "a library prints this" in told and "and native code writes this" in told
    assert "Traceback" not in told


def inspect(home: Path, *more: str) -> Any:
    """Run the official inspector's command line against the server."""
    inspector = str(peers() / "@modelcontextprotocol/inspector/clients/launcher/build/index.js")
    patient = ("--connect-timeout", "60000")
    done = run_node(
        inspector, "--cli", *command(home, "all"), *more, *patient, cwd=ROOT, env=environment()
    )
    assert done.stdout.strip(), done.stderr
    return json.loads(done.stdout)


@pytest.mark.timeout(240)
def test_the_official_inspector_lists_and_calls_tools(home: Path) -> None:
    listed = inspect(home, "--method", "tools/list")
    names = {t["name"] for t in listed["tools"]}
    assert {"registry_promote", "deployment_rollback", "platform_whoami"} <= names
    answer = inspect(
        home, "--method", "tools/call", "--tool-name", "registry_list", "--tool-arg", "limit=2"
    )
    assert len(answer["structuredContent"]["result"]["models"]) == 2
    refused = inspect(
        home, "--method", "tools/call", "--tool-name", "deployment_rollback",
        "--tool-arg", "name=phones",
    )  # fmt: skip
    assert refused["isError"] is True
    assert refused["structuredContent"]["error"]["code"] == "needs_approval"
