"""The device protocol's contract, in process and over HTTP as devices speak it."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.errors import Refused, Retired, Unreachable
from edge.identity import Identity, device_key, enrolment_request
from edge.states import States
from edge.trust import Trust
from edge.wire import Client
from tests.support.fleet import DeviceServer
from tools.devices.fleet import MANY, Desired, Fleet
from tools.devices.messages import EnrolmentRequest
from tools.devices.protocol import DeviceProtocol, RetiredDevice
from tools.devices.tables import DeviceRow
from tools.devices.types import DeviceEnrolled, ServedModel
from tools.kernel.errors import InvalidInput, NotFound, Unauthenticated
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings
from tools.kernel.storage import now

SHA = "ab" * 32
OTHER = "cd" * 32
MODEL = ServedModel(model="router", version=1, bundle=SHA)

NOT_KNOWN = (Unauthenticated, Unreachable, Refused)
RETIRED = (RetiredDevice, Retired)
NOT_FOUND = (NotFound, Refused)
MALFORMED = (InvalidInput, Refused)


class Transport(ABC):
    """A way to the server, as one device uses it."""

    @abstractmethod
    def enroll(self, body: dict[str, str]) -> dict[str, Any]:
        """Trade a token for a credential."""

    @abstractmethod
    def desired(
        self, credential: str, etag: str | None, wait: float
    ) -> tuple[dict[str, Any], str] | None:
        """The desired state and its ETag, or None."""

    @abstractmethod
    def fetch(self, credential: str, bundle: str, name: str, start: int = 0) -> bytes:
        """A file's bytes from `start`."""

    @abstractmethod
    def renew(self, credential: str, key: Ed25519PrivateKey) -> str:
        """The next credential, for one that `key` signs."""

    @abstractmethod
    def report(self, credential: str, key: Ed25519PrivateKey, body: bytes) -> None:
        """Send a report, signed with `key`."""


class InProcess(Transport):
    """The protocol's own functions."""

    def __init__(self, kernel: Kernel) -> None:
        self._protocol = kernel.get(DeviceProtocol)

    def enroll(self, body: dict[str, str]) -> dict[str, Any]:
        return self._protocol.enroll(EnrolmentRequest.model_validate(body)).model_dump()

    def desired(
        self, credential: str, etag: str | None, wait: float
    ) -> tuple[dict[str, Any], str] | None:
        device = self._protocol.authenticate(f"Bearer {credential}")
        state = asyncio.run(self._protocol.desired(device.id, etag, wait))
        return (state.body, state.etag) if state else None

    def fetch(self, credential: str, bundle: str, name: str, start: int = 0) -> bytes:
        device = self._protocol.authenticate(f"Bearer {credential}")
        return self._protocol.bundle_file(device.id, bundle, name).read_bytes()[start:]

    def renew(self, credential: str, key: Ed25519PrivateKey) -> str:
        signature = base64.b64encode(key.sign(b"pilothouse-renew-v1\n" + credential.encode()))
        return self._protocol.renew(f"Bearer {credential}", signature.decode()).credential

    def report(self, credential: str, key: Ed25519PrivateKey, body: bytes) -> None:
        device = self._protocol.authenticate(f"Bearer {credential}")
        signature = base64.b64encode(key.sign(b"pilothouse-report-v1\n" + body)).decode()
        self._protocol.report(device, body, signature)


class OverHttp(Transport):
    """The client that devices carry, against the router."""

    def __init__(self, server: DeviceServer) -> None:
        self._url = server.url

    def enroll(self, body: dict[str, str]) -> dict[str, Any]:
        return Client(self._url).enroll(body)

    def desired(
        self, credential: str, etag: str | None, wait: float
    ) -> tuple[dict[str, Any], str] | None:
        found = self._client(credential).desired(etag, wait)
        if found is None:
            return None
        return json.loads(found.content), found.etag

    def fetch(self, credential: str, bundle: str, name: str, start: int = 0) -> bytes:
        with self._client(credential).bundle_file(bundle, name, start) as (resumed, answer):
            data = answer.read()
            return data if resumed or not start else data[start:]

    def renew(self, credential: str, key: Ed25519PrivateKey) -> str:
        kept: list[str] = []
        client = self._client(credential, key, lambda identity: kept.append(identity.credential))
        client.renew_when_due()
        return kept[0]

    def report(self, credential: str, key: Ed25519PrivateKey, body: bytes) -> None:
        self._client(credential, key).report(body)

    def _client(
        self,
        credential: str,
        key: Ed25519PrivateKey | None = None,
        keep: Callable[[Identity], None] = lambda _: None,
    ) -> Client:
        raw = base64.b64encode((key or Ed25519PrivateKey.generate()).private_bytes_raw()).decode()
        return Client(self._url, Identity("any", "laptop", credential, "", raw), keep)


