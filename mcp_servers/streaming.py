"""The servers over streamable HTTP: one ASGI application, to be mounted where they shall be."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol, cast

import anyio
from mcp.server.lowlevel import Server
from mcp.server.lowlevel.server import request_ctx
from mcp.server.streamable_http import MCP_SESSION_ID_HEADER
from mcp.server.transport_security import (
    DEFAULT_MAX_REQUEST_BODY_SIZE,
    RequestBodyLimitMiddleware,
    TransportSecurityMiddleware,
    TransportSecuritySettings,
)
from mcp.shared.version import SUPPORTED_PROTOCOL_VERSIONS
from mcp.types import INVALID_REQUEST, LATEST_PROTOCOL_VERSION, ErrorData, JSONRPCError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from mcp_servers.bearer import base_of, refused
from mcp_servers.sessions import Bounds, Sessions
from tools.kernel.errors import InvalidInput, PilothouseError
from tools.kernel.identity import RequestContext

CONTEXT = "pilothouse.mcp_context"


def _is_trouble(record: logging.LogRecord) -> bool:
    """False for the traceback that the library writes whenever an open stream is ended."""
    return not (record.exc_info and record.exc_info[0] is anyio.ClosedResourceError)


logging.getLogger("mcp.server.streamable_http").addFilter(_is_trouble)


class Gatehouse(Protocol):
    """Who may come in; its methods may be called from several threads."""

    def identify(self, headers: Mapping[str, str], resource: str) -> RequestContext:
        """Who sent these headers to a resource.

        Raises:
            Unauthenticated: without a valid token that was made for the resource.
            InsufficientScope: if the token is not good for this door.
        """
        ...

    def require_scope(self, context: RequestContext, server: str, tool: str) -> None:
        """Let a call pass that the caller's token lends.

        Raises:
            InsufficientScope: if it does not, whatever the tool's arguments are.
        """
        ...

    def standing(self, context: RequestContext) -> bool:
        """True while what somebody came in with still holds."""
        ...


class StreamingServers:
    """Serves `/{server}` under wherever it is mounted, while `run` is entered.

    Args:
        server: builds the server of a name; raises `NotFound` if there is none. Its door is
            `door_of_request`.
        gatehouse: who may come in.
        security: the Host and Origin headers that are taken (against DNS rebinding).
        public_url: what the gateway is called from outside; by default what it was asked as.
        bounds: how many sessions there may be, and for how long.
        most_bytes: the longest request.
    """

    def __init__(
        self,
        server: Callable[[str], Server[Any, Any]],
        gatehouse: Gatehouse,
        security: TransportSecuritySettings,
        *,
        public_url: str | None = None,
        bounds: Bounds | None = None,
        most_bytes: int = DEFAULT_MAX_REQUEST_BODY_SIZE,
    ) -> None:
        self._server = server
        self._gatehouse = gatehouse
        self._security = TransportSecurityMiddleware(security)
        self._public_url = public_url
        self._servers: dict[str, Server[Any, Any]] = {}
        self._building = asyncio.Lock()
        self._bounded = RequestBodyLimitMiddleware(self._admitted, most_bytes)
        self.sessions = Sessions(bounds, self._standing)

    def run(self) -> AbstractAsyncContextManager[None]:
        """Hold the sessions; to be entered in the lifespan of the application around."""
        return self.sessions.run()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        wrong = await self._security.validate_request(request, is_post=request.method == "POST")
        answer = wrong or await self._identified(request)
        if answer is not None:
            await answer(scope, receive, send)
            return
        await self._bounded(scope, receive, send)

    async def _identified(self, request: Request) -> Response | None:
        """Note who asks; an answer if it goes no further."""
        base, path = base_of(request, self._public_url), resource_path(request.scope)
        try:
            request.scope[CONTEXT] = await asyncio.to_thread(
                self._gatehouse.identify, request.headers, base + path
            )
        except PilothouseError as error:
            return refused(error, base, path, shown="authorization" in request.headers)
        return None

    async def _admitted(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        try:
            message, receive = await _message(scope, receive)
            tool = _asked(message, "tools/call", "name")
            if tool is not None:
                self._gatehouse.require_scope(scope[CONTEXT], _name(scope), tool)
            await self._served(message, scope, receive, send)
        except PilothouseError as error:
            base, path = base_of(request, self._public_url), resource_path(scope)
            await refused(error, base, path, shown=True)(scope, receive, send)

    async def _served(self, message: Any, scope: Scope, receive: Receive, send: Send) -> None:
        context: RequestContext = scope[CONTEXT]
        name = _name(scope)
        server = await self._built(name)
        given = Request(scope).headers.get(MCP_SESSION_ID_HEADER)
        if given is None:
            version = _asked(message, "initialize", "protocolVersion")
            if version not in SUPPORTED_PROTOCOL_VERSIONS:
                version = LATEST_PROTOCOL_VERSION
            await self.sessions.open(server, name, context, version, scope, receive, send)
            return
        session = self.sessions.find(given, name, context)
        if session is None:
            await _no_session()(scope, receive, send)
            return
        await self.sessions.serve(session, scope, receive, send)

    async def _built(self, name: str) -> Server[Any, Any]:
        """The server of a name, built when it is first asked for: its schemas take a while."""
        async with self._building:
            if name not in self._servers:
                self._servers[name] = await asyncio.to_thread(self._server, name)
            return self._servers[name]

    async def _standing(self, context: RequestContext) -> bool:
        return await asyncio.to_thread(self._gatehouse.standing, context)


def door_of_request() -> RequestContext:
    """Who sent the HTTP request that the MCP request came in: the door of streaming servers."""
    request = cast("Request", request_ctx.get().request)
    return request.scope[CONTEXT]


def resource_path(scope: Scope) -> str:
    """The path of the server that is asked for, as its resource identifier ends: `/mcp/all`."""
    return f"{scope.get('root_path', '').rstrip('/')}/{_name(scope)}".rstrip("/")


def _name(scope: Scope) -> str:
    return scope["path"].removeprefix(scope.get("root_path", "")).strip("/")


async def _message(scope: Scope, receive: Receive) -> tuple[Any, Receive]:
    """The message in a request's body, and a `receive` that gives the body again.

    It is looked at here because HTTP can refuse a call that the caller's token does not lend only
    before the answer begins. None if there is none; the transport says what is wrong with it.
    """
    if scope["method"] != "POST":
        return None, receive
    body = await Request(scope, receive).body()
    try:
        message = json.loads(body)
    except ValueError:
        message = None
    except RecursionError:
        raise InvalidInput("The message is nested too deeply.") from None
    return message, _again(body, receive)


def _asked(message: Any, method: str, parameter: str) -> str | None:
    """A parameter of a message, if that asks for a method and has it as text."""
    if not isinstance(message, dict) or message.get("method") != method:
        return None
    parameters = message.get("params")
    value = parameters.get(parameter) if isinstance(parameters, dict) else None
    return value if isinstance(value, str) else None


def _again(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives a body which was read already, then what comes after it."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def _no_session() -> Response:
    """What MCP asks for, so that the client begins anew; the same for a session of others."""
    told = JSONRPCError(
        jsonrpc="2.0",
        id="server-error",
        error=ErrorData(
            code=INVALID_REQUEST, message="There is no such session; initialize again."
        ),
    )
    return Response(told.model_dump_json(by_alias=True), 404, media_type="application/json")
