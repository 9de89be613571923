"""Waiting for what devices report, and judging each step by it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from tools.deployment.freezes import Freezes, told
from tools.deployment.judgements import Judgements
from tools.deployment.judging import BREACH, GOOD, Judged, Seen, judge
from tools.deployment.looks import former_of, seen_of
from tools.deployment.outcomes import Outcomes
from tools.deployment.rollouts import Rollouts
from tools.deployment.tables import RolloutRow, TargetRow
from tools.deployment.times import opens_in
from tools.deployment.types import RolloutState, Strategy
from tools.devices.fleet import Device, Fleet
from tools.kernel.storage import now

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

LOOK_SECONDS = 1.0
WHOLE_SECONDS = 1800.0
LOOKED_SHARE, MOST_SECONDS = 0.2, 5.0
"""The largest share of the time spent on looking at a large fleet, and the longest pause."""


class PlatformStopping(BaseException):
    """The platform is being stopped: leave the step unfinished, the next start takes it up."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a wait ended. `kind` is good, breach (with a reason a device or metric) or stopped."""

    kind: str
    reasons: Mapping[str, str]

    def as_data(self) -> dict[str, Any]:
        """As a step's result keeps it."""
        return {"kind": self.kind, "reasons": dict(self.reasons)}


WENT_WELL = Verdict("good", {})
ALL_PUT_BACK = "every device of this step was put back; the next step waits to be taken"
STOPPED = Verdict("stopped", {})


@dataclass(slots=True)
class _Step:
    """A step while it is watched.

    Attributes:
        number: from 0.
        wave: what was ordered; what is only staged is not judged by answers.
        seconds: for how long the devices are watched once they are there.
        began: when watching began; a device counts as silent no sooner than its patience later.
        steady: since when no device is awaited any more.
    """

    number: int
    wave: str
    seconds: float
    began: datetime = field(default_factory=now)
    deadline: float = field(default_factory=lambda: time.monotonic() + WHOLE_SECONDS)
    steady: datetime | None = None