@pytest.fixture(params=["in process", "over http"])
def transport(request: pytest.FixtureRequest, kernel: Kernel) -> Iterator[Transport]:
    if request.param == "in process":
        yield InProcess(kernel)
        return
    server = DeviceServer(kernel)
    yield OverHttp(server)
    server.stop()


@pytest.fixture
def token(kernel: Kernel, context: RequestContext) -> Callable[..., str]:
    """Make a device record; answers with its one-time token."""

    def make(name: str = "thinkpad-1", group: str = "thinkpads") -> str:
        arguments = {"name": name, "group": group, "profile": "laptop"}
        result = kernel.gate.call("devices.enroll", arguments, context).result
        assert isinstance(result, DeviceEnrolled)
        return result.token.get_secret_value()

    return make


@pytest.fixture
def key(tmp_path: Path) -> Ed25519PrivateKey:
    return device_key(tmp_path)


@pytest.fixture
def credential(transport: Transport, token: Callable[..., str], key: Ed25519PrivateKey) -> str:
    """An enrolled device's credential."""
    return transport.enroll(enrolment_request("thinkpad-1", token(), key))["credential"]


def want(kernel: Kernel, name: str, *models: ServedModel) -> None:
    told = kernel.get(Fleet).change_desired(
        "default", "thinkpads", {name: Desired(models)}, "test", fence=lambda _: True
    )
    assert told is not None


def a_report(sequence: int, boot: int = 1, **more: Any) -> bytes:
    body: dict[str, Any] = {
        "boot": boot,
        "sequence": sequence,
        "generation": 0,
        "attempted": 0,
        "phase": "idle",
        "healthy": True,
        "serving": [],
        "staged": [],
        "slots": {"a": None, "b": None},
        "error": None,
        "traffic": [],
        "p50_ms": None,
        "p95_ms": None,
        "memory_mb": 100.0,
        "free_disk_mb": 5000.0,
        "address": "http://127.0.0.1:1",
        "agent": "0.1.0",
    }
    return json.dumps({**body, **more}).encode()


def answered(requests: int) -> dict[str, Any]:
    return {
        "bundle": SHA,
        "model": "router",
        "version": 1,
        "requests": requests,
        "errors": 0,
        "confidence_sum": requests * 0.5,
        "labels": {"billing": requests},
    }


def test_the_state_that_is_sent_is_signed_for_the_device_also_by_a_new_key(
    kernel: Kernel, key: Ed25519PrivateKey, token: Callable[..., str]
) -> None:
    server = DeviceServer(kernel)
    given = Client(server.url).enroll(enrolment_request("thinkpad-1", token(), key))
    raw = base64.b64encode(key.private_bytes_raw()).decode()
    identity = Identity("thinkpad-1", "laptop", given["credential"], given["platform_key"], raw)
    client = Client(server.url, identity)
    trust = Trust(identity.platform_key)

    def renew() -> None:
        for document, signature in client.keys(trust.serial):
            trust.adopt(document, signature)

    def read() -> int:
        found = client.desired(None, 0)
        assert found is not None
        return States(trust, identity.public_pem, renew).read(found).generation

    assert read() == 0
    kernel.get(DeviceProtocol).keyring.replace(grace_days=0)
    assert read() == 0 and trust.serial == 1
    server.stop()


