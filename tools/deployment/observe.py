"""Waiting for what devices report, and judging it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tools.deployment.rollouts import Rollouts
from tools.deployment.tables import RolloutRow, TargetRow
from tools.deployment.types import RolloutState
from tools.devices.fleet import Device, Fleet
from tools.devices.types import Traffic
from tools.kernel.storage import now

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

LOOK_SECONDS = 1.0
WHOLE_SECONDS = 1800.0


class PlatformStopping(BaseException):
    """The platform is being stopped: leave the step unfinished, the next start takes it up."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a wait ended. `kind` is good, breach (with a reason a device) or stopped."""

    kind: str
    reasons: Mapping[str, str]

    def as_data(self) -> dict[str, Any]:
        """As a step's result keeps it."""
        return {"kind": self.kind, "reasons": dict(self.reasons)}


GOOD = Verdict("good", {})
STOPPED = Verdict("stopped", {})
Ready = Callable[[Device], bool]


class Observer:
    """Waits on reports as they arrive; reads only.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._fleet = kernel.get(Fleet)
        self._rollouts = kernel.get(Rollouts)
        self._patience = kernel.settings.device_report_seconds

    def confirmed(self, row: RolloutRow, go_on: Callable[[], None]) -> Verdict:
        """Wait until every chosen device reports that it has what it is meant to have."""
        return self._wait(row, go_on, lambda device: device.confirmed)

    def baked(self, row: RolloutRow, seconds: float, go_on: Callable[[], None]) -> Verdict:
        """Wait until every chosen device has reported to be well for so many seconds."""
        began = now()

        def ready(device: Device) -> bool:
            report = device.report
            return (
                device.confirmed
                and report is not None
                and (report.at - began).total_seconds() >= seconds
            )

        return self._wait(row, go_on, ready)

    def restored(
        self, row: RolloutRow, names: Sequence[str], go_on: Callable[[], None]
    ) -> dict[str, str]:
        """Wait until these devices report what they are meant to serve; returns who does not.

        Every device is waited for until it confirms, refuses or has been silent for too long.
        """
        began, seen = now(), self._fleet.watch.reports
        while True:
            self._check(go_on)
            there = [d for d in self._fleet.devices(row.tenant, row.group) if d.name in names]
            reasons = {d.name: self._stuck(d, began) for d in there if not d.confirmed}
            if all(reason is not None for reason in reasons.values()):
                return {name: reason for name, reason in reasons.items() if reason is not None}
            self._fleet.watch.wait_report(seen, LOOK_SECONDS)
            seen = self._fleet.watch.reports

    def wait_unpaused(self, row: RolloutRow, go_on: Callable[[], None]) -> bool:
        """Wait while the rollout is paused; False if it was ended meanwhile."""
        seen = self._fleet.watch.reports
        while True:
            self._check(go_on)
            current = self._rollouts.get(row.tenant, row.id)
            if current.state != RolloutState.RUNNING:
                return False
            if not current.paused:
                return True
            self._fleet.watch.wait_report(seen, LOOK_SECONDS)
            seen = self._fleet.watch.reports

    def _wait(self, row: RolloutRow, go_on: Callable[[], None], ready: Ready) -> Verdict:
        began, deadline = now(), time.monotonic() + WHOLE_SECONDS
        targets = {t.device: t for t in self._rollouts.targets(row.id) if t.chosen and t.awaited}
        seen = self._fleet.watch.reports
        while True:
            self._check(go_on)
            if self._rollouts.get(row.tenant, row.id).state != RolloutState.RUNNING:
                return STOPPED
            devices = [d for d in self._fleet.devices(row.tenant, row.group) if d.name in targets]
            reasons = self._breaches(row, devices, targets, began)
            if reasons:
                return Verdict("breach", reasons)
            if not devices:
                return Verdict("breach", dict.fromkeys(targets, "it was retired"))
            if all(ready(d) for d in devices):
                return GOOD
            if time.monotonic() > deadline:
                late = {d.name: "it did not finish in time" for d in devices if not ready(d)}
                return Verdict("breach", late)
            self._fleet.watch.wait_report(seen, LOOK_SECONDS)
            seen = self._fleet.watch.reports

    def _breaches(
        self,
        row: RolloutRow,
        devices: Iterable[Device],
        targets: Mapping[str, TargetRow],
        began: datetime,
    ) -> dict[str, str]:
        found: dict[str, str] = {}
        for device in devices:
            reason = self._stuck(device, began) or _unwell(row, device, targets[device.name])
            if reason is not None:
                found[device.name] = reason
        return found

    def _stuck(self, device: Device, began: datetime) -> str | None:
        """Why a device will not get there: it refused, or it is silent."""
        if (refused := device.refused) is not None:
            return refused
        last = max(began, device.report.at) if device.report else began
        if (now() - last).total_seconds() > self._patience:
            return f"no report for {self._patience:g} s"
        return None

    def _check(self, go_on: Callable[[], None]) -> None:
        if self._fleet.watch.closed:
            raise PlatformStopping
        go_on()


def _unwell(row: RolloutRow, device: Device, target: TargetRow) -> str | None:
    report = device.report
    if report is None or report.generation != device.generation:
        return None
    if not report.healthy:
        return report.error or "it reports to be unhealthy"
    new = traffic_since(report.traffic, target.traffic_before)
    for traffic in new:
        if (traffic.model, traffic.version) == (row.model, row.version) and traffic.errors:
            return f"{traffic.errors} of {traffic.requests} requests failed"
    return None


def traffic_since(total: Sequence[Traffic], before: Sequence[Mapping[str, Any]]) -> list[Traffic]:
    """What was answered since `before` was noted, by model version."""
    earlier = {(t.model, t.version): t for t in (Traffic.model_validate(b) for b in before)}
    return [_less(t, earlier.get((t.model, t.version))) for t in total]


def _less(total: Traffic, before: Traffic | None) -> Traffic:
    if before is None:
        return total
    answered = (total.requests - total.errors) - (before.requests - before.errors)
    surety = _surety(total) - _surety(before)
    return Traffic(
        model=total.model,
        version=total.version,
        requests=total.requests - before.requests,
        errors=total.errors - before.errors,
        mean_confidence=round(surety / answered, 4) if answered > 0 else None,
        compared=total.compared - before.compared,
        agreed=total.agreed - before.agreed,
        labels={
            label: count
            for label, times in total.labels.items()
            if (count := times - before.labels.get(label, 0))
        },
    )


def _surety(traffic: Traffic) -> float:
    return (traffic.mean_confidence or 0.0) * (traffic.requests - traffic.errors)