class Observer:
    """Waits on reports as they arrive; writes only what a rollout waits for and how it is judged.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._fleet = kernel.get(Fleet)
        self._rollouts = kernel.get(Rollouts)
        self._freezes = kernel.get(Freezes)
        self._judgements = kernel.get(Judgements)
        self._outcomes = kernel.get(Outcomes)
        self._patience = kernel.settings.device_report_seconds

    def judged(
        self,
        row: RolloutRow,
        number: int,
        wave: str,
        seconds: float,
        go_on: Callable[[], None],
        tell: Callable[[str | None], None],
    ) -> Verdict:
        """Watch a step until it is good, breaks, or is ended; too little data holds it.

        Args:
            row: the rollout.
            number: the step, from 0.
            wave: what was ordered.
            seconds: for how long the devices are watched once they are there.
            go_on: called between looks; raises when the job is to end.
            tell: called with what the step waits for after every look; None if for nothing.
        """
        step = _Step(number, wave, seconds)
        while True:
            seen_reports = self._fleet.watch.reports
            self._check(go_on)
            looked = time.monotonic()
            current = self._rollouts.get(row.tenant, row.id)
            verdict = self._look(current, step)
            if verdict is not None:
                return verdict
            tell(current.hold)
            self._pause(time.monotonic() - looked)
            self._fleet.watch.wait_report(seen_reports, LOOK_SECONDS)

    def restored(
        self, row: RolloutRow, names: Sequence[str], go_on: Callable[[], None]
    ) -> dict[str, str]:
        """Wait until these devices report what they are meant to serve; returns who does not.

        Every device is waited for until it confirms, refuses or has been silent for too long.
        """
        began, seen, wanted = now(), self._fleet.watch.reports, frozenset(names)
        while True:
            self._check(go_on)
            looked = time.monotonic()
            there = [d for d in self._fleet.devices(row.tenant, row.group) if d.name in wanted]
            reasons = {d.name: self._stuck(d, began) for d in there if not d.confirmed}
            if all(reason is not None for reason in reasons.values()):
                return {name: reason for name, reason in reasons.items() if reason is not None}
            self._pause(time.monotonic() - looked)
            self._fleet.watch.wait_report(seen, LOOK_SECONDS)
            seen = self._fleet.watch.reports

    def wait_ready(self, row: RolloutRow, go_on: Callable[[], None]) -> bool:
        """Wait while the rollout is paused, frozen, or out of its maintenance window.

        Returns:
            False if it was ended meanwhile.
        """
        while True:
            seen = self._fleet.watch.reports
            self._check(go_on)
            current = self._rollouts.get(row.tenant, row.id)
            if current.state != RolloutState.RUNNING:
                return False
            hold = self._not_now(current)
            self._rollouts.holds(current, hold)
            if hold is None:
                return True
            self._fleet.watch.wait_report(seen, LOOK_SECONDS)

    def wait(self, seconds: float, go_on: Callable[[], None]) -> None:
        """Wait so many seconds, unless the platform stops or the job ends."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            self._check(go_on)
            self._fleet.watch.wait_report(self._fleet.watch.reports, min(left, LOOK_SECONDS))

    def _not_now(self, row: RolloutRow) -> str | None:
        if row.paused:
            return "paused"
        if (frozen := self._freezes.active(row.tenant, row.group)) is not None:
            return told(frozen)
        window: str | None = row.plan.get("window")
        return f"waits for its window, {window} UTC" if opens_in(window, now()) else None

    def _look(self, row: RolloutRow, step: _Step) -> Verdict | None:
        """One look at a step; None if it goes on."""
        if row.state != RolloutState.RUNNING:
            return STOPPED
        targets = {t.device: t for t in self._rollouts.targets(row.id)}
        devices = self._fleet.devices(row.tenant, row.group)
        mine = [d for d in devices if _counts(targets.get(d.name), step)]
        if not mine:
            return self._nobody(row, targets, step)
        seen = [seen_of(row, d, targets[d.name], self._stuck(d, step.began)) for d in mine]
        awaited = [s.device for s in seen if not s.there and s.failed is None]
        if awaited and time.monotonic() > step.deadline:
            return Verdict(BREACH, dict.fromkeys(awaited, "it did not finish in time"))
        former = former_of(row, devices, targets)
        sample = 0 if step.wave == "stage" else row.plan.get("sample", 0)
        shadow = row.strategy == Strategy.SHADOW
        told = self._outcomes.told(row.id, row.version)
        judged = judge(seen, former, sample, shadow=shadow, told=told)
        return self._decide(row, step, judged, seen, awaited, mine)

    def _decide(
        self,
        row: RolloutRow,
        step: _Step,
        judged: Judged,
        seen: Sequence[Seen],
        awaited: Sequence[str],
        devices: Sequence[Device],
    ) -> Verdict | None:
        if judged.verdict == BREACH:
            self._judgements.keep(row, step.number, judged, final=True)
            return Verdict(BREACH, judged.reasons)
        step.steady = None if awaited else (step.steady or now())
        promoted = row.skip > step.number
        due = step.steady is not None and (promoted or _baked(step, devices, seen))
        good = due and (judged.verdict == GOOD or promoted)
        hold = None if good else _waits(step, awaited, judged, due)
        self._judgements.keep(row, step.number, judged, final=good)
        self._rollouts.holds(row, hold)
        return WENT_WELL if good else None

    def _nobody(
        self, row: RolloutRow, targets: Mapping[str, TargetRow], step: _Step
    ) -> Verdict | None:
        """A step whose devices are all gone: not good unless they were put back on request.

        Nobody has judged such a step, so a person decides whether the next one is taken.
        """
        left = [t for t in targets.values() if t.chosen and t.awaited and t.wave <= step.number]
        if any(not t.excluded for t in left):
            return Verdict(BREACH, {t.device: "it was retired" for t in left if not t.excluded})
        ahead = any(t.chosen and not t.excluded and t.wave > step.number for t in targets.values())
        hold = ALL_PUT_BACK if left and ahead and row.skip <= step.number else None
        self._rollouts.holds(row, hold)
        return WENT_WELL if hold is None else None

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

    def _pause(self, looked: float) -> None:
        """Leave time to others between two looks: a large fleet reports all the time."""
        time.sleep(min(looked / LOOKED_SHARE, MOST_SECONDS))


def _counts(target: TargetRow | None, step: _Step) -> bool:
    """True for a device that this step, or one before it, reached."""
    if target is None or target.excluded or not target.chosen or not target.awaited:
        return False
    return target.wave <= step.number


def _baked(step: _Step, devices: Iterable[Device], seen: Sequence[Seen]) -> bool:
    """True once every device that is there has reported to be well for long enough."""
    failed = {s.device for s in seen if s.failed is not None}
    steady = step.steady
    return steady is not None and all(
        d.report is not None and (d.report.at - steady).total_seconds() >= step.seconds
        for d in devices
        if d.name not in failed
    )


def _waits(step: _Step, awaited: Sequence[str], judged: Judged, due: bool) -> str | None:
    if awaited:
        some = ", ".join(awaited[:3]) + (" …" if len(awaited) > 3 else "")
        return f"waits for the report of {some}"
    return judged.says if due and judged.verdict != GOOD else None
