"""Opening, migrating and using the database."""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import DatabaseError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session

from tools.kernel.errors import Unavailable

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 30
CONNECTIONS = 20
_WRITING = 0x70696C6F74  # the advisory locks on PostgreSQL
_MIGRATING = _WRITING + 1


class Database:
    """One engine for one URL; safe to use from several threads, a `Session` is not.

    Args:
        url: SQLAlchemy URL. SQLite is opened in WAL mode with a 30 s busy time-out.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.engine = _engine(url)
        self._writers = threading.RLock()

    @contextmanager
    def session(self) -> Iterator[Session]:
        """A session that commits at the end, or rolls back and raises.

        Raises:
            Unavailable: if the database cannot be used (a full disk, a lost server, a damaged
                file).
        """
        with Session(self.engine, expire_on_commit=False) as session:
            try:
                yield session
                session.commit()
            except (OperationalError, PoolTimeout) as error:
                session.rollback()
                raise _unavailable(error) from error
            except DatabaseError as error:
                session.rollback()
                if type(error) is not DatabaseError:  # a constraint, a wrong statement
                    raise
                raise _unavailable(error) from error
            except BaseException:
                session.rollback()
                raise

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A session that is the only writer from its beginning: what it reads stays true.

        Keep it short, and open no other writing session inside it.

        Raises:
            Unavailable: see `session`.
        """
        with self._writers, self.session() as session:
            connection = session.connection()
            if self.is_sqlite:
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_WRITING})")
            yield session

    @property
    def is_sqlite(self) -> bool:
        """True if the database is a file of this home."""
        return self.engine.dialect.name == "sqlite"

    def migrate(self) -> None:
        """Bring the schema to the newest version; only one process at a time does so.

        Raises:
            Unavailable: if the database cannot be used, or was written by a newer version.
        """
        from alembic import command
        from alembic.config import Config
        from alembic.util.exc import CommandError

        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS))
        config.attributes["engine"] = self.engine
        try:
            with self._exclusive():
                command.upgrade(config, "heads")
        except CommandError as error:
            raise Unavailable(
                f"The database does not fit this version of Pilothouse: {error}.",
                hint="Use the version that wrote it, or another home.",
            ) from error
        except (DatabaseError, PoolTimeout, OSError) as error:
            raise _unavailable(error) from error

    @contextmanager
    def _exclusive(self) -> Iterator[None]:
        if not self.is_sqlite:
            with self.engine.connect() as connection:  # which holds the lock until it is closed
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_MIGRATING})")
                yield
            return
        with Path(f"{self.engine.url.database}.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _unavailable(error: Exception) -> Unavailable:
    told = getattr(error, "orig", None) or error
    return Unavailable(
        f"The database could not be used: {str(told).strip()}.",
        hint="Check the disk's free space and that the database is reachable.",
    )


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(
        url,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
        pool_size=CONNECTIONS,
        max_overflow=CONNECTIONS,
    )
    event.listen(engine, "connect", _sqlite_pragmas)
    return engine


def _sqlite_pragmas(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()
