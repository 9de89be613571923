"""One holder at a time, over all threads and processes of a database; freed when it dies."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from tools.kernel.storage import Database


@contextmanager
def exclusive(database: Database, name: str) -> Iterator[None]:
    """Hold the lock `name` of this database.

    SQLite: a lock on a file beside the database. PostgreSQL: an advisory lock of the server, held
    by a connection of its own, so that a lost process gives it back.

    Args:
        database: the platform's database.
        name: what is being locked.
    """
    if database.engine.dialect.name != "sqlite":
        with _advisory(database, name):
            yield
        return
    folder = Path(database.engine.url.database or ".").parent / "locks"
    folder.mkdir(mode=0o700, exist_ok=True)
    with (folder / f"{name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@contextmanager
def _advisory(database: Database, name: str) -> Iterator[None]:
    key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
    with database.engine.connect() as connection:
        connection.execute(text("select pg_advisory_lock(:key)"), {"key": key})
        try:
            yield
        finally:
            connection.execute(text("select pg_advisory_unlock(:key)"), {"key": key})
