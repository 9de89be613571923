"""A fleet that polls rarely is woken over MQTT, and needs it for nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.errors import Refused
from edge.wake import broker_arguments
from tests.support.broker import mosquitto
from tests.support.fleet import DeviceServer, FleetUnderTest
from tools.devices.fleet import Desired, Fleet
from tools.devices.types import ServedModel
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings

POLL_SECONDS = "3600"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[str]:
    with mosquitto(tmp_path) as url:
        yield url


def test_a_device_that_polls_once_an_hour_is_woken_at_once(broker: str, tmp_path: Path) -> None:
    kernel = Kernel(Settings(home=tmp_path / "home", mqtt_url=broker))
    context = RequestContext(kernel.principals.local())
    fleet = FleetUnderTest(kernel, context, tmp_path, DeviceServer(kernel))
    try:
        fleet.options = ("--poll-seconds", POLL_SECONDS, "--mqtt", broker)
        fleet.enroll("thinkpad-1")
        missing = ServedModel(model="router", version=1, bundle="a" * 64)
        deadline_for_a_poll = 30.0  # of 3600 seconds between polls
        wanted = {"thinkpad-1": Desired((missing,))}
        kernel.get(Fleet).change_desired(
            "default", "thinkpads", wanted, "test", fence=lambda _: True
        )
        fleet.until(
            lambda: fleet.device("thinkpad-1").refused is not None,
            "it has heard what is desired and refused what is not there",
            deadline_for_a_poll,
        )
    finally:
        fleet.close()


@pytest.mark.parametrize("url", ["http://host", "mqtt://", "host:1883", "mqtt://host:x"])
def test_what_is_no_broker_is_refused(url: str) -> None:
    with pytest.raises(Refused, match="no broker"):
        broker_arguments(url)
