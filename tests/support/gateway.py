"""The real gateway over the fake operations, served on a free port by a thread of the test."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvicorn

from tests.support.fake_operations import World, fake_operations
from tools.kernel.identity import Role
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings
from ui.api.app import AddDoor, create_app
from ui.api.door import Door

OWNERS = "the-owner's-token"


class Gateway:
    """A running gateway.

    Attributes:
        base: its address, without a slash at the end.
        kernel: its kernel.
        world: what the fake operations act on.
    """

    def __init__(self, base: str, kernel: Kernel, world: World) -> None:
        self.base, self.kernel, self.world = base, kernel, world

    def user(self, name: str, *roles: Role) -> str:
        """Add a user; returns the token that it is added with, which is bound to nothing."""
        return self.kernel.principals.add(name, frozenset(roles or {Role.OPERATOR}))

    def token(
        self,
        name: str,
        *,
        audience: str | None = "/mcp",
        scopes: Sequence[str] | None = None,
        lifetime: timedelta | None = None,
    ) -> str:
        """A further token of a user."""
        lent = None if scopes is None else frozenset(scopes)
        return self.kernel.tokens.create(
            name, "default", "test", audience=audience, scopes=lent, lifetime=lifetime
        )[1]

    def headers(self, token: str, **more: str) -> dict[str, str]:
        """The headers of an MCP request."""
        return {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json, text/event-stream",
            "Content-Type": "application/json",
            **more,
        }


@contextmanager
def running_gateway(
    home: Path, doors: Sequence[AddDoor], *, jobs: bool = True, **settings: Any
) -> Iterator[Gateway]:
    """Start a gateway, without jobs where the process has one already; stops it at the end."""
    world = World()
    kernel = Kernel(Settings.model_validate({"home": home, **settings}), fake_operations(world))
    if jobs:
        kernel.start()
    listener = socket.create_server(("127.0.0.1", 0))
    base = f"http://127.0.0.1:{listener.getsockname()[1]}"

    async def no_assistant(kernel: Kernel) -> Any:
        raise NotImplementedError

    app = create_app(Door(kernel, OWNERS, no_assistant, lambda: None), doors=doors)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield Gateway(base, kernel, world)
    finally:
        world.release.set()
        world.resume.set()
        server.should_exit = True
        thread.join(20)
        kernel.stop()
