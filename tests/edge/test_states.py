"""What is desired is believed when the platform signed it for this device, and it is the newest."""

from __future__ import annotations

import base64
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.agent import Agent, Options
from edge.errors import Refused
from edge.identity import Identity
from edge.states import STATE_PREFIX, States
from edge.trust import KEYS_PREFIX, Trust
from edge.wire import Stated
from tests.edge.bundle import KEY
from tests.edge.test_trust import FRESH, listing, pem

PLATFORM = pem(KEY)
ANOTHER = Ed25519PrivateKey.generate()
OWN = base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()).decode()
IDENTITY = Identity("tp-1", "laptop", "credential", PLATFORM, OWN)
MISSING: dict[str, Any] = {"bundle": "a" * 64, "model": "router", "version": 2, "weight": 100}


def stated(
    generation: int,
    serve: Any = (),
    *,
    key: Ed25519PrivateKey = KEY,
    device: str = IDENTITY.public_pem,
) -> Stated:
    """A desired state that a key signed for a device."""
    body = {"generation": generation, "serve": list(serve), "stage": []}
    content = json.dumps(body).encode()
    signature = base64.b64encode(key.sign(STATE_PREFIX + device.encode() + content))
    return Stated(content, signature, f'"{generation}"')


def states(trust: Trust, renew: Callable[[], object] = lambda: None) -> States:
    return States(trust, IDENTITY.public_pem, lambda: (renew(), None)[1])


def changed(state: Stated) -> Stated:
    """The state with another content under its signature."""
    return Stated(state.content.replace(b"[]", b"[ ]"), state.signature, state.etag)


def test_a_state_is_read_that_the_platform_signed() -> None:
    assert states(Trust(PLATFORM)).read(stated(4)).generation == 4


@pytest.mark.parametrize(
    "state",
    [
        changed(stated(4)),
        stated(4, key=ANOTHER),
        stated(4, device=pem(ANOTHER)),
        Stated(stated(4).content, b"", '"4"'),
    ],
    ids=["changed", "signed by a stranger", "of another device", "not signed"],
)
def test_no_other_state_is_read(state: Stated) -> None:
    with pytest.raises(Refused, match="the desired state was refused"):
        states(Trust(PLATFORM)).read(state)


def test_a_state_of_a_new_key_is_read_once_the_list_of_keys_that_has_it_was_fetched() -> None:
    trust = Trust(PLATFORM)
    found = states(trust, lambda: trust.adopt(*listing(1))).read(stated(4, key=FRESH))
    assert found.generation == 4 and trust.serial == 1


def test_a_state_that_a_replaced_key_signed_is_good_until_the_key_ends() -> None:
    trust = Trust(PLATFORM)
    trust.adopt(*listing(1))
    assert states(trust).read(stated(4)).generation == 4
    keys = [{"pem": pem(FRESH), "expires": None}, {"pem": pem(KEY), "expires": time.time() - 1}]
    document = json.dumps({"serial": 2, "issued": time.time(), "keys": keys}).encode()
    trust.adopt(document, base64.b64encode(FRESH.sign(KEYS_PREFIX + document)))
    with pytest.raises(Refused, match="expired"):
        states(trust).read(stated(4))


class Platform(ThreadingHTTPServer):
    """Tells one device a state, hands out no bundle, and keeps what it hears."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.told = stated(0)
        self.news = threading.Condition()
        self.reports: queue.Queue[dict[str, Any]] = queue.Queue()
        self.held: queue.Queue[str | None] = queue.Queue()
        self.fetched: queue.Queue[str] = queue.Queue()

    def tell(self, state: Stated) -> None:
        with self.news:
            self.told = state
            self.news.notify_all()

    def reported(self, met: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next report of which something holds."""
        while True:
            if met(report := self.reports.get(timeout=10)):
                return report


class Answer(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/reports"):
            cast(Platform, self.server).reports.put(json.loads(body))
        self._say(b'{"accepted": true, "credential": "credential", "seconds": 3600}')

    def do_GET(self) -> None:
        platform = cast(Platform, self.server)
        if "/keys" in self.path:
            self._say(b'{"keys": []}')
        elif "/desired" in self.path:
            held = self.headers["If-None-Match"]
            platform.held.put(held)
            with platform.news:
                platform.news.wait_for(lambda: platform.told.etag != held, 5)
                told = platform.told
            self._say(told.content, {"ETag": told.etag, "X-State-Signature": told.signature})
        else:
            platform.fetched.put(self.path)
            self.send_error(503)

    def _say(self, body: bytes, headers: dict[str, Any] | None = None) -> None:
        self.send_response(200)
        for name, value in (headers or {}).items():
            self.send_header(name, value.decode() if isinstance(value, bytes) else value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    """A platform with a device that speaks to it."""
    platform = Platform()
    threading.Thread(target=platform.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{platform.server_port}"
    agent = Agent(url, tmp_path, IDENTITY, Options(report_seconds=0.05))
    running = threading.Thread(target=agent.run, daemon=True)
    running.start()
    yield platform
    agent.stop()
    running.join(10)
    platform.shutdown()
    platform.server_close()


def test_a_state_that_was_changed_on_its_way_is_told_and_not_taken(platform: Platform) -> None:
    platform.tell(changed(stated(3)))
    told = platform.reported(lambda report: report["error"] is not None)
    assert "the desired state was refused" in told["error"] and told["generation"] == 0
    platform.tell(stated(4))
    assert platform.reported(lambda report: report["generation"] == 4)["error"] is None


def test_an_older_state_is_not_taken_again_though_the_platform_signed_it(
    platform: Platform,
) -> None:
    platform.tell(stated(9, [MISSING]))
    platform.reported(lambda report: report["attempted"] == 9)
    platform.tell(stated(5))
    while platform.held.get(timeout=10) != '"5"':
        pass
    while not platform.fetched.empty():
        platform.fetched.get()
    assert MISSING["bundle"] in platform.fetched.get(timeout=20), "it tries the newer one again"
    assert platform.reports.get(timeout=10)["generation"] == 0
