"""Buttons pressed in a tab that has lost its connection and is about to have it again.

Chainlit takes a pressed button by HTTP and finds the tab by its connection. After a restart of the
platform an open tab shows its buttons before it is connected again, which takes a few seconds; what
is pressed meanwhile waits for that.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ACTION = "/project/action"
PATIENCE_SECONDS = 45.0
"""A browser tries again every five seconds at most; the rest is for a platform that just starts."""
LOOK_SECONDS = 0.05


class Reconnecting:
    """Wraps Chainlit's application: a pressed button waits until its tab is connected.

    Args:
        inner: the application.
        connected: True if the tab with this session id is connected, and its chat is open.
        patience: how long to wait for that, in seconds.
    """

    def __init__(
        self,
        inner: ASGIApp,
        connected: Callable[[str], bool],
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        self._inner = inner
        self._connected = connected
        self._patience = patience

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, a pressed button as soon as its tab is there."""
        if scope["type"] != "http" or not str(scope["path"]).endswith(ACTION):
            await self._inner(scope, receive, send)
            return
        body = await Request(scope, receive).body()
        session = _session(body)
        if session is None or await self._there(session):
            await self._inner(scope, _again(body, receive), send)
            return
        told = "This page is not connected. Reload it, and press again; nothing was done."
        await JSONResponse({"detail": told}, 409)(scope, receive, send)

    async def _there(self, session: str) -> bool:
        try:
            async with asyncio.timeout(self._patience):
                while not self._connected(session):  # noqa: ASYNC110 - Chainlit announces no tab
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            return False
        return True


def _session(body: bytes) -> str | None:
    """The tab that a request names; None if it is malformed, which is Chainlit's to say."""
    try:
        told: Any = json.loads(body)
    except ValueError:
        return None
    session = cast("dict[str, Any]", told).get("sessionId") if isinstance(told, dict) else None
    return session if isinstance(session, str) else None


def _again(body: bytes, receive: Receive) -> Receive:
    """The request's body once more, then what the connection says."""
    given = False

    async def receiving() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receiving
