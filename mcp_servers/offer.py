"""What a server offers, whatever stands behind it: the builder's one interface."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

import mcp.types as types
from mcp.server.session import ServerSession
from mcp.shared.context import RequestContext as McpRequest

from mcp_servers.passes import Pass

Request = McpRequest[ServerSession, Any, Any]
"""The MCP request that is being handled: its session, id, progress token and transport."""
Contents = types.TextResourceContents | types.BlobResourceContents
Handler = Callable[[Any], Awaitable[types.Result]]
Reference = types.PromptReference | types.ResourceTemplateReference


class Offer(Protocol):
    """Tools, things to read and ready-made requests under one name.

    Each request brings a fresh `Pass`, so an offer keeps nothing about who asks. Expected troubles
    are raised as `PilothouseError`; the builder tells them as protocol errors.

    Attributes:
        name: how the server calls itself.
        instructions: what a client tells its model about the server.
    """

    name: str
    instructions: str

    async def tools(self, given: Pass) -> list[types.Tool]:
        """The tools that the caller may use."""
        ...

    async def call(
        self, name: str, arguments: dict[str, Any], given: Pass, request: Request
    ) -> types.CallToolResult:
        """Call a tool; what goes wrong inside is a result that says so, never an exception.

        Raises:
            NotFound: if there is no tool of that name.
        """
        ...

    async def resources(self, given: Pass) -> list[types.Resource]:
        """What there is to read now."""
        ...

    def templates(self) -> list[types.ResourceTemplate]:
        """The kinds of addresses that can be read."""
        ...

    async def read(self, uri: str, given: Pass) -> list[Contents]:
        """What is at an address.

        Raises:
            NotFound: if nothing is.
        """
        ...

    def prompts(self) -> list[types.Prompt]:
        """The ready-made requests."""
        ...

    def prompt(self, name: str, arguments: dict[str, str]) -> types.GetPromptResult:
        """One of them with its arguments filled in.

        Raises:
            NotFound: if there is none of that name.
            InvalidInput: if an argument is missing or unknown.
        """
        ...

    async def names(
        self, ref: Reference, argument: str, told: dict[str, str], given: Pass
    ) -> list[str]:
        """What an argument of a ready-made request or an address can be.

        Args:
            ref: the request or kind of address.
            argument: which of its arguments.
            told: the arguments that are known already.
            given: who asks.
        """
        ...

    def more(self) -> Mapping[type, Handler]:
        """Handlers of further MCP requests; a handler for a request declares its capability."""
        ...
