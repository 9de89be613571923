"""The fleet as it stands: devices, what they are meant to serve, what they reported themselves.

`change_desired` is the only function that changes what a device is meant to serve.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, update

from tools.devices.mqtt import Bell
from tools.devices.presence import Changes, Presence
from tools.devices.snapshot import Snapshot
from tools.devices.standing import Standings
from tools.devices.tables import DeviceRow, GroupRow, ReportRow
from tools.devices.types import DeviceState, Machine, Profile, ServedModel, Traffic
from tools.devices.watch import Watch
from tools.kernel.storage import now

if TYPE_CHECKING:
    from sqlalchemy import Select, Update
    from sqlalchemy.orm import Session

    from tools.kernel.kernel import Kernel


@dataclass(frozen=True, slots=True)
class Reported:
    """A device's newest report, as the server keeps it; `at` is the server's time."""

    at: datetime
    boot: int
    generation: int
    attempted: int
    phase: str
    healthy: bool
    serving: tuple[ServedModel, ...]
    staged: tuple[str, ...]
    slots: Mapping[str, ServedModel | None]
    error: str | None
    traffic: tuple[Traffic, ...]
    p50_ms: float | None
    p95_ms: float | None
    memory_mb: float | None
    free_disk_mb: float | None
    address: str | None
    agent: str
    machine: Machine | None = None
    handed_over: int = 0
    handed_to: str | None = None

    @property
    def requests(self) -> int:
        """Texts it was asked about since it was enrolled."""
        return sum(t.requests for t in self.traffic)

    @property
    def errors(self) -> int:
        """Texts it failed to answer since it was enrolled."""
        return sum(t.errors for t in self.traffic)


@dataclass(frozen=True, slots=True)
class Device:
    """One device: what it is meant to serve, and what it reported."""

    id: int
    name: str
    group: str
    profile: Profile
    state: DeviceState
    generation: int
    serve: tuple[ServedModel, ...]
    stage: tuple[ServedModel, ...]
    changed: datetime | None
    enrolled: datetime | None
    report: Reported | None
    locked: datetime | None = None

    @property
    def serving(self) -> tuple[ServedModel, ...]:
        """What it serves, by its own report."""
        return self.report.serving if self.report else ()

    @property
    def confirmed(self) -> bool:
        """True if a report made after the last change says that it serves what it is meant to."""
        report = self.report
        if report is None or report.generation != self.generation:
            return not self.serve and not self.stage and report is None and self.generation == 0
        staged = {*report.staged, *(s.bundle for s in report.serving)}
        return set(report.serving) == set(self.serve) and all(
            s.bundle in staged for s in self.stage
        )

    @property
    def refused(self) -> str | None:
        """Why it refused what it is meant to serve, if it did."""
        report = self.report
        if report is None or report.phase != "failed" or report.attempted != self.generation:
            return None
        return report.error or "the device gave no reason"


@dataclass(frozen=True, slots=True)
class Desired:
    """What a device is to serve, and what it is to have ready beside it."""

    serve: tuple[ServedModel, ...] = ()
    stage: tuple[ServedModel, ...] = ()


MANY = 500
"""Devices of a group beyond which all of it is read, rather than these by name."""

COUNTED = ("requests", "errors", "compared", "agreed")
"""What is counted of a model's traffic, beside its confidence and labels."""

Fence = Callable[["Session"], bool]
"""Runs first in the transaction of a change; answers False if the change must not be made."""


class Fleet:
    """Reads and changes the fleet; safe to use from several threads.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.standings = Standings()
        self._bell = Bell(kernel.database, kernel.settings.mqtt_url)
        self._snapshot = Snapshot(kernel.database, self.standings, view)
        self.presence = Presence(kernel.database)
        self._changes = Changes(kernel.database, self.standings)
        self.watch = Watch(self._changes, self.presence.flush)

    def close(self) -> None:
        """Wake everybody who waits."""
        self.watch.close()

    def changed(self, devices: Sequence[int]) -> None:
        """Tell devices, and whoever waits for them, that their record has changed."""
        self.standings.drop(devices)
        self._tell(devices)

    def _tell(self, devices: Sequence[int]) -> None:
        self.watch.wake(devices)
        self._bell.ring(devices)
        self.watch.reported()

    def devices(self, tenant: str, group: str | None = None) -> list[Device]:
        """The devices that are not retired, by group and name."""
        moment = now()
        return [self._now(device, moment) for device in self._snapshot.devices(tenant, group)]

    def groups(self, tenant: str) -> list[GroupRow]:
        """All groups that have a device, by name."""
        inhabited = select(DeviceRow.group).where(
            DeviceRow.tenant == tenant, DeviceRow.retired.is_(None)
        )
        query = select(GroupRow).where(GroupRow.tenant == tenant, GroupRow.name.in_(inhabited))
        with self._kernel.database.session() as session:
            return list(session.scalars(query.order_by(GroupRow.name)))

    def group(self, tenant: str, name: str) -> GroupRow | None:
        """A group's record."""
        query = select(GroupRow).where(GroupRow.tenant == tenant, GroupRow.name == name)
        with self._kernel.database.session() as session:
            return session.scalar(query)

    def change_desired(
        self,
        tenant: str,
        group: str,
        wanted: Mapping[str, Desired],
        cause: str,
        *,
        fence: Fence,
        baseline: Sequence[ServedModel] | None = None,
    ) -> list[str] | None:
        """Change what devices of a group are meant to serve; equal states are left alone.

        Args:
            wanted: by device name; names that are retired or of another group are passed over.
            cause: who changes it, such as `rollout 3`.
            fence: runs first in the same transaction, with a write that takes the lock.
            baseline: the forms of what devices that join the group later are to serve, of which
                each gets one (see `joining`); None leaves it.

        Returns:
            The devices whose state was changed, or None if the fence said no.
        """
        with self._changes.held_back():
            mark = self.standings.mark
            with self._kernel.database.session() as session:
                if not fence(session):
                    return None
                query = _named(tenant, group, wanted)
                rows = [row for row in session.scalars(query) if row.name in wanted]
                changed = [row for row in rows if _change(row, wanted[row.name], cause)]
                if baseline is not None:
                    session.execute(_group(tenant, group).values(baseline=_dump(baseline)))
            self.standings.renew(changed, mark)  # all of them ask at once now
        self._tell([row.id for row in changed])
        return [row.name for row in changed]

    def _now(self, device: Device, moment: datetime) -> Device:
        """A device as it stands at a moment: it falls silent without telling."""
        if device.enrolled is None:
            return device
        patience = timedelta(seconds=self._kernel.settings.device_report_seconds)
        last = device.report.at if device.report else device.enrolled
        state = DeviceState.ONLINE if moment - last <= patience else DeviceState.SILENT
        return device if state == device.state else replace(device, state=state)


