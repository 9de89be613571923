"""A server over standard input and output, for editors and other MCP clients."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import replace
from io import TextIOWrapper
from uuid import uuid4

import anyio
from mcp.server.stdio import stdio_server

from mcp_servers.builder import build_server
from mcp_servers.caller import Caller
from mcp_servers.waiting import Waiting
from tools.kernel.identity import Channel, RequestContext
from tools.kernel.operations import OPERATIONS, OperationSet


def serve_stdio(
    server: str,
    caller: Caller,
    context: Callable[[], RequestContext],
    operations: OperationSet = OPERATIONS,
    waiting: Waiting | None = None,
) -> None:
    """Serve until standard input ends.

    Standard output carries the protocol alone: whatever this process or its libraries print goes to
    standard error instead.

    Args:
        server: the name of a server, or `all`.
        caller: how calls reach the gate.
        context: whose calls they are; each request gets an id of its own.
        operations: what is offered.
        waiting: waits for jobs and people.
    """
    asyncio.run(_serve(server, caller, context, operations, waiting))


async def _serve(
    server: str,
    caller: Caller,
    context: Callable[[], RequestContext],
    operations: OperationSet,
    waiting: Waiting | None,
) -> None:
    def door() -> RequestContext:
        return replace(context(), channel=Channel.MCP, request_id=uuid4().hex)

    built = build_server(server, operations, caller, door, waiting=waiting)
    with _protocol_only() as out:
        async with stdio_server(stdout=anyio.wrap_file(out)) as (reader, writer):
            await built.run(reader, writer, built.create_initialization_options())


@contextmanager
def _protocol_only() -> Generator[TextIOWrapper, None, None]:
    """Standard output as a private stream; descriptor 1 and `sys.stdout` lead to standard error."""
    sys.stdout.flush()
    private = os.dup(1)
    os.dup2(2, 1)
    before, sys.stdout = sys.stdout, sys.stderr
    out = TextIOWrapper(os.fdopen(private, "wb"), encoding="utf-8")
    try:
        yield out
    finally:
        sys.stdout = before
        out.flush()
        os.dup2(private, 1)
        out.close()
