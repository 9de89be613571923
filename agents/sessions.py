"""Long-lived MCP sessions, each held by a task of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import Any

import anyio
from mcp import types
from mcp.client.session import ClientSession

Connect = Callable[[], AbstractAsyncContextManager[ClientSession]]
REVEALED = "pilothouse/revealed"
_CANCEL_SECONDS = 1.0


class OwnedSession:
    """A session that is entered and left by one task, as anyio's task groups demand.

    Any task of the same event loop may use it meanwhile.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._stop = asyncio.Event()
        self._ready: asyncio.Future[ClientSession] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._own())

    @property
    def alive(self) -> bool:
        """False once the connection has ended."""
        return not self._task.done()

    async def session(self) -> ClientSession:
        """The session, once it is connected; raises what connecting raised."""
        return await asyncio.shield(self._ready)

    async def close(self) -> None:
        """End the session and wait for it."""
        self._stop.set()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _own(self) -> None:
        try:
            async with self._connect() as session:
                self._ready.set_result(session)
                await self._stop.wait()
        except Exception as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)
        finally:
            self._ready.cancel()  # whoever still waits must not wait for ever


async def call_tool(
    session: ClientSession,
    name: str,
    arguments: dict[str, Any],
    meta: dict[str, Any],
    moved: Callable[[float, str], None],
) -> types.CallToolResult:
    """Call a tool; if this task is cancelled, the server is told so.

    `ClientSession.call_tool` would check the answer against the schema a second time (the server
    has done so) and leaves a cancelled call running.

    Raises:
        McpError: for errors of the protocol.
    """

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        moved(progress / total if total else progress, message or "")

    params = types.CallToolRequestParams(
        name=name, arguments=arguments, _meta=types.RequestParams.Meta.model_validate(meta)
    )
    # The SDK has no public way to learn a request's id; `send_request` takes this one, and nothing
    # runs between reading it here and taking it there.
    request_id: int = session._request_id  # pyright: ignore[reportPrivateUsage]
    try:
        return await session.send_request(
            types.ClientRequest(types.CallToolRequest(params=params)),
            types.CallToolResult,
            progress_callback=on_progress,
        )
    except asyncio.CancelledError:
        await _tell_cancelled(session, request_id)
        raise


def text_of(result: types.CallToolResult) -> str:
    """The text blocks of a tool's answer."""
    return "\n".join(c.text for c in result.content if isinstance(c, types.TextContent))


def structured(answer: types.CallToolResult) -> dict[str, Any]:
    """The structured content; made from the text for servers that give none."""
    if answer.structuredContent is not None:
        return answer.structuredContent
    if answer.isError:
        return {"error": {"code": "operation_failed", "message": text_of(answer)}}
    return {"result": {"text": text_of(answer)}}


def revealed(answer: types.CallToolResult) -> dict[str, Any] | None:
    """The result with its secrets, where the pass allowed it."""
    return (answer.meta or {}).get(REVEALED)


async def _tell_cancelled(session: ClientSession, request_id: int) -> None:
    params = types.CancelledNotificationParams(
        requestId=request_id, reason="cancelled by the caller"
    )
    notification = types.ClientNotification(types.CancelledNotification(params=params))
    with anyio.move_on_after(_CANCEL_SECONDS, shield=True):
        try:
            await session.send_notification(notification)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError):
            return  # the connection is gone, and the call with it
