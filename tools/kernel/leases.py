"""Leases: what only one process may do at a time, among those that share a database.

On PostgreSQL a lease is an advisory lock of a connection that this process holds: it ends with the
process, however that ends. With SQLite there is one process, and a lease is a name in a set.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from typing import TYPE_CHECKING

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from tools.kernel.storage import Database

log = logging.getLogger(__name__)


class Leases:
    """The leases of this process; safe to use from several threads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._held: set[str] = set()
        self._lock = threading.Lock()
        self._connection: Connection | None = None

    def take(self, name: str) -> bool:
        """Take a lease; False if it is held already, here or in another process."""
        with self._lock:
            if name in self._held:
                return False
            if not self._database.is_sqlite and not self._locked(name):
                return False
            self._held.add(name)
            return True

    def release(self, name: str) -> None:
        """Let others take a lease; one that is not held is let be."""
        with self._lock:
            if name not in self._held:
                return
            self._held.discard(name)
            if self._connection is not None:
                self._ask("SELECT pg_advisory_unlock(:key)", name)

    def close(self) -> None:
        """Release all."""
        with self._lock:
            self._held.clear()
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _locked(self, name: str) -> bool:
        return bool(self._ask("SELECT pg_try_advisory_lock(:key)", name))

    def _ask(self, question: str, name: str) -> object:
        """One question over the connection that holds the locks, which is opened anew if lost."""
        for last in (False, True):
            try:
                return self._open().scalar(text(question), {"key": _key(name)})
            except DBAPIError:
                if last:
                    raise
                self._reopen()
        return None

    def _open(self) -> Connection:
        if self._connection is None:
            engine = self._database.engine.execution_options(isolation_level="AUTOCOMMIT")
            self._connection = engine.connect()
        return self._connection

    def _reopen(self) -> None:
        """After a lost connection: hold again what nobody has taken meanwhile."""
        if self._connection is not None:
            self._connection.invalidate()
            self._connection.close()
            self._connection = None
        for name in sorted(self._held):
            held = self._open().scalar(
                text("SELECT pg_try_advisory_lock(:key)"), {"key": _key(name)}
            )
            if not held:
                log.warning("the lease %s was lost with the database's connection", name)


def _key(name: str) -> int:
    """A name as PostgreSQL's signed 64-bit key."""
    digest = hashlib.sha256(f"pilothouse lease {name}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
