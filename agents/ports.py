"""What the team needs from outside: the MCP servers of this process, and somebody to tell."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any, Protocol

from mcp.client.session import ClientSession

from tools.kernel.identity import RequestContext

if TYPE_CHECKING:
    from autogen_agentchat.messages import BaseAgentEvent, BaseChatMessage

OnEvent = Callable[["BaseAgentEvent | BaseChatMessage"], None]
"""Told of `ToolProgress`, `ToolOutcome` and, with a language model, its words as they come."""


class Servers(Protocol):
    """The MCP servers of this process, and the passes that let calls through them."""

    def server_of(self, domain: str) -> str:
        """The server that offers a domain's operations."""
        ...

    def connect(self, server: str) -> AbstractAsyncContextManager[ClientSession]:
        """A session on one server."""
        ...

    def issue(
        self,
        context: RequestContext,
        *,
        approval: str | None = None,
        idempotency_key: str | None = None,
        for_model: bool = False,
    ) -> dict[str, Any]:
        """The `_meta` that lets one request through."""
        ...

    def drop(self, meta: dict[str, Any]) -> None:
        """Make what `issue` gave worthless."""
        ...