class TestEnrolment:
    def test_gives_a_credential_the_profile_and_the_platforms_key(
        self, transport: Transport, token: Callable[..., str], key: Any, kernel: Kernel
    ) -> None:
        got = transport.enroll(enrolment_request("thinkpad-1", token(), key))
        assert (got["device"], got["profile"]) == ("thinkpad-1", "laptop")
        assert got["platform_key"] == kernel.keys.public_pem()
        assert transport.desired(got["credential"], None, 0) is not None

    def test_a_token_is_of_no_use_to_another_key(
        self, transport: Transport, token: Callable[..., str], key: Any
    ) -> None:
        secret = token()
        transport.enroll(enrolment_request("thinkpad-1", secret, key))
        thief = Ed25519PrivateKey.generate()
        with pytest.raises(NOT_KNOWN):
            transport.enroll(enrolment_request("thinkpad-1", secret, thief))

    def test_the_same_key_may_repeat_it_until_the_credential_was_used(
        self, transport: Transport, token: Callable[..., str], key: Any
    ) -> None:
        body = enrolment_request("thinkpad-1", token(), key)
        transport.enroll(body)
        again = transport.enroll(body)["credential"]
        transport.desired(again, None, 0)
        with pytest.raises(NOT_KNOWN):
            transport.enroll(body)

    def test_a_token_is_spent_by_the_first_use_of_its_credential_after_a_change_of_many(
        self, transport: Transport, token: Callable[..., str], key: Any, kernel: Kernel
    ) -> None:
        body = enrolment_request("thinkpad-1", token(), key)
        got = transport.enroll(body)["credential"]
        kernel.get(Fleet).changed(range(1, MANY + 3))
        transport.desired(got, None, 0)
        with pytest.raises(NOT_KNOWN):
            transport.enroll(body)

    def test_a_token_is_of_no_use_under_another_name(
        self, transport: Transport, token: Callable[..., str], key: Any
    ) -> None:
        secret = token()
        token("thinkpad-2")
        with pytest.raises(NOT_KNOWN):
            transport.enroll(enrolment_request("thinkpad-2", secret, key))

    def test_a_forged_proof_is_refused(
        self, transport: Transport, token: Callable[..., str], key: Any
    ) -> None:
        body = enrolment_request("thinkpad-1", token(), key)
        forged = enrolment_request("thinkpad-1", "x", Ed25519PrivateKey.generate())["proof"]
        with pytest.raises(NOT_KNOWN):
            transport.enroll({**body, "proof": forged})

    def test_an_expired_token_is_refused(
        self, transport: Transport, token: Callable[..., str], key: Any, kernel: Kernel
    ) -> None:
        secret = token()
        with kernel.database.session() as session:
            session.get_one(DeviceRow, 1).token_expires = now()
        with pytest.raises(NOT_KNOWN):
            transport.enroll(enrolment_request("thinkpad-1", secret, key))


class TestIdentity:
    def test_an_unknown_credential_is_refused(self, transport: Transport) -> None:
        with pytest.raises(NOT_KNOWN):
            transport.desired("guess", None, 0)

    def test_a_retired_device_is_told_so_at_once(
        self, transport: Transport, credential: str, approved: Callable[..., Any]
    ) -> None:
        approved("devices.retire", device="thinkpad-1")
        with pytest.raises(RETIRED):
            transport.desired(credential, None, 0)


class TestCredentials:
    def test_a_replaced_one_is_worthless_once_the_next_was_shown(
        self, transport: Transport, credential: str, key: Any
    ) -> None:
        following = transport.renew(credential, key)
        assert transport.desired(credential, None, 0) is not None, "the answer might have got lost"
        assert transport.desired(following, None, 0) is not None
        with pytest.raises(NOT_KNOWN):
            transport.desired(credential, None, 0)

    def test_a_stolen_one_cannot_be_renewed_without_the_devices_key(
        self, transport: Transport, credential: str
    ) -> None:
        with pytest.raises(NOT_KNOWN):
            transport.renew(credential, Ed25519PrivateKey.generate())
        assert transport.desired(credential, None, 0) is not None

    def test_a_renewal_whose_answer_got_lost_is_repeated(
        self, transport: Transport, credential: str, key: Any
    ) -> None:
        lost = transport.renew(credential, key)
        following = transport.renew(credential, key)
        assert transport.desired(following, None, 0) is not None
        with pytest.raises(NOT_KNOWN):
            transport.desired(lost, None, 0)

    def test_an_expired_one_is_good_for_its_own_renewal_alone(
        self, transport: Transport, credential: str, key: Any, kernel: Kernel
    ) -> None:
        transport.desired(credential, None, 0)
        with kernel.database.session() as session:
            session.get_one(DeviceRow, 1).credential_expires = now() - timedelta(days=7)
        kernel.get(Fleet).standings.drop([1])
        with pytest.raises(NOT_KNOWN):
            transport.desired(credential, None, 0)
        assert transport.desired(transport.renew(credential, key), None, 0) is not None

    def test_a_copy_of_the_device_gives_itself_away_and_locks_it(
        self, transport: Transport, credential: str, key: Any, kernel: Kernel
    ) -> None:
        following = transport.renew(credential, key)
        transport.desired(following, None, 0)
        with pytest.raises(NOT_KNOWN):
            transport.renew(credential, key)
        for known in (credential, following):
            with pytest.raises(NOT_KNOWN):
                transport.desired(known, None, 0)
        assert any(e.kind == "device.locked" for e in kernel.events.read("devices"))
        assert kernel.get(Fleet).devices("default")[0].locked is not None

    def test_a_retired_device_cannot_renew(
        self, transport: Transport, credential: str, key: Any, approved: Callable[..., Any]
    ) -> None:
        transport.desired(credential, None, 0)
        approved("devices.retire", device="thinkpad-1")
        with pytest.raises(RETIRED):
            transport.renew(credential, key)


