"""Who may come to /chat, and to which parts of Chainlit.

Chainlit has a login of its own, kept in a token of days. It never reaches a browser here: each
request is checked against the one login that pages and chat share, and only then is a token made
for it, inside. A session that is ended is so at once, for open connections with their next message.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from tools.kernel.errors import PilothouseError, Unauthenticated
from tools.kernel.identity import RequestContext
from ui.auth import identify
from ui.auth.login import log_out
from ui.chat.loading import ROOT
from ui.chat.people import ASKED_BY, asking
from ui.errors import problem

COOKIE = "access_token"
_BUILT = "/assets/"
_OPEN = (_BUILT, "/public/", "/avatars/")
_PICTURES = frozenset({"/favicon", "/logo"})
"""Both are for everybody to load: nothing in them is anybody's."""
_PAGES = ("/thread/", "/element/")
_LOGIN = "/login"
"""Where Chainlit's script goes when nobody is logged in; the login is not here."""
_UNUSED = (
    "/mcp",
    "/auth/",
    "/copilot",
    "/share/",
    "/project/share",
    "/project/element",
    "/project/thread/share",
)


class Doorman:
    """Wraps Chainlit's application.

    Args:
        inner: gives the application and the page, loading them first if need be.
        token: makes Chainlit's own token for whoever was let in.
    """

    def __init__(
        self,
        inner: Callable[[], Awaitable[tuple[ASGIApp, str]]],
        token: Callable[[RequestContext], str],
    ) -> None:
        self._inner = inner
        self._token = token
        self._warming: asyncio.Task[object] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request or a connection pass, or refuse it."""
        path = _path(scope)
        if scope["type"] == "http" and (path.startswith(_OPEN) or path in _PICTURES):
            application, _ = await self._inner()
            await application(scope, receive, _kept(send, built=path.startswith(_BUILT)))
            return
        try:
            context = await run_in_threadpool(identify, HTTPConnection(scope))
        except PilothouseError as error:
            self._warm()
            await _refuse(scope, receive, send, error, path)
            return
        asking.set(context)
        answer = await self._own(scope, path) if scope["type"] == "http" else None
        if answer is None:
            application, _ = await self._inner()
            inside = self._inside(scope, context)
            await application(inside, receive, _kept(send))
        else:
            await answer(scope, receive, send)

    def _warm(self) -> None:
        """Load the application while somebody types their password."""
        if self._warming is None:
            self._warming = asyncio.ensure_future(self._inner())

    async def _own(self, scope: Scope, path: str) -> Response | None:
        """The answer to what is not Chainlit's business, or None."""
        if path == "/logout" and scope["method"] == "POST":
            await run_in_threadpool(log_out, Request(scope))
            return JSONResponse({"success": True})
        if path.startswith(_LOGIN):
            return RedirectResponse(f"{ROOT}/", 303)
        if path.startswith(_UNUSED) and path != "/auth/config":
            return JSONResponse({"detail": "There is nothing here."}, 404)
        if scope["method"] == "GET" and (path == "/" or path.startswith(_PAGES)):
            _, page = await self._inner()
            return HTMLResponse(page)
        return None

    def _inside(self, scope: Scope, context: RequestContext) -> Scope:
        """The scope as Chainlit sees it: with its own cookies, and none of ours."""
        kept = [(k, v) for k, v in scope["headers"] if k not in (b"cookie", b"authorization")]
        cookies = [f"{k}={v}" for k, v in _cookies(scope).items() if k.startswith("X-Chainlit")]
        cookies.append(f"{COOKIE}={self._token(context)}")
        kept.append((b"cookie", "; ".join(cookies).encode("latin-1")))
        return {**scope, "headers": kept, ASKED_BY: context}


def _path(scope: Scope) -> str:
    """The path below the mount."""
    return str(scope["path"]).removeprefix(str(scope.get("root_path", ""))) or "/"


def _cookies(scope: Scope) -> dict[str, str]:
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(Headers(scope=scope).get("cookie", ""))
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}


async def _refuse(
    scope: Scope, receive: Receive, send: Send, error: PilothouseError, path: str
) -> None:
    if scope["type"] == "websocket":
        await WebSocketClose(1008, error.message)(scope, receive, send)
        return
    answer: Response = JSONResponse(problem(error), error.status)
    wants_page = scope["method"] == "GET" and "text/html" in Headers(scope=scope).get("accept", "")
    if isinstance(error, Unauthenticated) and wants_page:
        goal = "/" if path.startswith(_LOGIN) else path
        answer = RedirectResponse(f"/login?next={quote(ROOT + goal)}", 303)
    await answer(scope, receive, send)


def _kept(send: Send, *, built: bool = False) -> Send:
    """Keep Chainlit's login from the browser; let it keep what is named by its content."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [(k, v) for k, v in message.get("headers", []) if not _is_login(k, v)]
            if built and message["status"] == 200:
                headers.append((b"cache-control", b"public, max-age=31536000, immutable"))
            message = {**message, "headers": headers}
        await send(message)

    return sending


def _is_login(name: bytes, value: bytes) -> bool:
    return name.lower() == b"set-cookie" and value.startswith(COOKIE.encode())
