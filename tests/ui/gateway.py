"""A gateway in this process: the real application behind a real server, beside its kernel."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from tests.ui.scripted import opened
from tools.devices.protocol import DeviceProtocol
from tools.kernel.kernel import Kernel
from tools.kernel.passwords import hash_password
from tools.kernel.roles import ROLES
from tools.kernel.settings import Settings
from ui.api.app import create_app
from ui.api.door import Door
from ui.devices_api import device_router

OWNER_TOKEN = "the-owners-own-token-of-this-test"
PASSWORD = "correct-horse-battery"


class Gateway:
    """One gateway.

    Attributes:
        url: where it listens.
        kernel: its kernel.
        door: what its handlers share.
    """

    def __init__(self, kernel: Kernel, door: Door, app: Any, port: int) -> None:
        self.kernel, self.door, self.app = kernel, door, app
        self.url = f"http://127.0.0.1:{port}"

    def client(self, token: str | None = OWNER_TOKEN, **headers: str) -> httpx.Client:
        """A client that shows a token; none with None."""
        shown = {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers={**shown, **headers}, timeout=30)

    def browser(self, **headers: str) -> httpx.Client:
        """A client that behaves as one of our pages in a browser."""
        return self.client(None, Origin=self.url, **headers)

    def add(self, name: str, role: str = "admin", tenant: str = "default") -> str:
        """Add a user; returns the token. The password is `PASSWORD`."""
        token = self.kernel.principals.add(name, ROLES[role], tenant)
        self.kernel.principals.set_password(name, _password_hash(), tenant)
        return token

    def sign_in(self, name: str, password: str = PASSWORD, goal: str = "/") -> httpx.Response:
        """Sign in with a fresh browser; the answer to the form."""
        with self.browser() as browser:
            return browser.post("/login", data={"name": name, "password": password, "next": goal})


@contextlib.contextmanager
def gateway(
    home: Path, assistant: Any = opened, *, jobs: bool = True, **settings: Any
) -> Iterator[Gateway]:
    """Run one on a home until the block ends.

    Args:
        home: the home folder.
        assistant: opens the assistant; a scripted one when not given.
        jobs: False to run none; a process runs those of one home only.
        settings: what is configured.
    """
    kernel = Kernel(Settings(home=home, **settings))
    if jobs:
        kernel.start()
    ready = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    running: dict[str, Any] = {}

    async def serve() -> None:
        door = Door(kernel, OWNER_TOKEN, assistant, lambda: None)
        app = create_app(door, [device_router(kernel)])
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=1))
        server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        running.update(door=door, app=app, server=server, loop=asyncio.get_running_loop())
        door.begin()
        ready.set()
        await server.serve([listener])

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert ready.wait(30)
    try:
        yield Gateway(kernel, running["door"], running["app"], listener.getsockname()[1])
    finally:
        running["loop"].call_soon_threadsafe(running["door"].stopping.set)
        kernel.get(DeviceProtocol).send_away()
        running["server"].should_exit = True
        thread.join(20)
        kernel.stop()


_HASHES: list[str] = []


def _password_hash() -> str:
    if not _HASHES:
        _HASHES.append(hash_password(PASSWORD))
    return _HASHES[0]
