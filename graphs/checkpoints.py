"""Where LangGraph keeps its checkpoints: a file of the home, or the platform's PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import make_url

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver

    from tools.kernel.settings import Settings

CONNECTIONS = 8


@asynccontextmanager
async def checkpoints(settings: Settings) -> AsyncIterator[BaseCheckpointSaver[Any]]:
    """The checkpoint saver that fits the platform's database, its tables made.

    Args:
        settings: name the home and the database.
    """
    if settings.database.startswith("sqlite"):
        from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

        path = str(settings.home / "threads.db")
        async with AsyncSqliteSaver.from_conn_string(path) as saver:
            await saver.setup()
            await saver.conn.execute("PRAGMA synchronous=NORMAL")
            yield saver
        return
    async with _pool(settings.database) as pool:
        from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver

        saver = AsyncPostgresSaver(pool)
        await saver.setup()
        yield saver


@asynccontextmanager
async def _pool(url: str) -> AsyncIterator[Any]:
    """A pool as the saver wants it: each statement commits by itself, rows are dictionaries."""
    from psycopg.rows import dict_row
    from psycopg_pool import AsyncConnectionPool

    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    options = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    async with AsyncConnectionPool(
        plain, min_size=1, max_size=CONNECTIONS, open=False, kwargs=cast("Any", options)
    ) as pool:
        yield pool
