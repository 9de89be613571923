"""What a tool call costs over MCP: in memory, over stdio, over HTTP, and the library alone.

    python -m benchmarks.mcp [--calls 300] [--sessions 500] [--json]

The same trivial reading operation, through the real gate (token, policy, audit, receipt), by the
official Python client's session, without its check of the answer against the tool's schema, which
alone takes longer than the rest. `gate` is the call without MCP, `peer_http` a trivial tool of the
library's own FastMCP over HTTP without any gate or token, in the same run. Times are milliseconds;
`cpu` is this process's processor time a call, client and server together, which other programs on
the machine do not stretch (over stdio the server is another process). Also what an idle session
costs in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import uvicorn
from mcp import ClientSession, StdioServerParameters, types
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.fastmcp import FastMCP
from mcp.shared._httpx_utils import create_mcp_http_client

from mcp_servers.builder import build_server
from mcp_servers.caller import LocalCaller
from mcp_servers.memory import in_memory_session
from tools.kernel.identity import Channel, Principal, RequestContext, Role
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings

OWNER = RequestContext(Principal("owner", frozenset(Role)), Channel.MCP)
TOOL = "platform_whoami"
Call = Callable[[], Awaitable[Any]]


async def timed(call: Call, calls: int) -> dict[str, float]:
    """The median and the 95th percentile of so many calls, after some that warm up."""
    for _ in range(20):
        await call()
    taken: list[float] = []
    worked = time.process_time()
    for _ in range(calls):
        began = time.perf_counter()
        await call()
        taken.append((time.perf_counter() - began) * 1000)
    cpu = (time.process_time() - worked) * 1000 / calls
    taken.sort()
    p95 = taken[int(len(taken) * 0.95) - 1]
    return {"p50": round(statistics.median(taken), 2), "p95": round(p95, 2), "cpu": round(cpu, 2)}


async def call(session: ClientSession) -> types.CallToolResult:
    params = types.CallToolRequestParams(name=TOOL, arguments={})
    request = types.ClientRequest(types.CallToolRequest(params=params))
    answer = await session.send_request(request, types.CallToolResult)
    if answer.isError:
        raise RuntimeError(str(answer.content))
    return answer


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """An application on a free port, in a thread of its own; its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await asyncio.to_thread(thread.join, 20)


@asynccontextmanager
async def over_http(address: str, token: str | None = None) -> AsyncIterator[ClientSession]:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    async with (
        create_mcp_http_client(headers=headers) as http,
        streamable_http_client(address, http_client=http) as streams,
        ClientSession(streams[0], streams[1]) as session,
    ):
        await session.initialize()
        yield session


async def measure(kernel: Kernel, calls: int, sessions: int) -> dict[str, Any]:
    from ui.api import servers
    from ui.api.app import create_app
    from ui.api.door import Door
    from ui.auth import shield

    async def no_assistant(kernel: Kernel) -> Any:
        raise NotImplementedError

    found: dict[str, Any] = {}
    caller = LocalCaller(kernel.gate)
    found["gate"] = await timed(lambda: caller.call("platform.whoami", {}, OWNER), calls)
    built = build_server("platform", kernel.operations, caller, lambda: OWNER)
    async with in_memory_session(built) as session:
        found["in_memory"] = await timed(lambda: call(session), calls)
    kernel.principals.add("ada", frozenset({Role.OPERATOR}))
    token = kernel.tokens.create("ada", "default", "benchmark", audience="/mcp")[1]
    door = Door(kernel, "owner", no_assistant, lambda: None)
    async with served(create_app(door, doors=(servers.add_to, shield.add_to))) as base:
        async with over_http(f"{base}/mcp/platform", token) as session:
            found["http"] = await timed(lambda: call(session), calls)
        found["idle_session_kb"] = await idle(f"{base}/mcp/platform", kernel, sessions)
    peer = FastMCP("peer")
    peer.tool(name=TOOL)(lambda: {"name": "owner"})
    async with (
        served(peer.streamable_http_app()) as base,
        over_http(f"{base}/mcp") as session,
    ):
        found["peer_http"] = await timed(lambda: call(session), calls)
    found["stdio"] = await over_stdio(kernel.settings.home, calls)
    return found


async def idle(address: str, kernel: Kernel, sessions: int) -> float:
    """KiB that one more idle session holds, by this process's memory before and after."""
    message = {
        "jsonrpc": "2.0",
        "id": 0,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-11-25",
            "capabilities": {},
            "clientInfo": {"name": "idle", "version": "1"},
        },
    }
    headers = {"Accept": "application/json, text/event-stream"}
    tokens = []
    for n in range(-(-sessions // 32)):
        kernel.principals.add(f"idle-{n}", frozenset({Role.VIEWER}))
        tokens.append(kernel.tokens.create(f"idle-{n}", "default", "x", audience="/mcp")[1])
    gc.collect()
    before = psutil.Process().memory_info().rss
    async with httpx.AsyncClient(headers=headers) as client:
        for n in range(sessions):
            shown = {"Authorization": f"Bearer {tokens[n // 32]}"}
            answer = await client.post(address, json=message, headers=shown)
            answer.raise_for_status()
    gc.collect()
    return round((psutil.Process().memory_info().rss - before) / sessions / 1024, 1)


async def over_stdio(home: Path, calls: int) -> dict[str, float]:
    """Through `pilothouse mcp platform`, which talks to the platform process of a home."""
    program = str(Path(sys.executable).parent / "pilothouse")
    environment = {**os.environ, "PILOTHOUSE_HOME": str(home / "stdio")}
    server = StdioServerParameters(command=program, args=["mcp", "platform"], env=environment)
    try:
        with Path(os.devnull).open("w") as nowhere:  # noqa: ASYNC230 - it never waits
            began = time.perf_counter()
            async with (
                stdio_client(server, errlog=nowhere) as streams,
                ClientSession(*streams) as session,
            ):
                await session.initialize()
                connected = time.perf_counter() - began
                found = await timed(lambda: call(session), calls)
    finally:
        down = await asyncio.create_subprocess_exec(
            program, "down", env=environment, stdout=asyncio.subprocess.DEVNULL
        )
        await down.wait()
    return {**found, "first_connect": round(connected * 1000)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=300)
    parser.add_argument("--sessions", type=int, default=500)
    parser.add_argument("--json", action="store_true", help="one line of JSON")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        kernel = Kernel(Settings.model_validate({"home": Path(home)}))
        kernel.start()
        try:
            found = asyncio.run(measure(kernel, given.calls, given.sessions))
        finally:
            kernel.stop()
    if given.json:
        print(json.dumps(found))
    else:
        for name, value in found.items():
            print(f"{name:16} {value}")


if __name__ == "__main__":
    main()
