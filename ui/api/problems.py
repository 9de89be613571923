"""Every error as problem details (RFC 9457), whichever door it comes out of."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import quote
from uuid import uuid4

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.routing import iter_route_contexts
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.routing import Match
from starlette.websockets import WebSocket, WebSocketState

from tools.kernel.entities import nearest
from tools.kernel.errors import (
    InvalidInput,
    NotFound,
    PilothouseError,
    TooManyRequests,
    Unauthenticated,
)
from ui.errors import problem, translate, unexpected

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"
TYPES = "/api/v1/problems/"
OPERATIONS = "/api/v1/operations/"
_WRAPPED = 'Put what the operation takes into "arguments": {"arguments": {...}}.'
_TITLES = {402: "Budget Exceeded", 499: "Cancelled"}


class Problem(BaseModel):
    """Problem details (RFC 9457).

    Attributes:
        type: names the kind of problem.
        title: what the HTTP status is called.
        status: the HTTP status.
        detail: what was wrong and where.
        instance: the path that was asked for.
        code: the kind of problem, for programs.
        hint: what would be right, or what to do next.
        suggestions: names from the live catalogue that were probably meant, best first.
        exit_code: what the same problem ends a command with.
        approval: the approval that is needed, with `id` and `how` to decide it.
    """

    type: str
    title: str
    status: int
    detail: str
    instance: str | None = None
    code: str
    hint: str | None
    suggestions: list[str]
    exit_code: int
    approval: dict[str, Any] | None = None


def add_to(app: FastAPI) -> None:
    """Answer every error of the application in one shape."""
    app.add_exception_handler(PilothouseError, _expected)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)


def details(told: Mapping[str, Any], instance: str | None = None) -> dict[str, Any]:
    """Problem details of an error as `ui.errors.problem` tells it.

    The standard's members are `type`, `title`, `status`, `detail` and `instance`; `code`, `hint`,
    `suggestions`, `exit_code` and, where one is needed, `approval` are extensions.

    Args:
        told: the error.
        instance: the path that was asked for.
    """
    rest = {name: value for name, value in told.items() if name != "message"}
    status = int(told["status"])
    found = {
        "type": f"{TYPES}{told['code']}",
        "title": title(status),
        "status": status,
        "detail": told["message"],
        **rest,
    }
    return {**found, "instance": instance} if instance else found


def title(status: int) -> str:
    """What an HTTP status is called."""
    if status in _TITLES:
        return _TITLES[status]
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"


def answer(
    error: PilothouseError,
    instance: str | None = None,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """An error as a response.

    Args:
        error: what was wrong.
        instance: the path that was asked for.
        status: where it differs from the error's own.
        headers: more headers.
    """
    more = dict(headers or {})
    if isinstance(error, TooManyRequests):
        more.setdefault("Retry-After", str(math.ceil(error.retry_after)))
    return _response({**problem(error), "status": status or error.status}, instance, more)


def _response(
    told: Mapping[str, Any], instance: str | None, headers: Mapping[str, str] | None = None
) -> JSONResponse:
    more = dict(headers or {})
    if told["status"] == Unauthenticated.status:
        more.setdefault("WWW-Authenticate", "Bearer")
    return JSONResponse(details(told, instance), told["status"], more, MEDIA_TYPE)


async def _expected(request: HTTPConnection, error: Exception) -> Response:
    if isinstance(error, Unauthenticated) and _is_page(request):
        goal = f"{request.url.path}?{request.url.query}".rstrip("?")
        return RedirectResponse(f"/login?next={quote(goal, safe='/')}", 303)
    if isinstance(request, Request) and _is_for_a_person(request):
        return _page(request, problem(cast("PilothouseError", error)))
    refusal = answer(cast("PilothouseError", error), request.url.path)
    if isinstance(request, WebSocket):  # whose exceptions are handled here, but not answered
        if request.application_state is WebSocketState.CONNECTING:
            await request.send_denial_response(refusal)
        else:
            await request.close(1011, str(error)[:120])
    return refusal


def _is_page(request: HTTPConnection) -> bool:
    """True if a person's browser asks for a page, and not a program for data."""
    return request.scope.get("method") == "GET" and _is_for_a_person(request)


def _is_for_a_person(request: HTTPConnection) -> bool:
    wants_page = "text/html" in request.headers.get("accept", "")
    return wants_page and not request.url.path.startswith(("/api/", "/mcp", "/graphql"))


def _page(request: Request, told: Mapping[str, Any]) -> Response:
    """An error as a page, in the same words."""
    from ui.web.render import page

    return page(request, "problem.html", int(told["status"]), told=details(told))


async def _malformed(request: Request, error: Exception) -> Response:
    found = cast("RequestValidationError", error).errors()
    told = "; ".join(_where(e) for e in found)
    bare = any(e["type"] == "extra_forbidden" and len(e["loc"]) == 2 for e in found)
    called = request.method == "POST" and request.url.path.startswith(OPERATIONS)
    hint = _WRAPPED if bare and called else None
    return await _expected(request, InvalidInput(f"The request is malformed: {told}.", hint=hint))


def _where(error: Any) -> str:
    return f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}"


async def _http(request: Request, error: Exception) -> Response:
    found, path = cast("HTTPException", error), request.url.path
    if found.status_code == 404:
        return await _expected(request, _nowhere(request))
    headers = {"Allow": _allowed(request)} if found.status_code == 405 else found.headers
    return answer(InvalidInput(str(found.detail)), path, found.status_code, headers)


def _allowed(request: Request) -> str:
    """The methods of all routes at a path; the framework names those of the first one only."""
    methods: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        if route.matches(request.scope)[0] is not Match.NONE:
            methods |= set(route.methods or ())
    return ", ".join(sorted(methods))


def _nowhere(request: Request) -> NotFound:
    path = request.url.path
    paths = {str(route.path) for route in iter_route_contexts(request.app.routes)}
    return NotFound(
        f"There is nothing at {path[:200]}.",
        suggestions=nearest(path, sorted(paths)),
        hint="/docs lists what there is.",
    )


async def _unexpected(request: Request, error: Exception) -> Response:
    known = translate(error)
    if known is not None:
        return await _expected(request, known)
    reference = uuid4().hex[:12]
    log.error("request %s (%s) failed", reference, request.url.path, exc_info=error)
    if _is_for_a_person(request):
        return _page(request, unexpected(reference))
    return _response(unexpected(reference), request.url.path)
