"""Taking in reports: those that arrive while others are being stored are stored together.

Whoever hands a report in is answered once it is on disk. A single report is stored at once; of a
large fleet that reports all together, hundreds share one transaction.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pydantic import ValidationError
from sqlalchemy import Table, bindparam, insert, select, update

from tools.devices.fleet import add_counts, no_counts
from tools.devices.messages import DeviceReport
from tools.devices.proofs import check_signature
from tools.devices.standing import Standings
from tools.devices.tables import DeviceRow, ReportRow
from tools.kernel.errors import InvalidInput
from tools.kernel.events import Events
from tools.kernel.storage import now

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tools.kernel.storage import Database

REPORT_PREFIX = b"pilothouse-report-v1\n"
MOST_AT_ONCE = 250
_REPORTS = cast("Table", ReportRow.__table__)
_INSERT = insert(_REPORTS)
_UPDATE = (
    update(_REPORTS)
    .where(_REPORTS.c.device == bindparam("of_device"))
    .values({name: bindparam(name) for name in ("boot", "sequence", "at", "body", "earlier")})
)
_TOLD = ("generation", "phase", "healthy", "serving", "staged", "error")

Taken = Callable[[Sequence[tuple[DeviceRow, DeviceReport]]], None]


@dataclass(slots=True)
class _Arrived:
    """A report that waits to be stored; `answer` is whether it is newer than what is known."""

    device: DeviceRow
    body: bytes
    signature: str
    answer: Future[bool]
    report: DeviceReport | None = None


class Inbox:
    """Stores reports, each after the one before it; safe to use from several threads.

    Args:
        database: the platform's.
        events: told what a report changes, in the same transaction.
        standings: told which report is the newest.
        taken: called after reports were stored, before those who sent them are answered.
    """

    def __init__(
        self, database: Database, events: Events, standings: Standings, taken: Taken
    ) -> None:
        self._database = database
        self._events = events
        self._standings = standings
        self._taken = taken
        self._lock = threading.Lock()
        self._waiting: deque[_Arrived] = deque()
        self._busy = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="inbox")

    def put(self, device: DeviceRow, body: bytes, signature: str | None) -> Future[bool]:
        """Hand a report in.

        Returns:
            True once it is stored; False if it is older than, or the same as, one that is known.
            Fails with `InvalidInput` if it is malformed, with `Unauthenticated` if it is not signed
            with the device's own key.
        """
        arrived = _Arrived(device, body, signature or "", Future())
        with self._lock:
            self._waiting.append(arrived)
            idle, self._busy = not self._busy, True
        if idle:
            self._thread.submit(self._drain)
        return arrived.answer

    def _drain(self) -> None:
        while some := self._next():
            read = [arrived for arrived in some if _read(arrived)]
            self._store(read)

    def _next(self) -> list[_Arrived]:
        """The reports to be stored next, one a device: the second of a device follows the first."""
        some: dict[int, _Arrived] = {}
        with self._lock:
            while self._waiting and len(some) < MOST_AT_ONCE:
                if self._waiting[0].device.id in some:
                    break
                arrived = self._waiting.popleft()
                some[arrived.device.id] = arrived
            self._busy = bool(some)
        return list(some.values())

    def _store(self, arrived: Sequence[_Arrived]) -> None:
        """Store reports together; if that fails, each alone, so that none harms the others."""
        try:
            stored = self._write(arrived) if arrived else {}
        except Exception as error:  # handed to whoever waits for the answer
            if len(arrived) == 1:
                arrived[0].answer.set_exception(error)
                return
            for one in arrived:
                self._store([one])
            return
        self._tell(arrived, stored)

    def _write(self, arrived: Sequence[_Arrived]) -> dict[int, ReportRow]:
        """One transaction; answers with what it stored, by device."""
        told: dict[str, list[dict[str, Any]]] = {}
        rows: list[tuple[ReportRow | None, dict[str, Any]]] = []
        with self._database.writing() as session:
            newest = self._newest(session, [a.device.id for a in arrived])
            for one in arrived:
                before = newest.get(one.device.id)
                if (values := _values(one, before)) is None:
                    continue
                rows.append((before, values))
                if change := _change(one.device, values["body"], before and before.body):
                    told.setdefault(one.device.tenant, []).append(change)
            _put_rows(session, rows)
            for tenant, changes in told.items():
                self._events.add_all(session, "devices", "device.changed", changes, tenant)
        if told:
            self._events.wake()
        return {values["device"]: ReportRow(**values) for _, values in rows}

    def _newest(self, session: Session, devices: Sequence[int]) -> dict[int, ReportRow]:
        """Their newest reports; those that are known here are not read, only found unchanged."""
        marks = select(_REPORTS.c.device, _REPORTS.c.boot, _REPORTS.c.sequence)
        query = marks.where(_REPORTS.c.device.in_(devices))
        found: dict[int, ReportRow] = {}
        unknown: list[int] = []
        for device, boot, sequence in session.execute(query):
            known = self._standings.of(device)
            if known is not None and known.newest and known.report == (boot, sequence):
                found[device] = known.newest
            else:
                unknown.append(device)
        if unknown:
            whole = select(ReportRow).where(ReportRow.device.in_(unknown))
            found |= {row.device: row for row in session.scalars(whole)}
        return found

    def _tell(self, arrived: Sequence[_Arrived], stored: Mapping[int, ReportRow]) -> None:
        for device, row in stored.items():
            if (standing := self._standings.of(device)) is not None:
                standing.newest = row
        taken = [(a.device, a.report) for a in arrived if a.report and a.device.id in stored]
        if taken:
            self._taken(taken)
        for one in arrived:
            if not one.answer.done():
                one.answer.set_result(one.device.id in stored)


def _read(arrived: _Arrived) -> bool:
    """Check and read a report; False if it is answered already, or nobody waits for it any more."""
    if not arrived.answer.set_running_or_notify_cancel():
        return False
    try:
        key = arrived.device.public_key or ""
        check_signature(key, arrived.signature, REPORT_PREFIX + arrived.body)
        arrived.report = DeviceReport.model_validate_json(arrived.body)
    except ValidationError as error:
        told = InvalidInput(f"The report is malformed: {error.errors()[0]['msg']}.")
        arrived.answer.set_exception(told)
    except Exception as error:  # handed to whoever waits for the answer
        arrived.answer.set_exception(error)
    return not arrived.answer.done()


def _values(arrived: _Arrived, before: ReportRow | None) -> dict[str, Any] | None:
    """What is stored of a report; None if there is nothing to store, and it is answered."""
    report = arrived.report
    if report is None or _is_old(report, before):
        return None
    try:
        _check_plausible(report, before)
    except InvalidInput as error:
        arrived.answer.set_exception(error)
        return None
    return {
        "device": arrived.device.id,
        "boot": report.boot,
        "sequence": report.sequence,
        "at": now(),
        "body": report.stored(),
        "earlier": [] if before is None else _earlier(before, report.boot),
    }


def _put_rows(session: Session, rows: Iterable[tuple[ReportRow | None, Mapping[str, Any]]]) -> None:
    """Write first reports, and reports over the ones before them."""
    first = [dict(values) for before, values in rows if before is None]
    later = [dict(values) for before, values in rows if before is not None]
    if first:
        session.connection().execute(_INSERT, first)
    for values in later:
        values["of_device"] = values.pop("device")
    if later:
        session.connection().execute(_UPDATE, later)


def _is_old(report: DeviceReport, before: ReportRow | None) -> bool:
    known = None if before is None else (before.boot, before.sequence)
    return known is not None and (report.boot, report.sequence) <= known


def _change(
    device: DeviceRow, body: Mapping[str, Any], before: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    """What a report changes, for whoever follows the devices; None if nothing."""
    if before is not None and all(body[f] == before.get(f) for f in _TOLD):
        return None
    return {"device": device.name, "group": device.group, **{f: body[f] for f in _TOLD}}


def _check_plausible(report: DeviceReport, before: ReportRow | None) -> None:
    """Refuse counts that shrink within one boot: a device cannot take back what it answered.

    Raises:
        InvalidInput: naming the model.
    """
    if before is None or report.boot != before.boot:
        return
    told = {t["bundle"]: t for t in before.body["traffic"]}
    for now_told in report.traffic:
        old = told.get(now_told.bundle)
        if old and (now_told.requests < old["requests"] or now_told.errors < old["errors"]):
            raise InvalidInput(f"The report takes back what {now_told.model} answered.")


def _earlier(before: ReportRow, boot: int) -> list[Any]:
    """Totals of the boots before this one: folded in when the boot number changes."""
    if boot == before.boot:
        return before.earlier
    totals: dict[str, dict[str, Any]] = {}
    for count in (*before.earlier, *before.body["traffic"]):
        add_counts(totals.setdefault(count["bundle"], {**count, **no_counts()}), count)
    return list(totals.values())
