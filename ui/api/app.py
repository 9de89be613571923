"""The application: routers, errors, and who may talk to it at all."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, cast
from uuid import uuid4

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from tools.kernel.errors import InvalidInput, NotFound, PilothouseError, PolicyDenied
from ui.api import approvals, conversations, jobs, operations, parsing, records, status
from ui.api.door import Door
from ui.errors import problem, translate, unexpected

log = logging.getLogger(__name__)
LOOPBACK = frozenset({"127.0.0.1", "localhost", "[::1]"})
PARTS = (conversations, parsing, operations, approvals, jobs, records, status)


def create_app(door: Door, extra: Sequence[APIRouter] = ()) -> FastAPI:
    """The platform's API.

    Args:
        door: what its handlers share.
        extra: routers that bring their own authentication (the devices').
    """

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        yield
        await door.close()

    app = FastAPI(
        title="Pilothouse", docs_url=None, redoc_url=None, openapi_url=None, lifespan=life
    )
    app.state.door = door
    for part in PARTS:
        app.include_router(part.router, prefix="/v1")
    app.include_router(status.health)
    for router in extra:
        app.include_router(router)
    app.add_middleware(LoopbackOnly)
    app.add_exception_handler(PilothouseError, _expected)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(Exception, _unexpected)
    return app


class LoopbackOnly:
    """Refuses requests whose Host header names another machine (DNS rebinding)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass loopback requests on."""
        if scope["type"] == "http" and _host(scope) not in LOOPBACK:
            refusal = _answer(PolicyDenied("This address answers to loopback names only."))
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _host(scope: Scope) -> str:
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    value = next((v for k, v in headers if k == b"host"), b"").decode("latin-1").lower()
    name, _, port = value.rpartition(":")
    return name if name and port.isdigit() else value


def _answer(error: PilothouseError) -> JSONResponse:
    return JSONResponse(problem(error), error.status)


async def _expected(_request: Request, error: Exception) -> JSONResponse:
    return _answer(cast("PilothouseError", error))


async def _malformed(_request: Request, error: Exception) -> JSONResponse:
    told = "; ".join(_where(e) for e in cast("RequestValidationError", error).errors())
    return _answer(InvalidInput(f"The request is malformed: {told}."))


def _where(error: Any) -> str:
    return f"{'.'.join(str(part) for part in error['loc'])}: {error['msg']}"


async def _http(request: Request, error: Exception) -> JSONResponse:
    status, detail = cast("HTTPException", error).status_code, cast("HTTPException", error).detail
    if status == 404:
        return _answer(NotFound(f"There is nothing at {request.url.path}."))
    return JSONResponse({**problem(InvalidInput(str(detail))), "status": status}, status)


async def _unexpected(request: Request, error: Exception) -> JSONResponse:
    known = translate(error)
    if known is not None:
        return _answer(known)
    reference = uuid4().hex[:12]
    log.error("request %s (%s) failed", reference, request.url.path, exc_info=error)
    return JSONResponse(unexpected(reference), 500)
