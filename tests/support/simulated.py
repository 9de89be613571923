"""Simulated devices that speak to a kernel in its own process, and a rollout platform over them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from benchmarks.simulated import SimulatedDevice
from tools.deployment.rollouts import Rollouts
from tools.devices.fleet import Fleet
from tools.devices.messages import EnrolmentRequest
from tools.devices.protocol import DeviceProtocol
from tools.devices.types import DeviceEnrolled
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel

ROUND_SECONDS = 0.1


@dataclass
class SimulatedFleet:
    """Devices in one thread, each polling and reporting every tenth of a second."""

    kernel: Kernel
    context: RequestContext
    devices: dict[str, SimulatedDevice] = field(default_factory=dict[str, SimulatedDevice])
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._protocol = self.kernel.get(DeviceProtocol)
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def enroll(
        self, count: int, group: str = "phones", profile: str = "phone", **told: Any
    ) -> list[SimulatedDevice]:
        """Enrol devices named `<group>-1` and so on."""
        made: list[SimulatedDevice] = []
        for number in range(1, count + 1):
            name = f"{group}-{profile[0]}{number}"
            arguments = {"name": name, "group": group, "profile": profile}
            enrolled = self.kernel.gate.call("devices.enroll", arguments, self.context).result
            assert isinstance(enrolled, DeviceEnrolled)
            device = SimulatedDevice(name, **told)
            request = device.enrolment(enrolled.token.get_secret_value())
            answer = self._protocol.enroll(EnrolmentRequest.model_validate(request))
            device.credential = answer.credential
            made.append(device)
            self._report(device)
        self.devices |= {device.name: device for device in made}
        return made

    def serving(self, name: str) -> list[int]:
        """The versions that a device serves."""
        return [model["version"] for model in self.devices[name].serving]

    def on(self, version: int) -> set[str]:
        """The devices that serve a version."""
        return {name for name in self.devices if version in self.serving(name)}

    def until(self, met: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
        """Wait on reports until something holds."""
        watch = self.kernel.get(Fleet).watch
        waited = threading.Event()
        timer = threading.Timer(seconds, waited.set)
        timer.start()
        try:
            while not met():
                assert not waited.is_set(), f"not in {seconds} s: {what}"
                watch.wait_report(watch.reports, 0.2)
        finally:
            timer.cancel()

    def latest(self, group: str = "phones") -> Any:
        """The record of the group's newest rollout."""
        row = self.kernel.get(Rollouts).latest("default", group)
        assert row is not None
        return row

    def close(self) -> None:
        """Stop them."""
        self.stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        while not self.stop.wait(ROUND_SECONDS):
            for device in list(self.devices.values()):
                if not device.silent:
                    self._round(device)

    def _round(self, device: SimulatedDevice) -> None:
        row = self._protocol.authenticate(f"Bearer {device.credential}")
        state = self._protocol.desired_now(row.id)
        device.apply(state.body, state.etag)
        body = device.report()
        self._protocol.report(row, body, device.sign(body))

    def _report(self, device: SimulatedDevice) -> None:
        self._round(device)
