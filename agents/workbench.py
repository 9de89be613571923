"""AutoGen's view of MCP tools: a stream workbench over sessions that are open already.

Beside AutoGen's own it keeps structured content, passes progress on, tells the server of a
cancellation, lists tools once, and never lets an exception out (one hangs `AssistantAgent`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from autogen_agentchat.messages import BaseAgentEvent
from autogen_core import CancellationToken
from autogen_core.tools import (
    ParametersSchema,
    StaticStreamWorkbench,
    TextResultContent,
    ToolResult,
    ToolSchema,
)
from mcp import types
from mcp.client.session import ClientSession
from mcp.shared.exceptions import McpError

from agents.events import ToolOutcome, ToolProgress
from agents.sessions import call_tool, revealed, structured, text_of

OPERATION = "pilothouse/operation"
EFFECT = "pilothouse/effect"
_SETTLE_SECONDS = 1.5

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class BoundTool:
    """A tool and the session it is called over.

    Attributes:
        operation: `domain.verb`.
        effect: `read`, `write`, `dangerous`, or `depends` (on the arguments, or not told).
    """

    name: str
    session: ClientSession
    description: str = ""
    parameters: dict[str, Any] = field(default_factory=dict[str, Any])
    operation: str = ""
    effect: str = "depends"

    @classmethod
    def of(cls, tool: types.Tool, session: ClientSession) -> BoundTool:
        """A listed tool."""
        told = tool.meta or {}
        return cls(
            tool.name,
            session,
            tool.description or "",
            tool.inputSchema,
            operation=str(told.get(OPERATION, tool.name)),
            effect=str(told.get(EFFECT, "depends")),
        )

    @property
    def read_only(self) -> bool:
        """True if it changes nothing."""
        return self.effect == "read"

    @property
    def always_dangerous(self) -> bool:
        """True if the gate never runs it without a person's approval."""
        return self.effect == "dangerous"

    @property
    def schema(self) -> ToolSchema:
        """As AutoGen hands it to a model."""
        parameters = self.parameters or {"type": "object", "properties": {}}
        return ToolSchema(
            name=self.name,
            description=self.description,
            parameters=cast("ParametersSchema", parameters),
        )


Guard = Callable[[BoundTool, dict[str, Any]], dict[str, Any] | None]
"""Looks at a call before it is made: None lets it pass, an error (as doors show it) stops it."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What surrounds each call of a workbench.

    Attributes:
        source: the agent's name.
        issue: gives the `_meta` for one request.
        drop: makes it worthless again.
        guard: may stop a call.
        tell: turns a tool's answer into what the model reads.
    """

    source: str
    issue: Callable[[], dict[str, Any]]
    drop: Callable[[dict[str, Any]], None]
    guard: Guard = lambda tool, arguments: None
    tell: Callable[[str, types.CallToolResult], str] = lambda tool, result: text_of(result)


