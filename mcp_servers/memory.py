"""The servers inside this process, for the agents: sessions in memory, passes for each call."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

from mcp.client.session import ClientSession
from mcp.server.lowlevel import Server
from mcp.shared.memory import create_connected_server_and_client_session

from mcp_servers.builder import build_server
from mcp_servers.caller import Caller
from mcp_servers.names import server_of
from mcp_servers.passes import META, Pass, Passes
from tools.kernel.identity import RequestContext
from tools.kernel.operations import OperationSet


@asynccontextmanager
async def in_memory_session(server: Server[Any, Any]) -> AsyncGenerator[ClientSession, None]:
    """A client session on a server in this process; leave it in the task that entered it."""
    async with create_connected_server_and_client_session(server) as session:
        yield session


class LocalServers:
    """All domain servers of this process, for `agents.team.Team`; safe from several tasks.

    Args:
        operations: all operations.
        caller: how calls reach the gate.
    """

    def __init__(self, operations: OperationSet, caller: Caller) -> None:
        self._operations = operations
        self._caller = caller
        self._passes = Passes()

    def server_of(self, domain: str) -> str:
        """The server that offers a domain's operations."""
        return server_of(domain)

    @asynccontextmanager
    async def connect(self, server: str) -> AsyncGenerator[ClientSession, None]:
        """A session on one server."""
        built = build_server(server, self._operations, self._caller, self._passes.door)
        async with in_memory_session(built) as session:
            yield session

    def issue(
        self,
        context: RequestContext,
        *,
        approval: str | None = None,
        idempotency_key: str | None = None,
        for_model: bool = False,
    ) -> dict[str, Any]:
        """The `_meta` that lets one request through.

        Args:
            context: for whom, in which plan and step.
            approval: an approval's id, when a granted step goes on.
            idempotency_key: see the gate.
            for_model: True if a language model reads the answer: secrets stay masked, long
                results are cut.
        """
        given = Pass(context, approval, idempotency_key)
        if not for_model:
            given = replace(given, reveal=True, limit=None)
        return {META: self._passes.issue(given)}

    def drop(self, meta: dict[str, Any]) -> None:
        """Make what `issue` gave worthless, used or not."""
        self._passes.drop(str(meta.get(META)))
