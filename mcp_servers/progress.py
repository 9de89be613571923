"""Progress from worker threads to a client, in order, growing, and never after the answer."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from mcp.server.session import ServerSession

from mcp_servers.caller import Progress


@asynccontextmanager
async def progress_to(
    session: ServerSession, token: str | int | None, request: str
) -> AsyncGenerator[Progress | None, None]:
    """A `Progress` that notifies the client; None if the client did not ask for it.

    Args:
        session: the client's session.
        token: the progress token of the request.
        request: the request's id, so that HTTP transports find its stream.
    """
    if token is None:
        yield None
        return
    loop = asyncio.get_running_loop()
    queue: asyncio.Queue[tuple[float, str] | None] = asyncio.Queue()
    task = asyncio.create_task(_forward(session, token, request, queue))

    def report(fraction: float, message: str) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed: nobody listens any more
            loop.call_soon_threadsafe(queue.put_nowait, (fraction, message))

    try:
        yield report
        loop.call_soon(queue.put_nowait, None)
        await task
    finally:
        task.cancel()


async def _forward(
    session: ServerSession,
    token: str | int,
    request: str,
    queue: asyncio.Queue[tuple[float, str] | None],
) -> None:
    last = -1.0
    while (item := await queue.get()) is not None:
        fraction, message = item
        if fraction > last:
            last = fraction
            await session.send_progress_notification(
                token, fraction, 1.0, message or None, related_request_id=request
            )
