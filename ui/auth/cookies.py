"""The session's cookie: for this host alone, out of reach of scripts, not sent along by others."""

from __future__ import annotations

from http.cookies import SimpleCookie

NAME = "pilothouse_session"
SECURE_NAME = "__Host-" + NAME
"""Under TLS; browsers then take it from this very host over HTTPS only."""


def session_secret(header: str, *, secure: bool) -> str | None:
    """The session's secret in a request's `Cookie` header, if there is one."""
    return _read(header, SECURE_NAME if secure else NAME)


def session_cookie(secret: str, *, secure: bool) -> str:
    """The `Set-Cookie` header that keeps a session's secret; one that forgets it if empty."""
    name = SECURE_NAME if secure else NAME
    return _set(name, secret, "/", secure, age=None if secret else 0)


def flow_cookie(value: str, path: str, *, secure: bool) -> str:
    """The `Set-Cookie` header that binds a sign-in at a provider to this browser; empty forgets."""
    return _set("pilothouse_flow", value, path, secure, age=600 if value else 0)


def flow_value(header: str) -> str | None:
    """What `flow_cookie` kept."""
    return _read(header, "pilothouse_flow")


def _read(header: str, name: str) -> str | None:
    for part in header.split(";"):
        key, _, value = part.strip().partition("=")
        if key == name:
            return value or None
    return None


def _set(name: str, value: str, path: str, secure: bool, age: int | None) -> str:
    cookie: SimpleCookie = SimpleCookie()
    cookie[name] = value
    morsel = cookie[name]
    morsel["path"], morsel["httponly"], morsel["samesite"] = path, True, "Lax"
    if secure:
        morsel["secure"] = True
    if age is not None:
        morsel["max-age"] = age
    return morsel.OutputString()