def _group(tenant: str, name: str) -> Update:
    return update(GroupRow).where(GroupRow.tenant == tenant, GroupRow.name == name)


def _named(tenant: str, group: str, names: Collection[str]) -> Select[DeviceRow]:
    """Devices of a group by name; of very many, all that could be meant."""
    query = select(DeviceRow).where(
        DeviceRow.tenant == tenant, DeviceRow.group == group, DeviceRow.retired.is_(None)
    )
    return query.where(DeviceRow.name.in_(list(names))) if len(names) <= MANY else query


def view(row: DeviceRow, report: ReportRow | None) -> Device:
    """A device from its record and its newest report."""
    return Device(
        id=row.id,
        name=row.name,
        group=row.group,
        profile=Profile(row.profile),
        state=DeviceState.SILENT if row.enrolled else DeviceState.PENDING,
        generation=row.generation,
        serve=load_models(row.serve),
        stage=load_models(row.stage),
        changed=row.changed,
        enrolled=row.enrolled,
        report=_reported(report) if report else None,
        locked=row.locked,
    )


def load_models(data: Sequence[Any]) -> tuple[ServedModel, ...]:
    """Served models from their stored form."""
    return tuple(ServedModel.model_validate(item) for item in data)


def _dump(models: Sequence[ServedModel]) -> list[dict[str, Any]]:
    return [model.model_dump() for model in models]


def _change(row: DeviceRow, wanted: Desired, cause: str) -> bool:
    serve, stage = _dump(wanted.serve), _dump(wanted.stage)
    if row.serve == serve and row.stage == stage:
        return False
    row.serve, row.stage = serve, stage
    row.generation, row.changed, row.cause = row.generation + 1, now(), cause
    return True


def _reported(row: ReportRow) -> Reported:
    body = row.body
    return Reported(
        at=row.at,
        boot=row.boot,
        generation=body["generation"],
        attempted=body["attempted"],
        phase=body["phase"],
        healthy=body["healthy"],
        serving=load_models(body["serving"]),
        staged=tuple(body["staged"]),
        slots={s: ServedModel.model_validate(m) if m else None for s, m in body["slots"].items()},
        error=body["error"],
        traffic=merge_traffic([*row.earlier, *body["traffic"]]),
        p50_ms=body["p50_ms"],
        p95_ms=body["p95_ms"],
        memory_mb=body["memory_mb"],
        free_disk_mb=body["free_disk_mb"],
        address=body["address"],
        agent=body["agent"],
        machine=Machine.model_validate(body["machine"]) if body.get("machine") else None,
        handed_over=body.get("handed_over", 0),
        handed_to=body.get("handed_to"),
    )


def merge_traffic(counts: Sequence[Mapping[str, Any]]) -> tuple[Traffic, ...]:
    """Traffic by model version, from the counts of several boots or devices."""
    merged: dict[tuple[str, int], dict[str, Any]] = {}
    for count in counts:
        key = (count["model"], count["version"])
        add_counts(merged.setdefault(key, no_counts()), count)
    return tuple(_traffic(model, version, total) for (model, version), total in merged.items())


def no_counts() -> dict[str, Any]:
    """The counts of a model that has answered nothing."""
    return {**dict.fromkeys(COUNTED, 0), "confidence_sum": 0.0, "labels": {}, "inputs": None}


def add_counts(total: dict[str, Any], count: Mapping[str, Any]) -> None:
    """Add what a report counts to a total, which `no_counts` begins."""
    for field in (*COUNTED, "confidence_sum"):
        total[field] += count.get(field, 0)
    for label, times in count["labels"].items():
        total["labels"][label] = total["labels"].get(label, 0) + times
    if inputs := count.get("inputs"):
        before: Mapping[str, list[int]] = total["inputs"] or {}
        total["inputs"] = {
            name: _sums(before.get(name), inputs.get(name)) for name in {**before, **inputs}
        }


def _sums(some: list[int] | None, others: list[int] | None) -> list[int]:
    """Counts class by class; what a program of an older version did not count adds nothing."""
    if not some or not others:
        return some or others or []
    return [a + b for a, b in zip(some, others, strict=True)]


def _traffic(model: str, version: int, total: Mapping[str, Any]) -> Traffic:
    answered = total["requests"] - total["errors"]
    return Traffic(
        model=model,
        version=version,
        requests=total["requests"],
        errors=total["errors"],
        mean_confidence=round(total["confidence_sum"] / answered, 4) if answered else None,
        compared=total["compared"],
        agreed=total["agreed"],
        labels=total["labels"],
        inputs=total["inputs"],
    )
