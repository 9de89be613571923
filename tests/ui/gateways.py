"""The gateway in the test's own process: the real application over a kernel, no server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from fastapi.testclient import TestClient

from tests.ui.scripted import opened
from tools.kernel.identity import Role
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings
from ui.api.app import create_app
from ui.api.door import Door

OWNER_TOKEN = "the-owner-of-this-test-home"
LOOPBACK = "http://127.0.0.1:8080"


class Gateway:
    """A client of the application, as the owner unless said otherwise."""

    def __init__(self, kernel: Kernel, client: TestClient) -> None:
        self.kernel = kernel
        self.client = client
        self.app = cast("Any", client.app)

    def headers(self, token: str = OWNER_TOKEN) -> dict[str, str]:
        return {"Authorization": f"Bearer {token}"}

    def user(self, name: str, *roles: Role, tenant: str = "default") -> dict[str, str]:
        """Headers of a new user with these roles."""
        return self.headers(self.kernel.principals.add(name, frozenset(roles), tenant))

    def get(self, path: str, headers: dict[str, str] | None = None, **query: Any) -> Any:
        return self.client.get(path, params=query, headers=headers or self.headers())

    def call(self, operation: str, headers: dict[str, str] | None = None, **arguments: Any) -> Any:
        return self.post(f"/api/v1/operations/{operation}", {"arguments": arguments}, headers)

    def post(self, path: str, body: Any, headers: dict[str, str] | None = None) -> Any:
        return self.client.post(path, json=body, headers={**self.headers(), **(headers or {})})


@contextmanager
def gateway(home: Path, *, jobs: bool = False) -> Iterator[Gateway]:
    """The application over a home; with its job engine if `jobs`."""
    kernel = Kernel(Settings.model_validate({"home": home}))
    if jobs:
        kernel.start()
    door = Door(kernel, OWNER_TOKEN, opened, shut_down=lambda: None)
    with TestClient(create_app(door), base_url=LOOPBACK, raise_server_exceptions=False) as client:
        yield Gateway(kernel, client)
    kernel.stop()
