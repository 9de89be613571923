"""Reports that arrive together are stored together, and none harms the others."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from threading import Barrier

import pytest

from benchmarks.simulated import SimulatedDevice
from edge.inputs import InputCounts
from tools.devices.fleet import Desired, Fleet
from tools.devices.messages import EnrolmentRequest
from tools.devices.protocol import DeviceProtocol
from tools.devices.tables import DeviceRow
from tools.devices.types import DeviceEnrolled, ServedModel
from tools.kernel.errors import InvalidInput, Unauthenticated
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel

SOON = 20.0


class Sender:
    """Enrolled devices of one group, and how they hand reports in."""

    def __init__(self, kernel: Kernel, context: RequestContext, count: int) -> None:
        self.protocol = kernel.get(DeviceProtocol)
        self.devices = [self._enrolled(kernel, context, f"phone-{n}") for n in range(count)]

    def _enrolled(self, kernel: Kernel, context: RequestContext, name: str) -> SimulatedDevice:
        arguments = {"name": name, "group": "phones", "profile": "phone"}
        enrolled = kernel.gate.call("devices.enroll", arguments, context).result
        assert isinstance(enrolled, DeviceEnrolled)
        device = SimulatedDevice(name)
        request = device.enrolment(enrolled.token.get_secret_value())
        answer = self.protocol.enroll(EnrolmentRequest.model_validate(request))
        device.credential = answer.credential
        return device

    def row(self, device: SimulatedDevice) -> DeviceRow:
        return self.protocol.authenticate(f"Bearer {device.credential}")

    def send(self, device: SimulatedDevice, row: DeviceRow, body: bytes = b"") -> Future[bool]:
        body = body or device.report()
        return self.protocol.hand_in(row, body, device.sign(body))


@pytest.fixture
def sender(kernel: Kernel, context: RequestContext) -> Sender:
    return Sender(kernel, context, 4)


def test_two_reports_of_a_device_that_wait_are_both_taken_in_their_order(
    sender: Sender, kernel: Kernel
) -> None:
    rows = [sender.row(device) for device in sender.devices]
    with kernel.database.writing():  # nobody else can write: the reports wait for each other
        sent = [sender.send(d, r) for _ in "12" for d, r in zip(sender.devices, rows, strict=True)]
    assert all(answer.result(SOON) for answer in sent)
    assert [sender.protocol.newest_report(row.id) for row in rows] == [(1, 2)] * len(rows)


def test_a_bad_report_is_refused_and_the_others_are_taken(sender: Sender, kernel: Kernel) -> None:
    good, forged, broken, old = sender.devices
    rows = {device.name: sender.row(device) for device in sender.devices}
    repeated = old.report()
    assert sender.send(old, rows[old.name], repeated).result(SOON)
    with kernel.database.writing():
        other = sender.protocol.hand_in(rows[forged.name], forged.report(), "no signature")
        malformed = sender.send(broken, rows[broken.name], b"{}")
        late = sender.send(old, rows[old.name], repeated)
        taken = sender.send(good, rows[good.name])
    with pytest.raises(Unauthenticated):
        other.result(SOON)
    with pytest.raises(InvalidInput):
        malformed.result(SOON)
    assert late.result(SOON) is False
    assert taken.result(SOON) is True


def test_counts_of_inputs_are_added_over_boots_and_a_repeated_report_adds_nothing(
    sender: Sender, kernel: Kernel
) -> None:
    device = sender.devices[0]
    row = sender.row(device)
    model = {"bundle": "a" * 64, "model": "router", "version": 1}
    counted = {"requests": 2, "errors": 0, "confidence_sum": 1.8, "labels": {"login": 2}}

    def report(texts: list[str]) -> bytes:
        device.totals = {"a": {**model, **counted, "inputs": InputCounts.of(texts).told()}}
        return device.report()

    first = report(["one two three", "four"])
    assert sender.send(device, row, first).result(SOON) is True
    assert sender.send(device, row, first).result(SOON) is False
    device.restart()
    assert sender.send(device, row, report(["five", "six"])).result(SOON) is True

    (found,) = [d for d in kernel.get(Fleet).devices("default", "phones") if d.name == device.name]
    assert found.report is not None
    (traffic,) = found.report.traffic
    everything = InputCounts.of(["one two three", "four", "five", "six"]).told()
    assert traffic.inputs is not None and traffic.inputs.model_dump() == everything


@pytest.mark.parametrize("lengths", [[1, 2], [-1] * 9, ["many"] * 9])
def test_counts_of_inputs_that_are_none_are_refused(sender: Sender, lengths: list[object]) -> None:
    device = sender.devices[0]
    total = {"bundle": "a" * 64, "model": "router", "version": 1, "requests": 1, "errors": 0}
    told = {"lengths": lengths, "words": [0] * 32}
    device.totals = {"a": {**total, "confidence_sum": 0.9, "labels": {}, "inputs": told}}
    with pytest.raises(InvalidInput):
        sender.send(device, sender.row(device)).result(SOON)


def test_what_each_report_changes_is_told_once(sender: Sender, kernel: Kernel) -> None:
    before = kernel.events.newest()
    rows = [sender.row(device) for device in sender.devices]
    with kernel.database.writing():
        sent = [sender.send(d, r) for _ in "12" for d, r in zip(sender.devices, rows, strict=True)]
    assert all(answer.result(SOON) for answer in sent)
    told = [e.data["device"] for e in kernel.events.read("devices", before)]
    assert sorted(told) == sorted(device.name for device in sender.devices)


def test_a_fleet_that_is_told_something_needs_no_look_at_the_database(
    sender: Sender, kernel: Kernel
) -> None:
    rows = [sender.row(device) for device in sender.devices]
    fleet = kernel.get(Fleet)
    wanted = Desired((ServedModel(model="router", version=1, bundle="a" * 64),))
    names = {device.name: wanted for device in sender.devices}
    fleet.change_desired("default", "phones", names, "test", fence=lambda _: True)
    standings = [fleet.standings.of(row.id) for row in rows]
    assert [s is not None and s.row.generation for s in standings] == [1] * len(rows)
    assert [d.generation for d in fleet.devices("default", "phones")] == [1] * len(rows)


def test_devices_that_found_a_group_together_are_all_enrolled(
    kernel: Kernel, context: RequestContext
) -> None:
    together = Barrier(6)

    def enrolled(number: int) -> str:
        arguments = {"name": f"kiosk-{number}", "group": "kiosks", "profile": "phone"}
        together.wait(SOON)
        kernel.gate.call("devices.enroll", arguments, context)
        return arguments["name"]

    with ThreadPoolExecutor(6) as pool:
        names = set(pool.map(enrolled, range(6)))
    fleet = kernel.gate.call("devices.list", {}, context).result.model_dump()
    assert names <= {d["name"] for d in fleet["devices"]}