class TestDesiredState:
    def test_is_answered_at_once_without_an_etag_and_not_again_with_it(
        self, transport: Transport, credential: str, kernel: Kernel
    ) -> None:
        want(kernel, "thinkpad-1", MODEL)
        found = transport.desired(credential, None, 0)
        assert found is not None
        state, etag = found
        assert state["serve"] == [MODEL.model_dump()]
        assert transport.desired(credential, etag, 0) is None

    def test_a_change_ends_a_long_poll_at_once(
        self, transport: Transport, credential: str, kernel: Kernel
    ) -> None:
        found = transport.desired(credential, None, 0)
        assert found is not None
        timer = threading.Timer(0.3, want, (kernel, "thinkpad-1", MODEL))
        began = time.monotonic()
        timer.start()
        changed = transport.desired(credential, found[1], 15)
        assert changed is not None and changed[0]["serve"]
        assert time.monotonic() - began < 5

    def test_an_equal_state_is_no_change(
        self, transport: Transport, credential: str, kernel: Kernel
    ) -> None:
        want(kernel, "thinkpad-1", MODEL)
        found = transport.desired(credential, None, 0)
        want(kernel, "thinkpad-1", MODEL)
        assert found is not None
        assert transport.desired(credential, found[1], 0) is None

    def test_a_device_sees_only_its_own(
        self, transport: Transport, credential: str, token: Callable[..., str], kernel: Kernel
    ) -> None:
        token("thinkpad-2")
        want(kernel, "thinkpad-2", MODEL)
        found = transport.desired(credential, None, 0)
        assert found is not None and found[0]["serve"] == []


class TestBundles:
    @pytest.fixture(autouse=True)
    def _bundle(self, kernel: Kernel) -> None:
        folder = kernel.settings.folder("bundles", SHA)
        (folder / "model.onnx").write_bytes(bytes(range(256)) * 40)
        (kernel.settings.folder("bundles", OTHER) / "model.onnx").write_bytes(b"other")

    def test_a_download_goes_on_where_it_was_cut_off(
        self, transport: Transport, credential: str, kernel: Kernel
    ) -> None:
        want(kernel, "thinkpad-1", MODEL)
        whole = transport.fetch(credential, SHA, "model.onnx")
        assert len(whole) == 10240
        assert transport.fetch(credential, SHA, "model.onnx", start=10000) == whole[10000:]

    @pytest.mark.parametrize(
        ("bundle", "name"),
        [
            (OTHER, "model.onnx"),
            (SHA, "nothing.onnx"),
            (SHA, ".."),
            ("..", "keys"),
            (SHA, "..%2F..%2Fkeys%2Fsigning.key"),
        ],
    )
    def test_only_what_the_device_is_to_have_can_be_read(
        self, transport: Transport, credential: str, kernel: Kernel, bundle: str, name: str
    ) -> None:
        want(kernel, "thinkpad-1", MODEL)
        with pytest.raises(NOT_FOUND):
            transport.fetch(credential, bundle, name)


