"""What goes wrong on devices ends in every touched device back on its former model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.support.fleet import FleetUnderTest
from tools.deployment.bundles import Bundles
from tools.kernel.errors import Conflict, NeedsApproval
from tools.kernel.gate import Outcome
from tools.kernel.kernel import Kernel

Approved = Callable[..., Outcome]


@pytest.fixture
def served(fleet: FleetUnderTest, finished: Callable[..., Any]) -> tuple[int, int]:
    """Two devices that serve version 1 of the model; a version 2 that they could be given."""
    for name in ("thinkpad-1", "thinkpad-2"):
        fleet.enroll(name)
    first, second = fleet.register(), fleet.register(shift=1)
    finished(
        "deployment.start", model="ticket-router", version=first, group="thinkpads", strategy="all"
    )
    return first, second


def failed(kernel: Kernel, outcome: Outcome) -> str:
    assert outcome.job is not None
    row = kernel.jobs.wait(outcome.job, timeout=60)
    assert row.status == "failed" and row.error is not None, (row.status, row.result)
    return row.error["message"]


def test_a_device_that_refuses_the_bundle_rolls_all_of_them_back(
    fleet: FleetUnderTest,
    served: tuple[int, int],
    approved: Approved,
    kernel: Kernel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Bundles, "sign", lambda self, manifest: b"bm90IGEgc2lnbmF0dXJl")
    outcome = approved(
        "deployment.start",
        model="ticket-router",
        version=served[1],
        group="thinkpads",
        strategy="all",
    )
    told = failed(kernel, outcome)
    assert "rolled back by itself" in told and "signature" in told
    for name in fleet.devices:
        assert fleet.serving(name) == [("ticket-router", served[0])]
        assert fleet.devices[name].predict("my password")["label"] == "login"
    assert outcome.job is not None
    receipt = kernel.receipts.for_job(outcome.job)
    assert receipt is not None and receipt.status == "failed"
    rollout = fleet.latest()
    assert rollout["state"] == "rolled_back" and "signature" in rollout["reason"]


@pytest.mark.slow
def test_a_device_that_falls_silent_rolls_the_others_back_and_follows_when_it_is_back(
    fleet: FleetUnderTest, served: tuple[int, int], approved: Approved, kernel: Kernel
) -> None:
    outcome = approved(
        "deployment.start",
        model="ticket-router",
        version=served[1],
        group="thinkpads",
        strategy="all",
    )
    fleet.freeze_once_planned(served[1], "thinkpad-2")
    told = failed(kernel, outcome)
    assert "thinkpad-2: no report for 4 s" in told and "Not confirmed yet by thinkpad-2" in told
    assert fleet.serving("thinkpad-1") == [("ticket-router", served[0])]
    fleet.thaw("thinkpad-2")
    fleet.until(lambda: fleet.device("thinkpad-2").confirmed, "thinkpad-2 follows")
    assert fleet.serving("thinkpad-2") == [("ticket-router", served[0])]


def test_a_device_killed_in_the_middle_serves_at_restart(
    fleet: FleetUnderTest, served: tuple[int, int], approved: Approved, kernel: Kernel
) -> None:
    device = fleet.devices["thinkpad-1"]
    outcome = approved(
        "deployment.start",
        model="ticket-router",
        version=served[1],
        group="thinkpads",
        strategy="all",
    )
    device.kill()
    device.token = None
    device.start()
    assert outcome.job is not None
    assert kernel.jobs.wait(outcome.job, timeout=60).status == "done"
    assert device.predict("my password")["version"] == served[1]


def test_pause_holds_the_rollout_until_it_is_resumed(
    fleet: FleetUnderTest, served: tuple[int, int], approved: Approved, call: Any, kernel: Kernel
) -> None:
    outcome = approved(
        "deployment.start",
        model="ticket-router",
        version=served[1],
        group="thinkpads",
        strategy="blue_green",
    )
    fleet.freeze_once_planned(served[1], *fleet.devices)
    fleet.until(lambda: fleet.happened("rollout.stage"), "staging was ordered")
    assert call("deployment.pause", group="thinkpads").result.paused
    assert call("deployment.pause", group="thinkpads").result.paused
    fleet.thaw(*fleet.devices)
    fleet.until(
        lambda: all(fleet.device(n).confirmed and fleet.device(n).stage for n in fleet.devices),
        "both have staged",
    )
    assert all(fleet.serving(name) == [("ticket-router", served[0])] for name in fleet.devices)
    call("deployment.resume", group="thinkpads")
    assert outcome.job is not None
    assert kernel.jobs.wait(outcome.job, timeout=60).status == "done"
    assert all(fleet.serving(name) == [("ticket-router", served[1])] for name in fleet.devices)


def test_a_rollback_ends_a_rollout_that_still_runs(
    fleet: FleetUnderTest, served: tuple[int, int], approved: Approved, kernel: Kernel
) -> None:
    running = approved(
        "deployment.start",
        model="ticket-router",
        version=served[1],
        group="thinkpads",
        strategy="all",
    )
    fleet.freeze_once_planned(served[1], "thinkpad-2")
    fleet.until(lambda: fleet.serving("thinkpad-1") == [("ticket-router", served[1])], "one has it")
    back = approved("deployment.rollback", group="thinkpads")
    fleet.thaw("thinkpad-2")
    assert running.job is not None and back.job is not None
    assert kernel.jobs.wait(back.job, timeout=60).status == "done"
    assert kernel.jobs.wait(running.job, timeout=60).status == "cancelled"
    assert all(fleet.serving(name) == [("ticket-router", served[0])] for name in fleet.devices)
    assert fleet.latest()["state"] == "rolled_back"


def test_cancelling_its_job_puts_the_devices_back(
    fleet: FleetUnderTest, served: tuple[int, int], approved: Approved, kernel: Kernel
) -> None:
    running = approved(
        "deployment.start",
        model="ticket-router",
        version=served[1],
        group="thinkpads",
        strategy="all",
    )
    fleet.freeze_once_planned(served[1], "thinkpad-2")
    fleet.until(lambda: fleet.serving("thinkpad-1") == [("ticket-router", served[1])], "one has it")
    assert running.job is not None
    kernel.jobs.cancel(running.job, "default")
    fleet.thaw("thinkpad-2")
    assert kernel.jobs.wait(running.job, timeout=60).status == "cancelled"
    assert all(fleet.serving(name) == [("ticket-router", served[0])] for name in fleet.devices)
    assert fleet.latest()["state"] == "rolled_back"


def test_an_ab_test_splits_stickily_counts_and_ends_with_the_former_model(
    fleet: FleetUnderTest, served: tuple[int, int], finished: Any, call: Any
) -> None:
    begun = finished(
        "deployment.ab_test",
        model="ticket-router",
        version=served[1],
        group="thinkpads",
        percent=30,
    )
    assert begun["state"] == "testing"
    device = fleet.devices["thinkpad-1"]
    versions = [device.predict("hello", key=f"user-{n}")["version"] for n in range(60)]
    assert versions == [device.predict("hello", key=f"user-{n}")["version"] for n in range(60)]
    assert 5 <= versions.count(served[1]) <= 33

    def counted() -> dict[int, int]:
        report = call("deployment.status", group="thinkpads").result.groups[0].rollout
        return {t.version: t.requests for t in report.exposures}

    expected = {v: 2 * versions.count(v) for v in served}
    fleet.until(lambda: counted() == expected, "the exposures are reported")
    finished("deployment.rollback", group="thinkpads")
    assert all(fleet.serving(name) == [("ticket-router", served[0])] for name in fleet.devices)


def test_what_cannot_be_done_is_said_before_anything_happens(
    fleet: FleetUnderTest, served: tuple[int, int], approved: Approved, finished: Any, call: Any
) -> None:
    with pytest.raises(Conflict, match="already"):
        call("deployment.start", model="ticket-router", version=served[0], group="thinkpads")
    finished("deployment.start", model="ticket-router", version=served[1], group="thinkpads")
    third = fleet.register(shift=2)
    with pytest.raises(Conflict, match="holds as a canary"):
        call("deployment.start", model="ticket-router", version=third, group="thinkpads")
    with pytest.raises(Conflict, match="in use"):
        call("registry.archive", model="ticket-router", version=served[1])
    call("devices.protect", group="thinkpads", protected=True)
    with pytest.raises(NeedsApproval) as needed:
        call("deployment.rollback", group="thinkpads")
    assert needed.value.approval["second_person"] is True
    for device in fleet.devices.values():
        device.kill()
    arguments = {"name": "pixel-1", "group": "phones", "profile": "phone"}
    fleet.kernel.gate.call("devices.enroll", arguments, fleet.context)
    with pytest.raises(Conflict, match="No device of phones is online: pixel-1 is pending"):
        call("deployment.start", model="ticket-router", version=third, group="phones")


@pytest.mark.slow
def test_a_retired_device_stops_and_no_longer_counts(
    fleet: FleetUnderTest, served: tuple[int, int], approved: Approved, call: Any
) -> None:
    approved("devices.retire", device="thinkpad-2")
    process = fleet.devices["thinkpad-2"].process
    assert process is not None
    assert process.wait(20) == 3
    assert not (fleet.devices["thinkpad-2"].home / "identity.json").exists()
    devices = call("deployment.status", group="thinkpads").result.groups[0].devices
    assert [d.device for d in devices] == ["thinkpad-1"]


def test_a_device_that_joins_later_gets_what_its_group_serves(
    fleet: FleetUnderTest, served: tuple[int, int], finished: Any
) -> None:
    fleet.enroll("thinkpad-3")
    now_served = [("ticket-router", served[0])]
    fleet.until(lambda: fleet.serving("thinkpad-3") == now_served, "it has the group's model")
    finished("deployment.rollback", group="thinkpads")
    fleet.until(lambda: fleet.serving("thinkpad-3") == [], "it follows the rollback")


def test_a_bundle_that_was_altered_on_the_platforms_disk_is_built_anew(
    fleet: FleetUnderTest, kernel: Kernel, finished: Callable[..., Any]
) -> None:
    fleet.enroll("thinkpad-1")
    fleet.enroll("kiosk-1", group="kiosks")
    version = fleet.register()
    first = finished(
        "deployment.start",
        model="ticket-router",
        version=version,
        group="thinkpads",
        strategy="all",
    )
    model = kernel.settings.home / "bundles" / first["bundle"] / "model.onnx"
    content = bytearray(model.read_bytes())
    content[len(content) // 2] ^= 1
    model.write_bytes(content)
    finished(
        "deployment.start", model="ticket-router", version=version, group="kiosks", strategy="all"
    )
    assert fleet.serving("kiosk-1") == [("ticket-router", version)]
