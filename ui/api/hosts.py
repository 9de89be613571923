"""Who may talk to the application at all: requests to loopback names only (DNS rebinding)."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from tools.kernel.errors import PolicyDenied
from ui.api.door import Door
from ui.api.problems import answer

LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})


def add_to(app: FastAPI, door: Door) -> None:
    """Let requests for other names in by no door."""
    app.add_middleware(LoopbackOnly)


class LoopbackOnly:
    """Refuses requests and WebSockets whose Host header names another machine."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass loopback requests on."""
        if scope["type"] not in ("http", "websocket") or _host(scope) in LOOPBACK:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await WebSocketClose(1008, "loopback names only")(scope, receive, send)
        else:
            refused = PolicyDenied("This address answers to loopback names only.")
            await answer(refused, scope["path"])(scope, receive, send)


def _host(scope: Scope) -> str:
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    value = next((v for k, v in headers if k == b"host"), b"").decode("latin-1").lower()
    name, _, port = value.rpartition(":")
    return name if name and port.isdigit() else value
