"""Opening, migrating and using the database."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from tools.kernel.errors import Unavailable

MIGRATIONS = Path(__file__).parent / "migrations"


class Database:
    """One engine for one URL; safe to use from several threads, a `Session` is not.

    Args:
        url: SQLAlchemy URL. SQLite is opened in WAL mode with a 30 s busy time-out.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session that commits at the end, or rolls back and raises.

        Raises:
            Unavailable: if the database cannot be written (a full disk, a lost server).
        """
        with Session(self.engine, expire_on_commit=False) as session:
            try:
                yield session
                session.commit()
            except OperationalError as error:
                session.rollback()
                raise Unavailable(
                    f"The database could not be used: {error.orig}.",
                    hint="Check the disk's free space and that the database is reachable.",
                ) from error
            except BaseException:
                session.rollback()
                raise

    def migrate(self) -> None:
        """Bring the schema to the newest version; only one process at a time does so."""
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["engine"] = self.engine
        with self._exclusive():
            command.upgrade(config, "heads")

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        if self.engine.dialect.name != "sqlite" or not self.engine.url.database:
            yield
            return
        with Path(self.engine.url.database + ".lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": 30, "check_same_thread": False})
    event.listen(engine, "connect", _sqlite_pragmas)
    return engine


def _sqlite_pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
