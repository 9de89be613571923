"""The chat as a door of the gateway."""

from __future__ import annotations

import asyncio
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

from fastapi import FastAPI
from starlette.types import ASGIApp

from tools.kernel.identity import RequestContext
from ui.auth import shield
from ui.chat.doorman import Doorman
from ui.chat.loading import ROOT
from ui.chat.page import POLICY, page
from ui.chat.people import identifier
from ui.chat.reconnecting import Reconnecting

if TYPE_CHECKING:
    from ui.api.door import Door

log = logging.getLogger(__name__)


def add_to(app: FastAPI, door: Door) -> None:
    """Mount the chat; Chainlit itself is loaded at the first visit."""
    shield.POLICIES[ROOT] = POLICY
    app.mount(ROOT, Doorman(Loaded(door).get, _token))


class Loaded:
    """Chainlit's application over one platform, once it was asked for.

    Args:
        door: the platform.
    """

    def __init__(self, door: Door) -> None:
        self._door = door
        self._lock = asyncio.Lock()
        self._made: tuple[ASGIApp, str] | None = None

    async def get(self) -> tuple[ASGIApp, str]:
        """The application and its page."""
        async with self._lock:
            if self._made is None:
                began = time.perf_counter()
                self._made = await asyncio.to_thread(self._make)
                log.info("the chat is ready after %.1f s", time.perf_counter() - began)
            return self._made

    def _make(self) -> tuple[ASGIApp, str]:
        from ui.chat.loading import load

        server = load(self._door.kernel.settings.home)
        from ui.chat.handlers import Handlers

        handlers = Handlers(self._door, server)
        handlers.register()
        return Reconnecting(server.app, handlers.has_open), page(ROOT, Path(server.build_dir))


def _token(context: RequestContext) -> str:
    from chainlit.auth import create_jwt
    from chainlit.user import User

    principal = context.principal
    return create_jwt(User(identifier=identifier(principal), display_name=principal.name))
