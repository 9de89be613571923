"""A real kernel and gate over the fake operations, and the servers and team on top."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from mcp.client.session import ClientSession
from mcp.types import ListToolsResult

from mcp_servers.builder import build_server
from mcp_servers.caller import Caller, LocalCaller
from mcp_servers.memory import LocalServers, in_memory_session
from tests.support.fake_operations import World, fake_operations
from tools.kernel.identity import Channel, Principal, RequestContext, Role
from tools.kernel.kernel import Kernel
from tools.kernel.operations import OperationSet
from tools.kernel.settings import Settings


def context_of(*roles: Role, name: str = "ada") -> RequestContext:
    return RequestContext(Principal(name, frozenset(roles)), Channel.MCP)


OWNER = RequestContext(Principal("owner", frozenset(Role)), Channel.MCP)


@dataclass
class Platform:
    """All that a test needs of the fake platform."""

    kernel: Kernel
    world: World
    operations: OperationSet
    caller: Caller
    servers: LocalServers = field(init=False)

    def __post_init__(self) -> None:
        self.servers = LocalServers(self.operations, self.caller)

    @asynccontextmanager
    async def client(
        self, server: str = "all", context: RequestContext = OWNER
    ) -> AsyncIterator[ClientSession]:
        """An outsider's session: the door says who it is."""
        built = build_server(server, self.operations, self.caller, lambda: context)
        try:
            async with in_memory_session(built) as session:
                yield session
        except BaseExceptionGroup as group:
            raise _innermost(group) from None

    async def tools(self, server: str = "all", context: RequestContext = OWNER) -> ListToolsResult:
        async with self.client(server, context) as session:
            return await session.list_tools()

    def approvals(self) -> list[Any]:
        return self.kernel.approvals.list("default")


def _innermost(group: BaseException) -> BaseException:
    """What a test raised inside a session, out of the task groups' wrapping."""
    while isinstance(group, BaseExceptionGroup):
        group = group.exceptions[0]
    return group


@pytest.fixture
def platform(home: Path) -> Iterator[Platform]:
    world = World()
    operations = fake_operations(world)
    kernel = Kernel(Settings.model_validate({"home": home}), operations)
    caller = LocalCaller(kernel.gate)
    yield Platform(kernel, world, operations, caller)
    world.release.set()
    caller.close()
    kernel.stop()
