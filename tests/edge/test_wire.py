"""Answers that arrive damaged are not kept, neither as a credential nor as what is desired."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any, cast

import pytest

from edge.errors import Unreachable
from edge.identity import Identity
from edge.wire import Client, content_digest

KEY = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="


class Platform(HTTPServer):
    """Answers everything with one JSON, with a letter changed on its way if `damaged`."""

    told: dict[str, Any]
    damaged = True


class Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        platform = cast(Platform, self.server)
        sent = json.dumps(platform.told).encode()
        arrives = sent.swapcase() if platform.damaged else sent
        self.send_response(200)
        self.send_header("Content-Digest", content_digest(sent))
        self.send_header("ETag", '"7"')
        self.end_headers()
        self.wfile.write(arrives)

    do_GET = do_POST

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def platform() -> Iterator[Platform]:
    server = Platform(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_damaged_credential_is_not_kept(platform: Platform) -> None:
    platform.told = {"credential": "fresh", "seconds": 60}
    kept: list[Identity] = []
    identity = Identity("tp", "laptop", "former", "", KEY)
    client = Client(f"http://127.0.0.1:{platform.server_port}", identity, kept.append)
    with pytest.raises(Unreachable, match="damaged"):
        client.renew_when_due()
    assert not kept
    platform.damaged = False
    client.renew_when_due()
    assert [i.credential for i in kept] == ["fresh"]


def test_a_damaged_desired_state_is_asked_for_again(platform: Platform) -> None:
    platform.told = {"generation": 7, "serve": [], "stage": []}
    identity = Identity("tp", "laptop", "former", "", KEY)
    client = Client(f"http://127.0.0.1:{platform.server_port}", identity)
    with pytest.raises(Unreachable, match="damaged"):
        client.desired(None, 0)
    platform.damaged = False
    found = client.desired(None, 0)
    assert found is not None and json.loads(found.content)["generation"] == 7
