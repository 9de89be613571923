"""Rollouts in steps on simulated devices: judged, held, broken off, steered, and frozen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.registry.trained import add_training
from tests.support.classifier import write_classifier
from tests.support.simulated import SimulatedFleet
from tools.deployment.bundles import Bundles
from tools.deployment.observe import ALL_PUT_BACK
from tools.deployment.workflow import Workflow
from tools.devices.fleet import Fleet
from tools.kernel.errors import Conflict, InvalidInput, NeedsApproval
from tools.kernel.gate import Outcome
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel

Call = Callable[..., Outcome]
MODEL = {"model": "ticket-router", "group": "phones"}


@pytest.fixture
def phones(
    kernel: Kernel,
    context: RequestContext,
    tmp_path: Path,
    finished: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[SimulatedFleet]:
    """Six phones that serve version 1; there is a version 2. Nobody loads the bundles."""
    monkeypatch.setattr(Bundles, "ensure", lambda self, version, job: f"{version.version:064x}")
    kernel.settings.device_report_seconds = 5.0
    kernel.get(Workflow).bake_seconds = 0.2
    fleet = SimulatedFleet(kernel, context)
    for shift in (0, 1):
        files = write_classifier(tmp_path / f"v{shift}", shift=shift, padding=0)
        job = add_training(kernel, name="ticket-router", files=files)
        arguments = {"job": job, "model": "ticket-router"}
        kernel.gate.call("registry.register", arguments, context)
    fleet.enroll(6, requests=20)
    finished("deployment.start", **MODEL, version=1, strategy="all")
    yield fleet
    fleet.close()


def start(approved: Call, **more: Any) -> int:
    outcome = approved("deployment.start", **{**MODEL, "version": 2, **more})
    assert outcome.job is not None
    return outcome.job


def message(kernel: Kernel, job: int) -> str:
    row = kernel.jobs.wait(job, timeout=60)
    assert row.status == "failed" and row.error is not None, row.status
    return row.error["message"]


def events(kernel: Kernel) -> list[str]:
    return [event.kind for event in kernel.events.read("deployment")]


def test_a_canary_goes_step_by_step_to_the_whole_group(
    phones: SimulatedFleet, finished: Any, kernel: Kernel, call: Call
) -> None:
    done = finished("deployment.start", **MODEL, version=2, steps=[10, 50, 100], sample=40)
    assert done["state"] == "done" and phones.on(2) == set(phones.devices)
    reached = [d["step"] for d in done["devices"]]
    assert sorted(reached) == [1, 2, 2, 3, 3, 3]
    listed = call("deployment.judgements", rollout=done["rollout"]).result
    assert {j.step for j in listed.judgements} == {1, 2, 3}
    assert all(j.verdict != "breach" for j in listed.judgements)
    assert all(m.sample >= 40 for m in listed.judgements[0].metrics if m.name == "failed answers")
    audited = [r.body for r in kernel.audit.tail("default", 400)]
    assert sum(b.get("event") == "rollout.deploy" for b in audited) == 4


def test_too_little_data_holds_a_step_until_it_is_promoted(
    phones: SimulatedFleet, approved: Call, kernel: Kernel, call: Call
) -> None:
    for device in phones.devices.values():
        device.requests = 0
    job = start(approved, steps=[20, 100])
    phones.until(lambda: "0 of 30 answers" in (phones.latest().hold or ""), "it says so")
    assert len(phones.on(2)) == 1
    says = call("deployment.status", group="phones").receipt.says
    assert "at 20 % (step 1 of 2), holds: too little data: 0 of 30 answers" in says
    assert "1 of 6 devices serves it" in says
    phones.until(
        lambda: "too little data" in kernel.jobs.get(job, "default").message, "its job says so"
    )
    approved("deployment.promote", group="phones")
    phones.until(lambda: len(phones.on(2)) == 6, "the next step")
    approved("deployment.promote", group="phones")
    assert kernel.jobs.wait(job, timeout=60).status == "done"
    assert phones.latest().state == "done"


def test_a_breach_puts_every_touched_device_back_with_its_evidence(
    phones: SimulatedFleet, approved: Call, kernel: Kernel, call: Call
) -> None:
    for device in phones.devices.values():
        device.fails = {2: 0.3}
    told = message(kernel, start(approved, steps=[50, 100]))
    assert "failed answers" in told and "rolled back by itself" in told
    assert phones.on(1) == set(phones.devices)
    report = call("deployment.status", group="phones").result.groups[0].rollout
    assert report.state == "rolled_back" and report.judged.verdict == "breach"
    broken = next(m for m in report.judged.metrics if m.verdict == "breach")
    assert broken.evidence >= broken.alarm and broken.sample > 0


def test_of_many_devices_that_are_away_a_refusal_names_the_first(
    phones: SimulatedFleet, call: Call
) -> None:
    for number in range(8):
        call("devices.enroll", name=f"tablet-{number}", group="tablets", profile="phone")
    with pytest.raises(Conflict, match=r"tablet-4 is pending and 3 more\."):
        call("deployment.start", model="ticket-router", group="tablets", version=2)


def test_a_silent_device_is_a_failure_after_the_deadline(
    phones: SimulatedFleet, approved: Call, kernel: Kernel
) -> None:
    kernel.settings.device_report_seconds = 1.5
    victim = phones.devices["phones-p1"]
    job = start(approved, strategy="all")
    phones.until(lambda: phones.latest().version == 2, "it is planned")
    victim.silent = True
    assert "phones-p1: no report for" in message(kernel, job)
    assert phones.on(2) <= {"phones-p1"}
    victim.silent = False
    phones.until(lambda: phones.on(1) == set(phones.devices), "it follows when it is back")


def test_an_aborted_rollout_can_be_tried_again(
    phones: SimulatedFleet, approved: Call, finished: Any, kernel: Kernel
) -> None:
    for device in phones.devices.values():
        device.requests = 0
    job = start(approved, steps=[50, 100])
    phones.until(lambda: phones.latest().hold is not None, "it holds")
    assert finished("deployment.abort", group="phones")["state"] == "rolled_back"
    assert kernel.jobs.wait(job, timeout=60).status == "cancelled"
    assert phones.on(1) == set(phones.devices)
    with pytest.raises(Conflict, match="No rollout is under way"):
        kernel.gate.call("deployment.abort", {"group": "phones"}, phones.context)
    for device in phones.devices.values():
        device.requests = 20
    asked = kernel.gate.preview("deployment.retry", {"group": "phones"}, phones.context)
    assert asked.seconds and asked.risk.startswith("6 of 6 devices change")
    assert finished("deployment.retry", group="phones")["state"] == "done"
    assert phones.on(2) == set(phones.devices)
    with pytest.raises(Conflict, match="nothing to try again"):
        approved("deployment.retry", group="phones")


def test_some_devices_are_put_back_in_the_middle_and_the_others_go_on(
    phones: SimulatedFleet, approved: Call, finished: Any, kernel: Kernel
) -> None:
    laptops = phones.enroll(2, profile="laptop", requests=20)
    phones.until(lambda: len(phones.on(1)) == 8, "they joined")
    for device in phones.devices.values():
        device.requests = 0
    job = start(approved, steps=[99, 100])
    phones.until(lambda: phones.latest().hold is not None and len(phones.on(2)) == 7, "it holds")
    report = finished("deployment.rollback", group="phones", profile="phone")
    assert report["state"] == "running"
    assert phones.on(2) <= {d.name for d in laptops}
    for device in phones.devices.values():
        device.requests = 20
    assert kernel.jobs.wait(job, timeout=60).status == "done"
    assert phones.on(2) == {d.name for d in laptops}
    assert sum(d["excluded"] for d in report["devices"]) == 6


def test_a_step_whose_devices_were_all_put_back_holds_until_the_next_one_is_taken(
    phones: SimulatedFleet, approved: Call, finished: Any, kernel: Kernel
) -> None:
    laptops = {d.name for d in phones.enroll(2, profile="laptop", requests=20)}
    phones.until(lambda: len(phones.on(1)) == 8, "they joined")
    for device in phones.devices.values():
        device.requests = 0
    job = start(approved, steps=[25, 100])
    phones.until(lambda: phones.latest().hold is not None and len(phones.on(2)) == 2, "it holds")
    first = phones.on(2)
    assert not first & laptops, "only phones are in the first step of this group"
    outcome = approved("deployment.rollback", group="phones", profile="phone")
    assert outcome.job is not None
    row = kernel.jobs.wait(outcome.job, timeout=60)
    assert row.status == "done"
    assert "Phones of phones are out of rollout 2, the others are left to it" in {
        receipt.says.split(";")[0] for receipt in kernel.receipts.list("default")
    }
    phones.until(lambda: phones.latest().hold == ALL_PUT_BACK, "it waits for a person")
    assert phones.latest().step == 0 and not phones.on(2)
    approved("deployment.promote", group="phones")
    for device in phones.devices.values():
        device.requests = 20
    assert kernel.jobs.wait(job, timeout=60).status == "done"
    assert phones.on(2) == laptops


def test_the_preview_counts_the_minutes_for_which_every_step_is_watched(
    phones: SimulatedFleet, kernel: Kernel
) -> None:
    arguments = {**MODEL, "version": 2, "steps": [50, 100], "minutes": 10}
    asked = kernel.gate.preview("deployment.start", arguments, phones.context)
    assert asked.seconds is not None and asked.seconds >= 20 * 60
    whole = {**MODEL, "version": 2, "strategy": "all"}
    said = kernel.gate.preview("deployment.start", whole, phones.context).summary
    assert "v2 out to phones all at once (" in said


def test_a_filter_means_devices_by_what_they_report(
    phones: SimulatedFleet, finished: Any, call: Call, kernel: Kernel
) -> None:
    for number, device in enumerate(phones.devices.values()):
        device.machine = {
            "memory_mb": 4000.0 + 2000 * (number % 2),
            "disk_mb": 64_000.0,
            "accelerator": "none",
            "battery_percent": 80.0,
            "charging": False,
            "network": "wifi" if number < 4 else "cellular",
            "runtimes": ["onnx"],
        }
    fleet = kernel.get(Fleet)
    phones.until(
        lambda: all(
            d.report is not None and d.report.machine is not None
            for d in fleet.devices("default", "phones")
        ),
        "all devices told what machines they are",
    )
    done = finished(
        "deployment.start",
        **MODEL,
        version=2,
        strategy="all",
        min_memory_gb=6,
        network="wifi",
    )
    assert phones.on(2) == {"phones-p2", "phones-p4"} and len(done["devices"]) == 2
    with pytest.raises(Conflict, match="No device of phones is meant"):
        call("deployment.start", **MODEL, version=2, min_memory_gb=64)


def test_a_shadow_is_compared_answers_nobody_and_is_promoted(
    phones: SimulatedFleet, finished: Any, approved: Call, kernel: Kernel
) -> None:
    held = finished("deployment.start", **MODEL, version=2, strategy="shadow")
    assert held["state"] == "shadow"
    agreement = next(m for m in held["judged"]["metrics"] if m["name"] == "disagreement")
    assert agreement["sample"] >= 30 and agreement["verdict"] == "good"
    assert all(phones.serving(name) == [1, 2] for name in phones.devices)
    finished("deployment.promote", group="phones")
    assert all(phones.serving(name) == [2] for name in phones.devices)
    finished("deployment.rollback", group="phones")
    for device in phones.devices.values():
        device.disagrees = 0.6
    assert "disagreement" in message(kernel, start(approved, strategy="shadow"))
    assert all(phones.serving(name) == [1] for name in phones.devices)


def test_a_freeze_refuses_what_is_new_holds_what_runs_and_allows_putting_back(
    phones: SimulatedFleet, approved: Call, call: Call, finished: Any, kernel: Kernel
) -> None:
    frozen = call("deployment.freeze", reason="the audit", until="3 days").result
    assert frozen.frozen and frozen.until is not None
    with pytest.raises(Conflict, match="the audit"):
        call("deployment.start", **MODEL, version=2)
    assert call("deployment.unfreeze").result.lifted == 1
    for device in phones.devices.values():
        device.requests = 0
    job = start(approved, steps=[20, 100])
    phones.until(lambda: "answers" in (phones.latest().hold or ""), "it holds for data")
    call("deployment.freeze", group="phones", reason="release week")
    for device in phones.devices.values():
        device.requests = 20
    phones.until(lambda: "release week" in (phones.latest().hold or ""), "it holds for the freeze")
    assert len(phones.on(2)) == 1
    with pytest.raises(Conflict, match="release week"):
        call("deployment.promote", group="phones")
    call("deployment.unfreeze", group="phones")
    assert kernel.jobs.wait(job, timeout=60).status == "done"
    call("deployment.freeze")
    finished("deployment.rollback", group="phones")
    assert phones.on(1) == set(phones.devices)


def test_devices_are_changed_only_so_fast_and_only_in_the_window(
    phones: SimulatedFleet, approved: Call, kernel: Kernel
) -> None:
    job = start(approved, strategy="all", per_minute=240)
    assert kernel.jobs.wait(job, timeout=60).status == "done"
    times = sorted(d.changed for d in kernel.get(Fleet).devices("default") if d.changed is not None)
    assert len(times) == 6
    now = times[-1]
    closed = f"{(now.hour + 2) % 24:02d}:00-{(now.hour + 3) % 24:02d}:00"
    approved("deployment.rollback", group="phones")
    phones.until(lambda: phones.latest().state == "rolled_back", "it is back")
    start(approved, strategy="all", window=closed)
    phones.until(lambda: "window" in (phones.latest().hold or ""), "it waits")
    assert phones.on(1) == set(phones.devices)


def test_who_proposes_a_production_rollout_cannot_approve_it(
    phones: SimulatedFleet, call: Call, kernel: Kernel, context: RequestContext
) -> None:
    call("devices.protect", group="phones", protected=True)
    for operation, arguments in (
        ("deployment.start", {**MODEL, "version": 2}),
        ("deployment.rollback", {"group": "phones"}),
    ):
        with pytest.raises(NeedsApproval) as needed:
            call(operation, **arguments)
        assert needed.value.approval["second_person"] is True


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"steps": [50, 10]}, "grow"),
        ({"steps": [10, 50], "percent": 20}, "Either"),
        ({"strategy": "all", "steps": [10, 50]}, "belongs to a canary"),
        ({"window": "25:00-26:00"}, "window"),
    ],
)
def test_what_does_not_go_together_is_said(
    call: Call, arguments: dict[str, Any], told: str, phones: SimulatedFleet
) -> None:
    with pytest.raises(InvalidInput, match=told):
        call("deployment.start", **MODEL, version=2, **arguments)


def test_a_canary_whose_delayed_labels_are_bad_puts_its_devices_back(
    phones: SimulatedFleet, approved: Call, call: Call, kernel: Kernel
) -> None:
    job = start(approved, strategy="canary", percent=50, sample=100_000)
    phones.until(lambda: len(phones.on(2)) == 3, "half of the phones have version 2")
    with pytest.raises(Conflict, match="v7 takes no part in the last rollout of phones: v1 and v2"):
        call("deployment.record_outcome", group="phones", key="t-0", version=7)
    for number in range(60):
        old, new = f"old-{number}", f"new-{number}"
        call("deployment.record_outcome", group="phones", key=old, version=1)
        call("deployment.record_outcome", group="phones", key=new, version=2, success=False)
    assert "wrong outcomes 100.0%, above the limit of 5.0%" in message(kernel, job)
    assert phones.on(2) == set()


def test_an_ab_test_records_outcomes_and_its_winner_is_promoted(
    phones: SimulatedFleet, finished: Any, call: Call
) -> None:
    finished("deployment.ab_test", **MODEL, version=2, percent=50)
    with pytest.raises(Conflict, match="no winner yet"):
        call("deployment.promote", group="phones")
    for number in range(160):
        key = f"user-{number}"
        first = call("deployment.record_outcome", group="phones", key=key, success=False).result
        assert first.recorded and first.version in (1, 2)
        if number == 0:
            again = call("deployment.record_outcome", group="phones", key=key).result
            assert not again.recorded and again.success is False
            break
    versions = {1: 0, 2: 0}
    for number in range(1, 160):
        key = f"user-{number}"
        probe = call(
            "deployment.record_outcome", group="phones", key=key, success=number % 10 != 0
        ).result
        versions[probe.version] += 1
    result = call("deployment.ab_result", group="phones").result
    assert result.recommended == "wait" and result.low < 0 < result.high
    assert (result.control.outcomes, result.challenger.outcomes) != (0, 0)
    assert result.control.exposures > 0 and not result.guardrails[0].breached
    finished("deployment.promote", group="phones", version=2)
    assert all(phones.serving(name) == [2] for name in phones.devices)
