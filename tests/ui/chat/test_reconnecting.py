"""A button pressed in a tab without a connection waits for it, and otherwise says what to do."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from httpx import ASGITransport, AsyncClient, Response
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.types import Receive, Scope, Send

from ui.chat.reconnecting import ACTION, Reconnecting

PRESSED = {"sessionId": "tab", "action": {"name": "approve", "payload": {}}}


async def _echo(scope: Scope, receive: Receive, send: Send) -> None:
    body = await Request(scope, receive).body()
    await JSONResponse(json.loads(body))(scope, receive, send)


def _press(connected: Callable[[str], bool], patience: float, pressed: Any = PRESSED) -> Response:
    async def press() -> Response:
        app = Reconnecting(_echo, connected, patience)
        async with AsyncClient(transport=ASGITransport(app), base_url="http://chat") as client:
            return await client.post(f"/chat{ACTION}", json=pressed)

    return asyncio.run(press())


def test_what_was_pressed_arrives_whole_once_the_tab_is_connected() -> None:
    looks = iter([False, False, True])
    answer = _press(lambda session: session == "tab" and next(looks), 10.0)
    assert answer.json() == PRESSED
    assert next(looks, None) is None


def test_without_a_tab_nothing_is_done_and_the_page_is_told_to_reload() -> None:
    answer = _press(lambda _: False, 0.0)
    assert answer.status_code == 409
    assert "Reload" in answer.json()["detail"]


def test_a_request_that_names_no_tab_is_left_to_who_refuses_it() -> None:
    assert _press(lambda _: False, 0.0, ["no object"]).json() == ["no object"]
