"""The audit: append-only, each record chained to the one before by SHA-256.

The newest link is also kept in a sealed file beside the database, so that cutting off the end, or
writing the whole chain anew, is found as well as a changed record in the middle.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from tools.kernel.canonical import canonical
from tools.kernel.errors import Unavailable
from tools.kernel.keys import Keys
from tools.kernel.storage import Database, now
from tools.kernel.tables import AuditRow

GENESIS = "0" * 64


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


class Audit:
    """Append and verify; safe to use from several threads and processes.

    Args:
        database: where the records are kept.
        keys: seal the newest link.
        head: the file that holds the newest link.
    """

    def __init__(self, database: Database, keys: Keys, head: Path) -> None:
        self._database = database
        self._keys = keys
        self._head = head
        self._lock = threading.Lock()

    def append(self, tenant: str, body: dict[str, Any]) -> int:
        """Add a record; returns its sequence number.

        Raises:
            Unavailable: if it cannot be written; the caller must then not act.
        """
        text = canonical(body)
        with self._lock:
            for _ in range(50):
                try:
                    return self._append(tenant, text)
                except IntegrityError:  # another process took the number
                    continue
        raise Unavailable("The audit is too busy to take a record; nothing was done.")

    def _append(self, tenant: str, text: str) -> int:
        at = now().isoformat()
        with self._database.session() as session:
            last = session.execute(
                select(AuditRow.sequence, AuditRow.hash).order_by(AuditRow.sequence.desc()).limit(1)
            ).first()
            sequence, previous = (last[0] + 1, last[1]) if last else (1, GENESIS)
            link = _link(previous, sequence, tenant, at, text)
            session.add(
                AuditRow(
                    sequence=sequence, tenant=tenant, at=at, body=text, previous=previous, hash=link
                )
            )
        self._write_head(sequence, link)
        return sequence

    def tail(self, tenant: str, limit: int = 20) -> list[AuditRecord]:
        """The newest records of a tenant, oldest first."""
        query = select(AuditRow).where(AuditRow.tenant == tenant)
        with self._database.session() as session:
            rows = session.scalars(query.order_by(AuditRow.sequence.desc()).limit(limit)).all()
        return [AuditRecord(r.sequence, r.at, json.loads(r.body), r.hash) for r in reversed(rows)]

    def verify(self) -> AuditVerdict:
        """Walk the whole chain and compare it with the sealed head."""
        previous, expected, hashes = GENESIS, 1, dict[int, str]()
        with self._database.session() as session:
            rows = session.scalars(
                select(AuditRow).order_by(AuditRow.sequence).execution_options(yield_per=1000)
            )
            for row in rows:
                problem = _problem(row, expected, previous)
                if problem:
                    return AuditVerdict(expected - 1, False, problem)
                previous, expected = row.hash, expected + 1
                hashes[row.sequence] = row.hash
        return self._compare_head(expected - 1, hashes)

    def _compare_head(self, records: int, hashes: dict[int, str]) -> AuditVerdict:
        if not self._head.exists():
            problem = "the sealed head is missing" if records else None
            return AuditVerdict(records, problem is None, problem)
        sequence, link, seal = (*self._head.read_text().split(), "", "", "")[:3]
        if not self._keys.sealed(seal, "audit", sequence, link):
            return AuditVerdict(records, False, "the sealed head was altered")
        if hashes.get(int(sequence)) != link:
            problem = f"record {sequence}, the newest when it was written, is missing or replaced"
            return AuditVerdict(records, False, problem)
        return AuditVerdict(records, True)

    def _write_head(self, sequence: int, link: str) -> None:
        seal = self._keys.seal("audit", str(sequence), link)
        fresh = self._head.with_suffix(f".{os.getpid()}")
        fresh.write_text(f"{sequence} {link} {seal}\n")
        fresh.replace(self._head)


def _link(previous: str, sequence: int, tenant: str, at: str, text: str) -> str:
    joined = "\x1f".join((previous, str(sequence), tenant, at, text))
    return hashlib.sha256(joined.encode()).hexdigest()


def _problem(row: AuditRow, expected: int, previous: str) -> str | None:
    if row.sequence != expected:
        return f"record {expected} is missing"
    if row.previous != previous:
        return f"record {row.sequence} does not follow the one before it"
    if row.hash != _link(row.previous, row.sequence, row.tenant, row.at, row.body):
        return f"record {row.sequence} was altered"
    return None
