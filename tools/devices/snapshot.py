"""Devices as they were read last: of a large fleet, only what has changed is read again.

A rollout looks at its devices once a second and more often; what they are to serve and what they
reported is parsed once for each change of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from tools.devices.standing import Standings
from tools.devices.tables import DeviceRow, ReportRow

if TYPE_CHECKING:
    from tools.devices.fleet import Device
    from tools.kernel.storage import Database

AT_ONCE = 500
"""Devices that are read whole by one query."""
MOST_KNOWN = 100_000

Key = tuple[datetime | None, int | None, int | None]
View = Callable[[DeviceRow, ReportRow | None], "Device"]


class Snapshot:
    """Reads devices; safe to use from several threads.

    Args:
        database: the platform's.
        standings: devices that poll here, which need not be read once more.
        view: makes a device of its record and its newest report.
    """

    def __init__(self, database: Database, standings: Standings, view: View) -> None:
        self._database = database
        self._standings = standings
        self._view = view
        self._known: dict[int, tuple[Key, Device]] = {}

    def devices(self, tenant: str, group: str | None) -> list[Device]:
        """The devices that are not retired, of one group or all, by group and name."""
        query = (
            select(
                DeviceRow.id, DeviceRow.touched, ReportRow.boot, ReportRow.sequence, ReportRow.at
            )
            .outerjoin(ReportRow, ReportRow.device == DeviceRow.id)
            .where(DeviceRow.tenant == tenant, DeviceRow.retired.is_(None))
            .order_by(DeviceRow.group, DeviceRow.name)
        )
        if group is not None:
            query = query.where(DeviceRow.group == group)
        with self._database.session() as session:
            rows = session.execute(query).all()
        if len(self._known) > MOST_KNOWN:
            self._known = {}
        found = {
            row.id: device
            for row in rows
            if (device := self._still(row) or self._polled(row)) is not None
        }
        found |= self._read([row.id for row in rows if row.id not in found])
        return [_seen(found[row.id], row.at) for row in rows if row.id in found]

    def _still(self, row: Any) -> Device | None:
        """The device as it is known, if it has not changed since."""
        key, device = self._known.get(row.id, (None, None))
        return device if key == (row.touched, row.boot, row.sequence) else None

    def _polled(self, row: Any) -> Device | None:
        """The device as its standing holds it, if that is what is stored."""
        standing = self._standings.of(row.id)
        if standing is None:
            return None
        newest = standing.newest
        if _key(standing.row, newest) != (row.touched, row.boot, row.sequence):
            return None
        return self._keep(standing.row, newest)

    def _read(self, ids: Sequence[int]) -> dict[int, Device]:
        whole = read_whole(self._database, ids)
        return {row.id: self._keep(row, newest) for row, newest in whole}

    def _keep(self, row: DeviceRow, newest: ReportRow | None) -> Device:
        device = self._view(row, newest)
        self._known[row.id] = _key(row, newest), device
        return device


def _key(row: DeviceRow, newest: ReportRow | None) -> Key:
    """What names a device as it stands: its record and its report change with it."""
    return (row.touched, newest and newest.boot, newest and newest.sequence)


def read_whole(
    database: Database, devices: Sequence[int]
) -> Iterator[tuple[DeviceRow, ReportRow | None]]:
    """The records of devices, each with its newest report; many in a few queries."""
    query = select(DeviceRow, ReportRow).outerjoin(ReportRow, ReportRow.device == DeviceRow.id)
    for start in range(0, len(devices), AT_ONCE):
        with database.session() as session:
            some = query.where(DeviceRow.id.in_(devices[start : start + AT_ONCE]))
            rows = session.execute(some).all()
        yield from ((row, newest) for row, newest in rows)


def _seen(device: Device, at: datetime | None) -> Device:
    """A device whose report was confirmed by a poll at a later moment."""
    report = device.report
    if report is None or at is None or report.at >= at:
        return device
    return replace(device, report=replace(report, at=at))
