"""Who may come to /chat, with what: the login, the origin, and the parts of Chainlit in use.

Chainlit has a login of its own, kept in a token of days. It never reaches a browser here: each
request is checked against the one login that pages and chat share, and only then is a token made
for it, inside. A session that is ended is so at once, for open connections with their next message.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http.cookies import CookieError, SimpleCookie
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tools.kernel.errors import PilothouseError, PolicyDenied, Unauthenticated
from tools.kernel.identity import RequestContext
from ui.chat.loading import ROOT
from ui.chat.page import HEADERS
from ui.chat.people import ASKED_BY, asking, identify
from ui.errors import problem

COOKIE = "access_token"
LOGIN = "/login"
_PAGES = ("/", "/thread/", "/element/")
_UNUSED = (
    "/mcp",
    "/auth/",
    "/copilot",
    "/share/",
    "/project/share",
    "/project/element",
    "/project/thread/share",
)
_UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
_POLICY_CLOSED = 1008


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

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request or a connection pass, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            return
        path = _path(scope)
        try:
            _refuse_foreign(scope)
            context = await run_in_threadpool(identify, scope)
        except PilothouseError as error:
            await _refuse(scope, receive, send, error, path)
            return
        answer = await self._own(scope, path)
        if answer is not None:
            await answer(scope, receive, _with_headers(send))
            return
        asking.set(context)
        application, _ = await self._inner()
        await application(self._inside(scope, context), receive, _with_headers(send))

    async def _own(self, scope: Scope, path: str) -> Response | None:
        """The answer to what is not Chainlit's business, or None."""
        if scope["type"] == "websocket":
            return None
        if any(path.startswith(part) for part in _UNUSED) and path != "/auth/config":
            return JSONResponse({"detail": "Not found"}, 404)
        if path.startswith("/login"):
            return RedirectResponse(f"{ROOT}/", 303)
        if scope["method"] == "GET" and (path in ("", "/") or path.startswith(_PAGES[1:])):
            _, page = await self._inner()
            return HTMLResponse(page)
        return None

    def _inside(self, scope: Scope, context: RequestContext) -> Scope:
        """The scope as Chainlit sees it: with its token as the only cookie of ours."""
        kept = [(k, v) for k, v in scope["headers"] if k not in (b"cookie", b"authorization")]
        cookies = [f"{k}={v}" for k, v in _cookies(scope).items() if k.startswith("X-Chainlit")]
        cookies.append(f"{COOKIE}={self._token(context)}")
        kept.append((b"cookie", "; ".join(cookies).encode("latin-1")))
        return {**scope, "headers": kept, ASKED_BY: scope}


def _path(scope: Scope) -> str:
    """The path below the mount."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path.removeprefix(root) or "/"


def _header(scope: Scope, name: bytes) -> str:
    return next((v.decode("latin-1") for k, v in scope["headers"] if k == name), "")


def _cookies(scope: Scope) -> dict[str, str]:
    jar: SimpleCookie = SimpleCookie()
    try:
        jar.load(_header(scope, b"cookie"))
    except CookieError:
        return {}
    return {name: morsel.value for name, morsel in jar.items()}


def _refuse_foreign(scope: Scope) -> None:
    """Refuse what another site's page sends: it would carry our cookie.

    Raises:
        PolicyDenied: if the Origin header names another site.
    """
    if scope["type"] == "http" and scope["method"] not in _UNSAFE:
        return
    origin, host = _header(scope, b"origin"), _header(scope, b"host")
    if origin and origin.partition("://")[2] != host:
        raise PolicyDenied("This request comes from another site's page; nothing was done.")


async def _refuse(
    scope: Scope, receive: Receive, send: Send, error: PilothouseError, path: str
) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": _POLICY_CLOSED})
        return
    answer: Response = JSONResponse(problem(error), error.status)
    wants_page = scope["method"] == "GET" and "text/html" in _header(scope, b"accept")
    if isinstance(error, Unauthenticated) and wants_page:
        answer = RedirectResponse(f"{LOGIN}?next={quote(ROOT + path)}", 303)
    await answer(scope, receive, _with_headers(send))


def _with_headers(send: Send) -> Send:
    """Add our headers to an answer, and keep Chainlit's login cookies from the browser."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            ours = [(k.lower().encode(), v.encode()) for k, v in HEADERS.items()]
            kept = [(k, v) for k, v in message.get("headers", []) if not _is_login(k, v)]
            message = {**message, "headers": [*kept, *ours]}
        await send(message)

    return sending


def _is_login(name: bytes, value: bytes) -> bool:
    return name.lower() == b"set-cookie" and value.startswith(COOKIE.encode())