class TestReports:
    def test_a_device_ahead_of_a_restored_platform_is_overtaken(
        self, transport: Transport, credential: str, key: Any, kernel: Kernel
    ) -> None:
        transport.report(credential, key, a_report(1, generation=40, attempted=40))
        found = transport.desired(credential, None, 0)
        assert found is not None and found[0]["generation"] == 41
        assert not kernel.get(Fleet).devices("default")[0].confirmed

    def test_a_device_cannot_steer_the_terminal_of_who_reads_it(
        self, transport: Transport, credential: str, key: Any, kernel: Kernel
    ) -> None:
        transport.report(credential, key, a_report(1, error="\x1b[2Jfine\nreally"))
        report = kernel.get(Fleet).devices("default")[0].report
        assert report is not None and report.error == "?[2Jfine?really"

    def test_a_device_that_claims_what_it_was_never_given_is_not_believed(
        self, transport: Transport, credential: str, key: Any, kernel: Kernel
    ) -> None:
        want(kernel, "thinkpad-1", MODEL)
        device = kernel.get(Fleet).devices("default")[0]
        lie = {**MODEL.model_dump(), "bundle": OTHER}
        for sequence, told in ((1, [lie]), (2, []), (3, [{**MODEL.model_dump(), "version": 7}])):
            body = a_report(sequence, generation=device.generation, serving=told)
            transport.report(credential, key, body)
            assert not kernel.get(Fleet).devices("default")[0].confirmed

    def test_one_that_takes_back_what_was_answered_is_refused(
        self, transport: Transport, credential: str, key: Any
    ) -> None:
        transport.report(credential, key, a_report(1, traffic=[answered(5)]))
        with pytest.raises(MALFORMED):
            transport.report(credential, key, a_report(2, traffic=[answered(4)]))

    def test_a_newer_one_that_another_process_took_stands(
        self, transport: Transport, credential: str, key: Any, kernel: Kernel
    ) -> None:
        transport.desired(credential, None, 0)
        transport.report(credential, key, a_report(1, traffic=[answered(5)]))
        other = Kernel(Settings(home=kernel.settings.home))
        InProcess(other).report(credential, key, a_report(3, traffic=[answered(9)]))
        transport.report(credential, key, a_report(2, traffic=[answered(7)]))
        assert kernel.get(Fleet).devices("default")[0].report.requests == 9
        transport.report(credential, key, a_report(4, traffic=[answered(11)]))
        assert other.get(Fleet).devices("default")[0].report.requests == 11
        other.stop()

    def test_the_newest_stands_and_older_or_repeated_ones_are_ignored(
        self, transport: Transport, credential: str, key: Any, kernel: Kernel
    ) -> None:
        for sequence, disk in ((1, 10.0), (3, 30.0), (2, 20.0), (3, 99.0)):
            transport.report(credential, key, a_report(sequence, free_disk_mb=disk))
        report = kernel.get(Fleet).devices("default")[0].report
        assert report is not None and report.free_disk_mb == 30.0

    def test_counts_go_on_over_a_restart_of_the_device(
        self, transport: Transport, credential: str, key: Any, kernel: Kernel
    ) -> None:
        transport.report(credential, key, a_report(1, traffic=[answered(5)]))
        transport.report(credential, key, a_report(2, traffic=[answered(8)]))
        transport.report(credential, key, a_report(1, boot=2, traffic=[answered(3)]))
        transport.report(credential, key, a_report(2, boot=2, traffic=[answered(4)]))
        report = kernel.get(Fleet).devices("default")[0].report
        assert report is not None and report.requests == 12
        assert report.traffic[0].labels == {"billing": 12}

    def test_one_that_another_key_signed_is_refused(
        self, transport: Transport, credential: str, kernel: Kernel
    ) -> None:
        with pytest.raises(NOT_KNOWN):
            transport.report(credential, Ed25519PrivateKey.generate(), a_report(1))
        assert kernel.get(Fleet).devices("default")[0].report is None

    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b"[]",
            a_report(0),
            a_report(1, phase="lying"),
            a_report(1, address="javascript:alert(1)"),
            a_report(1, machine={"memory_mb": -1}),
            a_report(1, generation=2**31 - 1),
            a_report(1, extra="field"),
            a_report(1, free_disk_mb=-1),
            a_report(1, traffic=[{**answered(1), "requests": -5}]),
            a_report(1, error="x" * 300_000),
        ],
    )
    def test_a_malformed_one_is_refused(
        self, transport: Transport, credential: str, key: Any, body: bytes
    ) -> None:
        with pytest.raises(MALFORMED):
            transport.report(credential, key, body)


def test_waiting_devices_hold_no_thread_and_hinder_nobody(
    kernel: Kernel, token: Callable[..., str], tmp_path: Path
) -> None:
    server = DeviceServer(kernel)
    try:
        transport = OverHttp(server)
        credentials: list[str] = []
        for number in range(20):
            home = tmp_path / str(number)
            home.mkdir()
            name = f"thinkpad-{number}"
            body = enrolment_request(name, token(name), device_key(home))
            credentials.append(transport.enroll(body)["credential"])
        results: list[Any] = []
        pollers = [
            threading.Thread(target=lambda c=c: results.append(transport.desired(c, '"0"', 15)))
            for c in credentials
        ]
        for poller in pollers:
            poller.start()
        watch = kernel.get(Fleet).watch
        deadline = time.monotonic() + 20
        while len(watch._waiters) < 20:  # pyright: ignore[reportPrivateUsage]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        began = time.monotonic()
        assert transport.desired(credentials[0], None, 0) is not None
        assert time.monotonic() - began < 2
        for number in range(20):
            want(kernel, f"thinkpad-{number}", MODEL)
        for poller in pollers:
            poller.join(15)
        assert len(results) == 20 and all(results)
    finally:
        server.stop()
