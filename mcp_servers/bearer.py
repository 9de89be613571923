"""Authorisation as MCP asks for it: challenges (RFC 6750) that lead to metadata (RFC 9728)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse

from tools.kernel.errors import PilothouseError, PolicyDenied, Unauthenticated

WELL_KNOWN = "/.well-known/oauth-protected-resource"


class InsufficientScope(PolicyDenied):
    """The token does not lend what the request needs; another token, or another scope, would.

    Args:
        message: what the token does not lend.
        scope: what it would need.
        hint: what would be right.
    """

    code = "insufficient_scope"

    def __init__(self, message: str, *, scope: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.scope = scope


def base_of(connection: HTTPConnection, public_url: str | None) -> str:
    """What the gateway is called from outside, without a slash at the end.

    Args:
        connection: a request; its Host header is one that the gateway answers to.
        public_url: what it is set to be called.
    """
    if public_url:
        return public_url.rstrip("/")
    return f"{connection.url.scheme}://{connection.url.netloc}"


def metadata(
    base: str, path: str, issuers: Sequence[str], scopes: Sequence[str], documentation: str | None
) -> dict[str, Any]:
    """The protected-resource metadata of a server (RFC 9728, section 2).

    Args:
        base: what the gateway is called.
        path: the server's path, `/mcp/all`.
        issuers: the authorisation servers whose tokens are taken; none if only the gateway's own
            access tokens are, which no authorisation server hands out.
        scopes: what tokens can lend.
        documentation: where a person reads how to get in.
    """
    found: dict[str, Any] = {
        "resource": base + path,
        "resource_name": "Pilothouse",
        "bearer_methods_supported": ["header"],
        "scopes_supported": list(scopes),
    }
    if issuers:
        found["authorization_servers"] = list(issuers)
    if documentation:
        found["resource_documentation"] = documentation
    return found


def refused(error: PilothouseError, base: str, path: str, *, shown: bool) -> JSONResponse:
    """An error before the protocol begins, with the challenge that its status asks for.

    Args:
        error: what was wrong.
        base: what the gateway is called.
        path: the server's path.
        shown: True if the request had an `Authorization` header at all: without one the challenge
            names no error (RFC 6750, section 3.1).
    """
    body = {"error": error.code, "error_description": str(error)}
    return JSONResponse(body, error.status, _headers(error, f"{base}{WELL_KNOWN}{path}", shown))


def _headers(error: PilothouseError, where: str, shown: bool) -> Mapping[str, str]:
    if isinstance(error, Unauthenticated):
        told = {"error": "invalid_token", "error_description": str(error)} if shown else {}
    elif isinstance(error, InsufficientScope):
        told = {
            "error": "insufficient_scope",
            "scope": error.scope,
            "error_description": str(error),
        }
    else:
        wait = getattr(error, "retry_after", None)
        return {} if wait is None else {"Retry-After": str(max(1, round(wait)))}
    parts = ", ".join(
        f'{k}="{_quotable(v)}"' for k, v in {**told, "resource_metadata": where}.items()
    )
    return {"WWW-Authenticate": f"Bearer {parts}"}


def _quotable(text: str) -> str:
    """A header's quoted string: printable ASCII without quotes and backslashes (RFC 6750)."""
    return "".join(c if " " <= c <= "~" and c not in '"\\' else "'" for c in text)[:300]
