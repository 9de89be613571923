"""The audit: append-only, each record chained to the one before by a keyed hash (HMAC-SHA-256).

Without the home's key nobody can alter, add or replace a record unseen. The newest link is also
kept in a sealed file beside the database, so that cutting off the end is found as well. A chain
that was cut or replaced is never mended: what follows goes on from the sealed link, so that the
damage stays visible to every later `verify`.
"""

from __future__ import annotations

import errno
import fcntl
import json
import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from sqlalchemy import Table, insert, select
from sqlalchemy.orm import Session

from tools.kernel.canonical import canonical
from tools.kernel.errors import Unavailable
from tools.kernel.keys import Keys
from tools.kernel.periods import Span
from tools.kernel.storage import Database, now
from tools.kernel.tables import AuditRow

log = logging.getLogger(__name__)

GENESIS = "0" * 64
BROKEN = "the sealed head was missing"
HEAD_BYTES = 200
# Made once: building a statement costs more than running it.
_RECORDS = cast("Table", AuditRow.__table__)
_INSERT = insert(_RECORDS)
_NEWEST = select(_RECORDS.c.sequence, _RECORDS.c.hash).order_by(_RECORDS.c.sequence.desc()).limit(1)


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One link: its number, time, content and hash."""

    sequence: int
    at: str
    body: dict[str, Any]
    hash: str


@dataclass(frozen=True, slots=True)
class AuditVerdict:
    """What `Audit.verify` found: how many records, and the first thing that is wrong."""

    records: int
    intact: bool
    problem: str | None = None


@dataclass(frozen=True, slots=True)
class _Tip:
    sequence: int
    link: str


class Ledger:
    """A writing transaction in which audit records, and what they tell of, are stored together.

    Attributes:
        session: the transaction; what else is written in it stands or falls with the records.
    """

    def __init__(self, session: Session, audit: Audit) -> None:
        self.session = session
        self._audit = audit
        self.tip: _Tip | None = None

    def append(self, tenant: str, body: dict[str, Any]) -> int:
        """Add a record; returns its sequence number."""
        self.tip = self._audit.link_up(self.session, self.tip, tenant, body)
        return self.tip.sequence


class Audit:
    """Append and verify; safe to use from several threads and processes.

    Args:
        database: where the records are kept.
        keys: the home's keys: links and the newest link's seal are made with them.
        head: the file that holds the newest link.
    """

    def __init__(self, database: Database, keys: Keys, head: Path) -> None:
        self._database = database
        self._keys = keys
        self._head = head
        self._lock = threading.Lock()
        self._behind = False

    def append(self, tenant: str, body: dict[str, Any]) -> int:
        """Add a record; returns its sequence number.

        Raises:
            Unavailable: if it cannot be written; the caller must then not act.
        """
        with self.writing() as ledger:
            return ledger.append(tenant, body)

    @contextmanager
    def writing(self) -> Iterator[Ledger]:
        """A transaction for records and what they tell of; one at a time over all processes.

        Raises:
            Unavailable: if it cannot be written; nothing of it was.
        """
        with self._alone():
            with self._database.writing() as session:
                ledger = Ledger(session, self)
                if self._behind:
                    self._catch_up(session)
                yield ledger
            if ledger.tip is not None:
                self._keep_head(ledger.tip)

    def tail(
        self,
        tenant: str,
        limit: int = 20,
        before: int | None = None,
        span: Span | None = None,
        principal: str | None = None,
    ) -> list[AuditRecord]:
        """The newest records of a tenant, oldest first; with `before`, those numbered lower.

        Args:
            tenant: whose records.
            limit: at most this many.
            before: only records with lower numbers.
            span: only those of this time.
            principal: only what this user or service did.
        """
        query = select(AuditRow).where(AuditRow.tenant == tenant)
        if principal is not None:
            said = canonical({"principal": principal})[1:-1]  # bodies are written so
            query = query.where(AuditRow.body.contains(said, autoescape=True))
        if span is not None and span.start is not None:
            query = query.where(AuditRow.at >= stamp(span.start))
        if span is not None and span.end is not None:
            query = query.where(AuditRow.at < stamp(span.end))
        if before is not None:
            query = query.where(AuditRow.sequence < before)
        with self._database.session() as session:
            rows = session.scalars(query.order_by(AuditRow.sequence.desc()).limit(limit)).all()
        return [AuditRecord(r.sequence, r.at, json.loads(r.body), r.hash) for r in reversed(rows)]

    def verify(self) -> AuditVerdict:
        """Walk the whole chain and compare it with the sealed head."""
        with self._alone():  # before the rows, which only grow
            head, sealed = self._read_head(), self._head.exists()
        previous, expected, at_head = GENESIS, 1, ""
        query = select(AuditRow).order_by(AuditRow.sequence).execution_options(yield_per=1000)
        with self._database.session() as session:
            for row in session.scalars(query):
                problem = self._problem(row, expected, previous)
                if problem:
                    return AuditVerdict(expected - 1, False, problem)
                previous, expected = row.hash, expected + 1
                if head is not None and row.sequence == head.sequence:
                    at_head = row.hash
        problem = _head_problem(head, sealed, expected - 1, at_head)
        return AuditVerdict(expected - 1, problem is None, problem)

    def spent(self, session: Session, approval: str, since: str) -> bool:
        """True if a record from `since` (an ISO time) on tells of a call with this approval."""
        query = select(AuditRow.at, AuditRow.body).order_by(AuditRow.sequence.desc())
        for at, body in session.execute(query.execution_options(yield_per=200)):
            if at < since:
                return False
            if approval in body:
                told = json.loads(body)
                if told.get("event") == "call.allowed" and told.get("approval") == approval:
                    return True
        return False

    def link_up(
        self, session: Session, tip: _Tip | None, tenant: str, body: dict[str, Any]
    ) -> _Tip:
        """Store the next record of a chain whose newest link is `tip`; for `Ledger`."""
        last = tip or self._tip(session)
        text, at = canonical(body), stamp()
        link = self._link(last.link, last.sequence + 1, tenant, at, text)
        row = {"sequence": last.sequence + 1, "tenant": tenant, "at": at, "body": text}
        row |= {"previous": last.link, "hash": link}
        session.connection().execute(_INSERT, row)
        return _Tip(last.sequence + 1, link)

    def _tip(self, session: Session) -> _Tip:
        """Where the chain goes on: at the sealed head, also where records behind it are gone."""
        found = session.connection().execute(_NEWEST).first()
        last = _Tip(found[0], found[1]) if found else None
        head = self._read_head()
        if head is None:
            return self._tip_without_head(last)
        if last is None or last.sequence <= head.sequence:
            return head
        at_head = session.scalar(select(AuditRow.hash).where(AuditRow.sequence == head.sequence))
        # A crash, or another home on the same server, leaves the head behind: no damage.
        return last if at_head == head.link else _Tip(last.sequence, head.link)

    def _tip_without_head(self, last: _Tip | None) -> _Tip:
        if last is None:
            return _Tip(0, BROKEN if self._head.exists() else GENESIS)
        return _Tip(last.sequence, BROKEN) if self._database.is_sqlite else last

    def _link(self, previous: str, sequence: int, tenant: str, at: str, text: str) -> str:
        return self._keys.seal("audit link", previous, str(sequence), tenant, at, text)

    def _problem(self, row: AuditRow, expected: int, previous: str) -> str | None:
        if row.sequence != expected:
            return f"record {expected} is missing"
        if row.previous == BROKEN:
            return f"the sealed head was missing or altered when record {row.sequence} was written"
        if row.previous != previous:
            return f"record {row.sequence} does not follow the one before it"
        if row.hash != self._link(row.previous, row.sequence, row.tenant, row.at, row.body):
            return f"record {row.sequence} was altered"
        return None

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with self._lock:
            try:
                handle = self._head.with_suffix(".lock").open("w")
            except OSError as error:
                raise _unwritable(error) from error
            with handle:
                fcntl.flock(handle, fcntl.LOCK_EX)
                yield

    def _read_head(self) -> _Tip | None:
        try:
            sequence, link, seal = self._head.read_text().partition("\n")[0].split()
        except (OSError, ValueError):
            return None
        if not self._keys.sealed(seal, "audit", sequence, link):
            return None
        return _Tip(int(sequence), link)

    def _keep_head(self, tip: _Tip) -> None:
        try:
            self._write_head(tip)
            self._behind = False
        except OSError as error:  # the records stand; nothing more is taken until the head does
            self._behind = True
            log.error("the audit's head could not be written: %s", error)

    def _catch_up(self, session: Session) -> None:
        try:
            self._write_head(self._tip(session))
            self._behind = False
        except OSError as error:
            raise _unwritable(error) from error

    def _write_head(self, tip: _Tip) -> None:
        seal = self._keys.seal("audit", str(tip.sequence), tip.link)
        line = f"{tip.sequence} {tip.link} {seal}".ljust(HEAD_BYTES - 1) + "\n"
        # Written over in one go, which needs no new space; replacing the file would wait for the
        # disk.
        handle = os.open(self._head, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            if os.pwrite(handle, line.encode(), 0) != HEAD_BYTES:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        finally:
            os.close(handle)


def stamp(at: datetime | None = None) -> str:
    """A time, or the present one, as audit records carry it: ISO 8601, UTC, with microseconds."""
    return (at or now()).astimezone(UTC).isoformat(timespec="microseconds")


def _head_problem(head: _Tip | None, exists: bool, records: int, at_head: str) -> str | None:
    if head is None and not exists:
        return "the sealed head is missing" if records else None
    if head is None:
        return "the sealed head was altered"
    if at_head != head.link:
        return f"record {head.sequence}, the newest when it was written, is missing or replaced"
    return None


def _unwritable(error: OSError) -> Unavailable:
    return Unavailable(
        f"The audit cannot be written ({error.strerror}); nothing was done.",
        hint="Check the home's free space and permissions.",
    )
