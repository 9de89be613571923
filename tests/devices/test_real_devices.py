"""Real device processes: killed, put under load, and given a new signing key."""

from __future__ import annotations

import http.client
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from sqlalchemy import select

from tests.support.bundles import put_bundle, want
from tests.support.fleet import DeviceServer, FleetUnderTest
from tools.devices.tables import ReportRow
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel

pytestmark = pytest.mark.slow


@pytest.fixture
def fleet(kernel: Kernel, context: RequestContext, tmp_path: Path) -> Iterator[FleetUnderTest]:
    made = FleetUnderTest(kernel, context, tmp_path, DeviceServer(kernel))
    yield made
    made.close()


def test_a_device_killed_at_any_moment_of_an_update_serves_at_once_when_it_is_back(
    fleet: FleetUnderTest, kernel: Kernel, tmp_path: Path
) -> None:
    fleet.options = ("--max-kilobytes", "4000")
    device = fleet.enroll("thinkpad-1")
    models = [
        put_bundle(kernel, tmp_path, n, shift=n % 3, padding=n * 1_500_000) for n in (1, 2, 3)
    ]
    want(kernel, models[0])
    fleet.until(lambda: fleet.serving("thinkpad-1") == [("router", 1)], "it serves the first")
    moments = random.Random(6)
    for turn in range(8):
        want(kernel, models[1 + turn % 2])
        time.sleep(moments.uniform(0.0, 1.2))  # the moment is what is tested
        device.kill()
        device.start()
        answer = device.predict("my password")
        assert answer["version"] in (1, 2, 3)
        assert answer["label"] == ("billing", "login", "shipping")[(1 + answer["version"]) % 3]
    want(kernel, models[2])
    fleet.until(lambda: fleet.serving("thinkpad-1") == [("router", 3)], "it has got there", 60)
    assert not list((device.home / "incoming").glob("*/*.part"))


def test_a_device_is_heard_again_after_a_start_that_was_not_numbered_with_its_clock_ahead(
    fleet: FleetUnderTest, kernel: Kernel, tmp_path: Path
) -> None:
    device = fleet.enroll("thinkpad-1")
    models = [put_bundle(kernel, tmp_path, n, shift=n, padding=200_000) for n in (1, 2)]
    want(kernel, models[0])
    fleet.until(lambda: fleet.device("thinkpad-1").confirmed, "it serves the first")
    device.kill()
    with kernel.database.session() as session:  # a week ahead, on a disk that was full
        newest = session.scalars(select(ReportRow)).one()
        newest.sequence += 7 * 24 * 3600
    (device.home / "boot").write_text(str(newest.boot - 1))
    want(kernel, models[1])
    device.start()
    fleet.until(lambda: fleet.device("thinkpad-1").confirmed, "it is heard")
    assert fleet.serving("thinkpad-1") == [("router", 2)]


def test_a_staged_model_is_ready_again_after_the_device_was_killed(
    fleet: FleetUnderTest, kernel: Kernel, tmp_path: Path
) -> None:
    device = fleet.enroll("thinkpad-1")
    models = [put_bundle(kernel, tmp_path, n, shift=n, padding=200_000) for n in (1, 2)]
    want(kernel, models[0], stage=(models[1],))
    fleet.until(lambda: fleet.device("thinkpad-1").confirmed, "it has staged the second")
    heard = fleet.device("thinkpad-1").report
    device.kill()
    device.start()
    fleet.until(lambda: fleet.device("thinkpad-1").report != heard, "it is heard again")
    fleet.until(lambda: fleet.device("thinkpad-1").confirmed, "it has staged it again")
    assert fleet.serving("thinkpad-1") == [("router", 1)]


def test_no_request_fails_while_models_are_swapped(
    fleet: FleetUnderTest, kernel: Kernel, tmp_path: Path
) -> None:
    device = fleet.enroll("thinkpad-1", profile="server")
    models = [put_bundle(kernel, tmp_path, n, shift=n, padding=200_000) for n in (1, 2, 3)]
    want(kernel, models[0])
    fleet.until(lambda: fleet.serving("thinkpad-1") == [("router", 1)], "it serves the first")
    stop = threading.Event()
    answers: list[tuple[int, Any]] = []

    def load() -> None:
        connection = http.client.HTTPConnection(urlsplit(device.address).netloc, timeout=30)
        body = json.dumps({"text": "my password"})
        while not stop.is_set():
            connection.request("POST", "/predict", body)
            answer = connection.getresponse()
            answers.append((answer.status, json.loads(answer.read()).get("version")))
            stop.wait(0.02)  # four of these ask about 200 times a second

    threads = [threading.Thread(target=load) for _ in range(4)]
    for thread in threads:
        thread.start()
    for turn in range(1, 6):
        version = turn % 3 + 1
        want(kernel, models[turn % 3])
        fleet.until(lambda v=version: fleet.serving("thinkpad-1") == [("router", v)], "swapped")
    stop.set()
    for thread in threads:
        thread.join()
    assert {status for status, _ in answers} == {200}
    assert {version for _, version in answers} == {1, 2, 3}


def test_a_new_signing_key_reaches_the_devices_and_the_old_one_ends(
    fleet: FleetUnderTest, kernel: Kernel, tmp_path: Path, approved: Callable[..., Any]
) -> None:
    device = fleet.enroll("thinkpad-1")
    first = put_bundle(kernel, tmp_path, 1)
    forged = put_bundle(kernel, tmp_path, 9, shift=1)
    kept = (kernel.settings.home / "bundles" / forged.bundle / "manifest.sig").read_bytes()
    want(kernel, first)
    fleet.until(lambda: fleet.serving("thinkpad-1") == [("router", 1)], "it serves the first")
    for _ in range(2):
        approved("devices.rotate_key", grace_days=0)
    want(kernel, put_bundle(kernel, tmp_path, 2, shift=1))
    fleet.until(lambda: fleet.serving("thinkpad-1") == [("router", 2)], "it trusts the new key")
    (kernel.settings.home / "bundles" / forged.bundle / "manifest.sig").write_bytes(kept)
    want(kernel, forged)
    fleet.until(lambda: fleet.device("thinkpad-1").refused is not None, "the old key is over")
    assert device.predict("my password")["version"] == 2
    device.kill()
    device.start()
    assert device.predict("my password")["version"] == 2
    fleet.enroll("thinkpad-2")
    want(kernel, first, devices=("thinkpad-2",))
    fleet.until(lambda: fleet.serving("thinkpad-2") == [("router", 1)], "it was signed anew")


def test_a_device_comes_back_after_its_credential_has_expired(
    fleet: FleetUnderTest, kernel: Kernel, tmp_path: Path
) -> None:
    from datetime import timedelta

    from tools.devices.fleet import Fleet
    from tools.devices.tables import DeviceRow
    from tools.kernel.storage import now

    device = fleet.enroll("thinkpad-1")
    device.kill()
    with kernel.database.session() as session:
        row = session.get_one(DeviceRow, 1)
        row.credential_expires = row.next_expires = now() - timedelta(days=7)
    kernel.get(Fleet).standings.drop([1])
    want(kernel, put_bundle(kernel, tmp_path, 1))
    device.start()
    fleet.until(lambda: fleet.serving("thinkpad-1") == [("router", 1)], "it is back")
