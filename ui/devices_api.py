"""The device protocol on HTTP, mounted under `/device/v1`; see `tools/devices/protocol.py`.

A device shows its own credential here, not a person's token. A device that waits for a change
costs a suspended coroutine, no thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from fastapi.routing import APIRoute
from pydantic import ValidationError
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from edge.wire import content_digest
from tools.devices.messages import Enrolment, EnrolmentRequest, Renewal
from tools.devices.protocol import MAX_MESSAGE, MAX_WAIT_SECONDS, DeviceProtocol
from tools.devices.tables import DeviceRow
from tools.kernel.errors import InvalidInput, PilothouseError
from tools.kernel.kernel import Kernel

_PREFIX = "/device/v1"
_Answer = Callable[[Request], Coroutine[Any, Any, Response]]
Authorization = Annotated[str | None, Header()]


def device_router(kernel: Kernel) -> APIRouter:
    """The routes that devices speak to.

    Args:
        kernel: the platform's kernel.
    """
    protocol = kernel.get(DeviceProtocol)
    router = APIRouter(prefix=_PREFIX, tags=["devices"], route_class=_Translated)

    async def lately(authorization: str | None) -> DeviceRow:
        return protocol.recognise(authorization) or await known(authorization)

    async def known(authorization: str | None) -> DeviceRow:
        return await asyncio.to_thread(protocol.authenticate, authorization)

    @router.post("/enroll")
    async def enroll(request: Request) -> Enrolment:
        wanted = EnrolmentRequest.model_validate_json(await _body(request))
        return await asyncio.to_thread(protocol.enroll, wanted)

    async def desired(request: Request) -> Response:
        asked = request.headers
        row = await lately(asked.get("authorization"))
        device = row.id
        has, report = asked.get("if-none-match"), asked.get("x-device-report")
        state = await protocol.desired(device, has, _wait(request))
        headers = {"ETag": state.etag if state else has or ""}
        if report is not None and not protocol.still_there(device, report):
            headers["X-Report-Wanted"] = "1"
        if state is None:
            return Response(status_code=304, headers=headers)
        headers["X-State-Signature"] = protocol.keyring.sign_state(
            row.public_key or "", state.content
        )
        return Response(state.content, headers=headers, media_type="application/json")

    @router.post("/credential")
    async def renew(
        authorization: Authorization = None,
        x_device_signature: Annotated[str | None, Header()] = None,
    ) -> Renewal:
        return await asyncio.to_thread(protocol.renew, authorization, x_device_signature)

    @router.get("/keys")
    async def keys(
        after: Annotated[int, Query(ge=0)] = 0, authorization: Authorization = None
    ) -> dict[str, list[dict[str, str]]]:
        await known(authorization)
        return {"keys": await asyncio.to_thread(protocol.keyring.documents, after)}

    @router.get("/bundles/{bundle}/{name}", response_model=None)
    async def bundle_file(bundle: str, name: str, authorization: Authorization = None) -> Response:
        device = await known(authorization)
        path = await asyncio.to_thread(protocol.bundle_file, device.id, bundle, name)
        return FileResponse(path, media_type="application/octet-stream")

    async def report(request: Request) -> Response:
        await protocol.catch_up()
        device = await lately(request.headers.get("authorization"))
        body, signature = await _body(request), request.headers.get("x-device-signature")
        if await asyncio.wrap_future(protocol.hand_in(device, body, signature)):
            return JSONResponse({"accepted": True})
        newest = await asyncio.to_thread(protocol.newest_report, device.id)
        return JSONResponse({"accepted": False, "newest": newest})

    for path, method, answer in (("/desired", "GET", desired), ("/reports", "POST", report)):
        bare: Any = _Bare(answer)
        router.routes.append(Route(f"{_PREFIX}{path}", bare, methods=[method]))
    return router


class _Bare:
    """A request without the framework's parsing: a large fleet makes thousands of it at once."""

    def __init__(self, answer: _Answer) -> None:
        self._answer = _translated(answer)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)


class _Translated(APIRoute):
    """Answers a device's mistakes in place, whichever application the router is mounted in."""

    def get_route_handler(self) -> _Answer:
        """The route's handler, with expected errors as answers."""
        return _translated(super().get_route_handler())


def _translated(handler: _Answer) -> _Answer:
    async def handle(request: Request) -> Response:
        try:
            return _with_digest(await handler(request))
        except PilothouseError as error:
            return JSONResponse(error.as_dict(), status_code=error.status)
        except ValidationError as error:
            told = InvalidInput(f"The message is malformed: {error.errors()[0]['msg']}.")
            return JSONResponse(told.as_dict(), status_code=told.status)

    return handle


def _with_digest(response: Response) -> Response:
    """An answer of which the device can see that it is whole; bundles have their own hashes."""
    if response.headers.get("content-type", "").startswith("application/json"):
        response.headers["Content-Digest"] = content_digest(bytes(response.body))
    return response


def _wait(request: Request) -> float:
    """For how many seconds a device would wait for a change.

    Raises:
        InvalidInput: it is no number of them.
    """
    told = request.query_params.get("wait", "0")
    try:
        seconds = float(told)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MAX_WAIT_SECONDS:
        raise InvalidInput(f"A device waits 0 to {MAX_WAIT_SECONDS:g} seconds, not {told}.")
    return seconds


async def _body(request: Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_MESSAGE:
            raise InvalidInput(f"A message has at most {MAX_MESSAGE} bytes.")
        parts.append(part)
    return b"".join(parts)
