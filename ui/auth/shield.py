"""What stands in front of every door: hosts, origins, sizes, rates, and headers that browsers heed.

One ASGI middleware, so that mounted applications are behind it too.
"""

from __future__ import annotations

import logging
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocketClose

from tools.kernel.errors import PayloadTooLarge, PilothouseError, PolicyDenied
from tools.kernel.principals import DEFAULT_TENANT
from tools.kernel.settings import Settings
from ui.api.door import Door
from ui.api.problems import answer
from ui.auth.cookies import session_cookie
from ui.auth.gatekeeper import SAFE, Gatekeeper
from ui.auth.limits import Limits
from ui.auth.visit import KEY, Visit

log = logging.getLogger(__name__)
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
POLICIES: dict[str, str] = {}
"""Content security policies of doors that cannot live with `POLICY`, by the path's beginning."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
UNLIMITED = ("/device/", "/static/", "/healthz", "/readyz")
"""Paths whose callers have limits of their own, or cost nothing."""
CORS_HEADERS = [
    "Authorization",
    "Content-Type",
    "Idempotency-Key",
    "Last-Event-ID",
    "Mcp-Protocol-Version",
    "Mcp-Session-Id",
]
MIB = 1024 * 1024


def add_to(app: FastAPI, door: Door) -> None:
    """Stand in front of every door; to be added last, so that it is asked first."""
    app.add_middleware(Shield, gatekeeper=door.gatekeeper)
    origins = list(door.kernel.settings.cors_origins)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=CORS_HEADERS,
            expose_headers=["Retry-After", "Mcp-Session-Id", "X-Pilothouse-Thread"],
        )


class Shield:
    """Refuses what no door should see, and completes what each answers.

    Args:
        app: the doors.
        gatekeeper: who says whom a request is from.
    """

    def __init__(self, app: ASGIApp, gatekeeper: Gatekeeper) -> None:
        settings = gatekeeper.kernel.settings
        self._app = app
        self._gatekeeper = gatekeeper
        self._hosts = known_hosts(settings)
        self._own = _origin(settings.public_url)
        self._most = int(settings.body_limit_mb * MIB)
        self._rates: Limits[str] = Limits(
            settings.address_requests_per_minute,
            "this address",
            lambda address: gatekeeper.refusals.note(DEFAULT_TENANT, address),
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        visit = Visit(self._gatekeeper)
        finish = self._finishing(scope, visit, send)
        try:
            visit.proven = self._admit(scope, Headers(scope=scope))
        except PilothouseError as error:
            await _refuse(error, scope, receive, finish)
            return
        scope[KEY] = visit
        await self._app(scope, self._limited(receive), finish)

    def _admit(self, scope: Scope, headers: Headers) -> bool:
        """True if a page of ours, or no page at all, sent it.

        Raises:
            PolicyDenied: for a foreign host or origin.
            TooManyRequests: if the address asks too often.
            PayloadTooLarge: if it says that it is.
        """
        host = headers.get("host", "")
        if _name(host) not in self._hosts:
            raise PolicyDenied(
                "This gateway does not answer to that host name.",
                hint="PILOTHOUSE_ALLOWED_HOSTS lists further ones.",
            )
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._most:
            raise _too_large(self._most)
        owner = self._is_owner(headers)
        if not owner and not scope["path"].startswith(UNLIMITED):
            self._rates.take((scope.get("client") or ("unknown", 0))[0])
        return owner or self._same_origin(scope, headers, host)

    def _is_owner(self, headers: Headers) -> bool:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        return scheme.lower() == "bearer" and self._gatekeeper.is_owner(token.strip())

    def _same_origin(self, scope: Scope, headers: Headers, host: str) -> bool:
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        if origin is not None:
            proven = urlsplit(origin).netloc.lower() == host.lower() or origin == self._own
        else:
            proven = site in ("same-origin", "none")
        foreign = not proven and (origin is not None or site is not None)
        changes = scope["type"] == "websocket" or scope["method"] not in SAFE
        # Browsers never add a bearer token by themselves: who shows one means it.
        if foreign and changes and "authorization" not in headers:
            raise PolicyDenied("Pages of another origin may not do this.")
        return proven

    def _limited(self, receive: Receive) -> Receive:
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            if message["type"] == "http.request":
                seen += len(message.get("body", b""))
                if seen > self._most:  # frameworks pass on no other exception while they read
                    raise HTTPException(413, _too_large(self._most).message)
            return message

        return counted

    def _finishing(self, scope: Scope, visit: Visit, send: Send) -> Send:
        secure = self._gatekeeper.secure

        async def finish(message: Message) -> None:
            if message["type"] in ("http.response.start", "websocket.accept"):
                message.setdefault("headers", [])
                headers = MutableHeaders(raw=message["headers"])
                if message["type"] == "http.response.start":
                    _complete(headers, scope["path"], secure)
                if visit.secret is not None:
                    headers.append("set-cookie", session_cookie(visit.secret, secure=secure))
                message["headers"] = headers.raw
            await send(message)

        return finish


def known_hosts(settings: Settings) -> frozenset[str]:
    """The names that requests may be made to, without ports."""
    named = {h.lower() for h in settings.allowed_hosts}
    public = urlsplit(settings.public_url or "").netloc.lower()
    if settings.host not in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        named.add(f"[{settings.host}]" if ":" in settings.host else settings.host.lower())
    return LOOPBACK | named | ({_name(public)} if public else set())


def _complete(headers: MutableHeaders, path: str, secure: bool) -> None:
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    policy = next((p for start, p in POLICIES.items() if path.startswith(start)), POLICY)
    headers.setdefault("Content-Security-Policy", policy)
    if not path.startswith("/static/"):
        headers.setdefault("Cache-Control", "no-store")
    if secure:
        headers.setdefault("Strict-Transport-Security", "max-age=31536000")


async def _refuse(error: PilothouseError, scope: Scope, receive: Receive, send: Send) -> None:
    log.info("refused %s: %s", scope["path"], error.message)
    if scope["type"] == "websocket":
        await WebSocketClose(1008, error.message)(scope, receive, send)
        return
    await answer(error, scope["path"])(scope, receive, send)


def _name(host: str) -> str:
    """A Host header's name, without its port."""
    name, _, port = host.lower().rpartition(":")
    return name if name and port.isdigit() else host.lower()


def _origin(url: str | None) -> str | None:
    return url.rstrip("/").lower() if url else None


def _too_large(most: int) -> PayloadTooLarge:
    return PayloadTooLarge(f"A request has at most {most / MIB:g} MiB.")


__all__ = ["HEADERS", "POLICIES", "POLICY", "Shield", "known_hosts"]