class SessionWorkbench(StaticStreamWorkbench):
    """Tools over MCP sessions, for one agent and one turn.

    Args:
        tools: what the agent may call.
        rules: what surrounds each call.
    """

    def __init__(self, tools: Sequence[BoundTool], rules: Rules) -> None:
        super().__init__([])
        self._bound = {tool.name: tool for tool in tools}
        self._schemas = [tool.schema for tool in tools]
        self._rules = rules
        self._running: set[asyncio.Task[None]] = set()

    async def list_tools(self) -> list[ToolSchema]:
        """The tools, as they were when the workbench was made."""
        return self._schemas

    async def call_tool(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,
        call_id: str | None = None,
    ) -> ToolResult:
        """One call without its events."""
        stream = self.call_tool_stream(name, arguments, cancellation_token, call_id)
        results = [item async for item in stream if isinstance(item, ToolResult)]
        return results[-1]

    async def call_tool_stream(
        self,
        name: str,
        arguments: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,
        call_id: str | None = None,
    ) -> AsyncGenerator[BaseAgentEvent | ToolResult, None]:
        """One call: its progress, its outcome, and last what the model reads."""
        queue: asyncio.Queue[BaseAgentEvent | ToolResult | None] = asyncio.Queue()
        task = asyncio.create_task(self._run(name, arguments, call_id or "", queue.put_nowait))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        if cancellation_token is not None:
            cancellation_token.link_future(task)
        # A task that is cancelled before its first step never runs: end the stream for it.
        task.add_done_callback(lambda _: queue.put_nowait(None))
        answered = False
        try:
            while (item := await queue.get()) is not None:
                answered = answered or isinstance(item, ToolResult)
                yield item
        finally:
            task.cancel()
        if not answered:
            answer = error_result(_cancelled(name))
            yield self._outcome(name, call_id or "", {}, answer)
            yield _tool_result(name, text_of(answer), True)

    async def settle(self) -> None:
        """Wait a moment for calls that were cancelled to have told their server."""
        if self._running:
            await asyncio.wait(self._running, timeout=_SETTLE_SECONDS)

    async def _run(
        self,
        name: str,
        arguments: Mapping[str, Any] | None,
        call_id: str,
        put: Callable[[BaseAgentEvent | ToolResult], None],
    ) -> None:
        def progress(fraction: float, message: str) -> None:
            put(
                ToolProgress(
                    source=self._rules.source,
                    call_id=call_id,
                    tool=name,
                    fraction=fraction,
                    message=message,
                )
            )

        given: dict[str, Any] = {}
        try:
            tool, given = self._bound[name], _checked(name, arguments)
            stopped = self._rules.guard(tool, given)
            if stopped is None:
                answer = await self._call(tool, given, progress)
            else:
                answer = error_result(stopped)
        except asyncio.CancelledError:
            answer = error_result(_cancelled(name))
        except _BadArguments as error:
            answer = error_result({"code": "invalid_input", "message": str(error)})
        except McpError as error:
            answer = error_result({"code": "unavailable", "message": error.error.message})
        except Exception:
            log.exception("calling %s failed", name)
            answer = error_result({"code": "internal", "message": f"Calling {name} failed."})
        put(self._outcome(name, call_id, given, answer))
        put(_tool_result(name, self._rules.tell(name, answer), answer.isError))

    async def _call(
        self, tool: BoundTool, arguments: dict[str, Any], progress: Callable[[float, str], None]
    ) -> types.CallToolResult:
        meta = self._rules.issue()
        try:
            return await call_tool(tool.session, tool.name, arguments, meta, progress)
        finally:
            self._rules.drop(meta)

    def _outcome(
        self, name: str, call_id: str, arguments: dict[str, Any], answer: types.CallToolResult
    ) -> ToolOutcome:
        tool = self._bound.get(name)
        return ToolOutcome(
            source=self._rules.source,
            call_id=call_id,
            tool=name,
            operation=tool.operation if tool else "",
            arguments=arguments,
            structured=structured(answer),
            revealed=revealed(answer),
            is_error=answer.isError,
        )


class _BadArguments(ValueError):
    """A model wrote something other than an object."""


def error_result(error: dict[str, Any]) -> types.CallToolResult:
    """An error as a tool's answer."""
    text = str(error.get("message", "It failed."))
    return types.CallToolResult(
        content=[types.TextContent(type="text", text=text)],
        structuredContent={"error": error},
        isError=True,
    )


def _checked(name: str, arguments: Any) -> dict[str, Any]:
    if arguments is None:
        return {}
    if not isinstance(arguments, Mapping):
        raise _BadArguments(f"{name} takes its arguments as an object.")
    return dict(cast("Mapping[str, Any]", arguments))


def _cancelled(name: str) -> dict[str, Any]:
    return {
        "code": "cancelled",
        "message": f"{name} was cancelled. If it had begun, its receipt says what was done.",
    }


def _tool_result(name: str, text: str, is_error: bool) -> ToolResult:
    return ToolResult(name=name, result=[TextResultContent(content=text)], is_error=is_error)
