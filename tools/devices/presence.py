"""Which devices were there, and which were changed by another process: one small query for many.

A device that polls and says that its newest report still holds needs no new one. When it was there
is kept in memory and written down together with the others'.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, select, type_coerce, update
from sqlalchemy.types import NullType

from tools.devices.standing import Standings
from tools.devices.tables import DeviceRow, ReportRow
from tools.kernel.storage import now

if TYPE_CHECKING:
    from tools.kernel.storage import Database

FLUSH_SECONDS = 2.0
_OVERLAP = timedelta(seconds=60)
"""Processes' clocks differ, and a change is seen only once its transaction has ended, which takes
seconds where it changes a large fleet."""
_AT_ONCE = 500
_AS_STORED = type_coerce(DeviceRow.touched, NullType())
"""Half a second later most are the same: they are compared as stored, and times are not read."""


class Presence:
    """When devices were there last, in memory until it is written down; thread-safe.

    Args:
        database: the platform's.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._seen: dict[int, datetime] = {}
        self._flushed = time.monotonic()

    def mark(self, device: int) -> None:
        """Note that a device is there now, and that its newest report holds."""
        with self._lock:
            self._seen[device] = now()

    def flush(self) -> bool:
        """Write down who was there, at most every two seconds; True if anybody was."""
        with self._lock:
            if not self._seen or time.monotonic() - self._flushed < FLUSH_SECONDS:
                return False
            seen, self._seen = self._seen, {}
            self._flushed = time.monotonic()
        statement = (
            update(ReportRow.__table__)  # pyright: ignore[reportArgumentType]
            .where(ReportRow.__table__.c.device == bindparam("id"))
            .values(at=bindparam("moment"))
        )
        with self._database.session() as session:
            session.connection().execute(
                statement, [{"id": device, "moment": moment} for device, moment in seen.items()]
            )
        return True


class Changes:
    """Finds devices that were changed since the last look, by whichever process.

    Args:
        database: the platform's.
        standings: from which those are dropped.
    """

    def __init__(self, database: Database, standings: Standings) -> None:
        self._database = database
        self._standings = standings
        self._lock = threading.Lock()
        self._since = now()
        self._seen: dict[int, object] = {}

    @contextmanager
    def held_back(self) -> Iterator[None]:
        """Let nobody look until a change that this process makes is known to itself as well."""
        with self._lock:
            yield

    def __call__(self) -> set[int]:
        """Drop what is known of changed devices; answers with their ids."""
        with self._lock:
            looked = now()
            query = select(DeviceRow.id, _AS_STORED).where(
                DeviceRow.touched > self._since - _OVERLAP
            )
            with self._database.session() as session:
                rows: dict[int, object] = {row[0]: row[1] for row in session.execute(query)}
            changed = [d for d, touched in rows.items() if self._seen.get(d) != touched]
            self._seen = rows
            self._since = looked
            stale = self._stale(changed)
            if stale:
                self._standings.drop(stale)
        return stale

    def _stale(self, devices: Sequence[int]) -> set[int]:
        """Those of which something else is known here than what is stored."""
        stale: set[int] = set()
        for start in range(0, len(devices), _AT_ONCE):
            some = devices[start : start + _AT_ONCE]
            query = select(DeviceRow.id, DeviceRow.touched).where(DeviceRow.id.in_(some))
            with self._database.session() as session:
                stale |= {
                    row.id
                    for row in session.execute(query)
                    if not self._is_known(row.id, row.touched)
                }
        return stale

    def _is_known(self, device: int, touched: datetime | None) -> bool:
        known = self._standings.of(device)
        return known is not None and known.row.touched == touched
