"""Clients' sessions over HTTP: each is a principal's, ends when idle; how many is bounded."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import anyio
from anyio.abc import TaskGroup, TaskStatus
from mcp.server.lowlevel import Server
from mcp.server.streamable_http import (
    MCP_PROTOCOL_VERSION_HEADER,
    StreamableHTTPServerTransport,
)
from mcp.shared.version import SUPPORTED_PROTOCOL_VERSIONS
from starlette.types import Message, Receive, Scope, Send

from mcp_servers.replay import Replay
from tools.kernel.errors import Unavailable
from tools.kernel.identity import RequestContext

log = logging.getLogger(__name__)
Owner = tuple[str, str]
"""Tenant and name: any credential of the same principal may use a session."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many sessions there may be, and for how long.

    Attributes:
        each: sessions of one principal.
        most: sessions of all.
        idle_seconds: a session without a request or an open stream ends after this long.
        standing_seconds: how often those who hold sessions are looked at again.
        retry_ms: after how many milliseconds a client comes back to a stream that was closed.
    """

    each: int = 32
    most: int = 2000
    idle_seconds: float = 1800.0
    standing_seconds: float = 30.0
    retry_ms: int | None = 1000


@dataclass(eq=False, slots=True)
class Session:
    """One client's session on one server."""

    server: str
    context: RequestContext
    transport: StreamableHTTPServerTransport
    id: str
    version: str
    busy: int = 0
    used: float = field(default_factory=time.monotonic)

    @property
    def owner(self) -> Owner:
        """Whose it is."""
        return self.context.tenant, self.context.principal.name


class Sessions:
    """All sessions of this process; to be used from one event loop, while `run` is entered.

    Args:
        bounds: how many, and for how long.
        standing: asked now and then whether what a session was opened with still holds.
    """

    def __init__(
        self,
        bounds: Bounds | None = None,
        standing: Callable[[RequestContext], Awaitable[bool]] | None = None,
    ) -> None:
        self._bounds = bounds or Bounds()
        self._standing = standing
        self._open: dict[str, Session] = {}
        self._tasks: TaskGroup | None = None

    def __len__(self) -> int:
        return len(self._open)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Hold the sessions; leaving ends them all."""
        async with anyio.create_task_group() as tasks:
            self._tasks = tasks
            if self._standing is not None:
                tasks.start_soon(self._look_again, self._standing)
            try:
                yield
            finally:
                for session in list(self._open.values()):
                    await self._end(session)
                tasks.cancel_scope.cancel()
                self._tasks = None

    def find(self, name: str, server: str, context: RequestContext) -> Session | None:
        """The session of that id, if it is the caller's and on this server."""
        session = self._open.get(name)
        if session is None or session.server != server:
            return None
        if session.owner != (context.tenant, context.principal.name):
            log.warning("session %s was asked for by another than its owner", name[:8])
            return None
        session.context = context
        return session

    async def serve(self, session: Session, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a session answer one request."""
        session.busy += 1
        try:
            await session.transport.handle_request(_negotiated(scope, session), receive, send)
        finally:
            session.busy -= 1
            session.used = time.monotonic()
        if session.transport.is_terminated:
            await self._end(session)

    async def open(
        self,
        server: Server[Any, Any],
        name: str,
        context: RequestContext,
        version: str,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Answer a request that comes without a session; one stays if it was `initialize`.

        Args:
            server: the server.
            name: what it is called.
            context: who asks.
            version: the protocol's version that is asked for.
            scope: of the request, as `receive` and `send` are.

        Raises:
            Unavailable: if the principal, or all together, have too many that are in use, or if the
                sessions are not, or no longer, held.
        """
        if self._tasks is None:
            raise Unavailable("The MCP servers are stopping.", hint="Try again later.")
        await self._make_room(context)
        session = self._new(name, context, version)
        kept = False

        async def watch(message: Message) -> None:
            nonlocal kept
            if message["type"] == "http.response.start":
                kept = message["status"] < 400
            await send(message)

        try:
            await self._tasks.start(self._live, server, session)
            await self.serve(session, scope, receive, watch)
        finally:
            if not kept:
                await self._end(session)

    def _new(self, name: str, context: RequestContext, version: str) -> Session:
        key = uuid4().hex
        transport = StreamableHTTPServerTransport(
            key,
            event_store=Replay(),
            retry_interval=self._bounds.retry_ms,
            idle_timeout=self._bounds.idle_seconds,
        )
        session = self._open[key] = Session(name, context, transport, key, version)
        return session

    async def _make_room(self, context: RequestContext) -> None:
        """End the principal's longest unused session where it has as many as it may."""
        owner = (context.tenant, context.principal.name)
        mine = [s for s in self._open.values() if s.owner == owner]
        if len(mine) >= self._bounds.each:
            idle = min((s for s in mine if not s.busy), key=lambda s: s.used, default=None)
            if idle is None:
                raise Unavailable(
                    f"{owner[1]} has {len(mine)} MCP sessions in use.",
                    hint="Close one of the clients.",
                )
            await self._end(idle)
        elif len(self._open) >= self._bounds.most:
            raise Unavailable("Too many MCP sessions are open.", hint="Try again later.")

    async def _live(
        self,
        server: Server[Any, Any],
        session: Session,
        *,
        task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED,
    ) -> None:
        """Run the server for one session until it is closed or idle for too long."""
        try:
            async with session.transport.connect() as (reader, writer):
                task_status.started()
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(self._end_when_idle, session)
                    await server.run(reader, writer, server.create_initialization_options())
                    tasks.cancel_scope.cancel()
        except Exception:
            log.exception("session %s failed", session.id[:8])
        finally:
            await self._end(session)

    async def _end_when_idle(self, session: Session) -> None:
        idle = session.transport.idle_scope
        if idle is not None:
            with idle:
                await anyio.sleep_forever()
            await self._end(session)

    async def _end(self, session: Session) -> None:
        """Forget a session first, so that its id means nothing from now on; then close it."""
        self._open.pop(session.id, None)
        if not session.transport.is_terminated:
            with anyio.CancelScope(shield=True):
                await session.transport.terminate()

    async def _look_again(self, standing: Callable[[RequestContext], Awaitable[bool]]) -> None:
        """End the sessions of credentials that were taken back, open streams included."""
        while True:
            await anyio.sleep(self._bounds.standing_seconds)
            by_credential: dict[Any, list[Session]] = {}
            for session in self._open.values():
                key = (session.owner, session.context.credential)
                by_credential.setdefault(key, []).append(session)
            for sessions in by_credential.values():
                if not await standing(sessions[0].context):
                    for session in sessions:
                        await self._end(session)


def _negotiated(scope: Scope, session: Session) -> Scope:
    """The request in the version that its session began with.

    What a client can do was settled then; some leave the header out later, or always send the
    oldest version, and would lose the streams that they can resume. A version that nobody supports
    stays, and is refused.
    """
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    name = MCP_PROTOCOL_VERSION_HEADER.encode()
    given = next((v.decode("latin-1") for k, v in headers if k == name), session.version)
    if given not in SUPPORTED_PROTOCOL_VERSIONS:
        return scope
    others = [(k, v) for k, v in headers if k != name]
    return {**scope, "headers": [*others, (name, session.version.encode())]}
