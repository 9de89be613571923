"""LangGraph, brought up when a turn first needs it, and where it keeps its checkpoints: a file of
the home, or the platform's PostgreSQL.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import make_url

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver

    from graphs.dispatch import Dispatcher
    from tools.kernel.settings import Settings

CONNECTIONS = 8


class Supervision:
    """The compiled supervisor over its checkpoints. Importing LangGraph takes seconds, which a
    question that only reads does not wait for.

    Args:
        settings: name the home and the database.
        dispatcher: runs the steps.
    """

    def __init__(self, settings: Settings, dispatcher: Dispatcher) -> None:
        self._settings = settings
        self._dispatcher = dispatcher
        self._exit = AsyncExitStack()
        self._lock = asyncio.Lock()
        self._graph: Any = None

    async def graph(self) -> Any:
        """The graph, made at the first call."""
        async with self._lock:
            if self._graph is None:
                supervisor = await asyncio.to_thread(import_module, "graphs.supervisor")
                saver = await self._exit.enter_async_context(checkpoints(self._settings))
                self._graph = supervisor.build_supervisor(self._dispatcher, saver)
            return self._graph

    async def close(self) -> None:
        """Let go of the checkpoints."""
        await self._exit.aclose()


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
