"""The MCP servers at `/mcp/{domain}` and `/mcp/all`, and the metadata that leads clients to them.

Every token must have been made for them (`pilothouse tokens create LABEL --for mcp`): the protocol
lets no server take a token that was meant for another resource, or for none in particular.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
from fastapi import APIRouter, FastAPI, Request
from starlette.types import Receive, Scope, Send

from mcp_servers.bearer import WELL_KNOWN, InsufficientScope, base_of, metadata
from mcp_servers.caller import LocalCaller
from mcp_servers.fair import FairCaller
from mcp_servers.names import operation_name, server_names
from tools.kernel.errors import NotFound, PilothouseError, PolicyDenied, Unauthenticated
from tools.kernel.identity import Channel, RequestContext
from tools.kernel.operations import Operation, OperationSet
from tools.kernel.scopes import EFFECTS, lends
from tools.kernel.settings import Settings
from ui.api.door import Door
from ui.auth.gatekeeper import Gatekeeper, bearer
from ui.auth.provided import ProvidedTokens, is_over, is_provided
from ui.auth.shield import known_hosts
from ui.home import VERSION

if TYPE_CHECKING:
    from mcp.server.lowlevel import Server
    from mcp.server.transport_security import TransportSecuritySettings

    from mcp_servers.streaming import StreamingServers

PATH = "/mcp"
FOLLOW, READS = "platform_follow_job", "platform.jobs"
"""The tool that is no operation, and the one that it reads through (`mcp_servers.following`)."""
SCOPES = (Channel.MCP.value, "*:read", "*:write", "*:dangerous")
HOW = "`pilothouse tokens create LABEL --for mcp` makes one."


def add_to(app: FastAPI, door: Door) -> AbstractAsyncContextManager[None]:
    """Mount the servers; their sessions live as long as what is returned is entered."""
    late = LateServers(lambda: _servers(door), door.stopping)
    app.include_router(_metadata(door.kernel.settings))
    app.mount(PATH, late)
    return late.run()


def _servers(door: Door) -> tuple[StreamingServers, Callable[[], None]]:
    """The servers, and what ends their calls."""
    from mcp_servers.builder import build_server
    from mcp_servers.streaming import StreamingServers, door_of_request
    from mcp_servers.waiting import LocalWaiting

    kernel = door.kernel
    caller = LocalCaller(kernel.gate)
    fair, waiting = FairCaller(caller), LocalWaiting(kernel)

    def server(name: str) -> Server[Any, Any]:
        return build_server(
            name, kernel.operations, fair, door_of_request, waiting=waiting, version=VERSION
        )

    streaming = StreamingServers(
        server,
        TokenGate(door.gatekeeper, kernel.operations),
        security(kernel.settings),
        public_url=kernel.settings.public_url,
    )

    def close() -> None:
        caller.close()
        waiting.close()

    return streaming, close


class LateServers:
    """Makes the servers when they are first asked for, because their library takes a second.

    Args:
        make: makes them, in a worker thread, and says what ends their calls.
        stopping: set when sessions are to end: their open streams would hold up the process.
    """

    def __init__(
        self,
        make: Callable[[], tuple[StreamingServers, Callable[[], None]]],
        stopping: asyncio.Event,
    ) -> None:
        self._make = make
        self._stopping = stopping
        self._wanted = asyncio.Event()
        self._made: asyncio.Future[StreamingServers] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        self._wanted.set()
        if self._made is None:
            raise RuntimeError("requests are answered while `run` is entered")
        streaming = await asyncio.shield(self._made)
        await streaming(scope, receive, send)

    @asynccontextmanager
    async def run(self) -> AsyncIterator[None]:
        """Hold the servers' sessions, in a task of their own."""
        self._made = asyncio.get_running_loop().create_future()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._hold, self._made)
            yield
            tasks.cancel_scope.cancel()

    async def _hold(self, made: asyncio.Future[StreamingServers]) -> None:
        await self._wanted.wait()
        try:
            streaming, close = await asyncio.to_thread(self._make)
        except Exception as error:
            made.set_exception(error)  # every request tells it; the other doors go on
            return
        try:
            async with streaming.run():
                made.set_result(streaming)
                await self._stopping.wait()
        finally:
            close()


class TokenGate:
    """Lets in who shows an access token that was made for here (`streaming.Gatehouse`).

    Args:
        gatekeeper: who knows the tokens.
        operations: all operations.
    """

    def __init__(self, gatekeeper: Gatekeeper, operations: OperationSet) -> None:
        self._gatekeeper = gatekeeper
        self._operations = operations
        kernel = gatekeeper.kernel
        self._provided = ProvidedTokens(kernel) if kernel.settings.oidc_issuer else None

    def identify(self, headers: Mapping[str, str], resource: str) -> RequestContext:
        """Who sent these headers."""
        token = bearer(headers)
        if token is None:
            raise Unauthenticated("A bearer token is needed.", hint=HOW)
        try:
            if self._provided is not None and is_provided(token):
                context = self._provided.context(token, resource, Channel.MCP)
                self._gatekeeper.count(context.principal)
                return context
            return self._gatekeeper.verify_token(token, resource, Channel.MCP, bound=True)
        except PolicyDenied as error:
            scope = Channel.MCP.value
            raise InsufficientScope(error.message, scope=scope, hint=error.hint) from error

    def require_scope(self, context: RequestContext, server: str, tool: str) -> None:
        """Refuse a call that the token lends in no case; the gate decides about the rest."""
        scopes = context.principal.scopes
        try:
            operation = self._operations.get(READS if tool == FOLLOW else operation_name(tool))
        except NotFound:
            return
        if not any(lends(scopes, operation.name, scope) for scope in _possible(operation)):
            raise InsufficientScope(
                f"This token of {context.principal.name} does not lend {operation.name}.",
                scope=operation.scope,
                hint=f"It would need the scope {operation.scope}.",
            )

    def standing(self, context: RequestContext) -> bool:
        """True unless the token ended or its holder was removed."""
        if is_over(context.credential or ""):
            return False
        try:
            self._gatekeeper.require_standing(context)
        except PilothouseError:
            return False
        return True


def security(settings: Settings) -> TransportSecuritySettings:
    """The Host and Origin headers that are taken: those of the gateway's own names."""
    from mcp.server.transport_security import TransportSecuritySettings

    names = sorted(known_hosts(settings))
    origins = [f"{scheme}://{name}" for scheme in ("http", "https") for name in names]
    return TransportSecuritySettings(
        allowed_hosts=[*names, *(f"{name}:*" for name in names)],
        allowed_origins=[*origins, *(f"{o}:*" for o in origins), *settings.cors_origins],
    )


def _metadata(settings: Settings) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get(WELL_KNOWN)
    @router.get(WELL_KNOWN + PATH)
    @router.get(WELL_KNOWN + PATH + "/{server}")
    def protected_resource(request: Request, server: str | None = None) -> dict[str, Any]:
        """Where tokens for a server come from (RFC 9728)."""
        if server is not None and server not in server_names():
            raise NotFound(f"There is no MCP server {server!r}.", suggestions=server_names())
        path = PATH if server is None else f"{PATH}/{server}"
        issuers = [settings.oidc_issuer] if settings.oidc_issuer else []
        return metadata(base_of(request, settings.public_url), path, issuers, SCOPES, None)

    return router


def _possible(operation: Operation[Any, Any]) -> list[str]:
    """The scopes that a call can have: one, or any where that depends on its arguments."""
    if "effect_of" not in operation.hooks:
        return [operation.scope]
    return [f"{operation.domain}:{effect}" for effect in EFFECTS if effect != "*"]
