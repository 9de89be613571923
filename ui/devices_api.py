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

from edge.wire import content_digest
from tools.devices.messages import Enrolment, EnrolmentRequest, Renewal
from tools.devices.protocol import MAX_MESSAGE, MAX_WAIT_SECONDS, DeviceProtocol
from tools.devices.tables import DeviceRow
from tools.kernel.errors import InvalidInput, PilothouseError
from tools.kernel.kernel import Kernel

Authorization = Annotated[str | None, Header()]


def device_router(kernel: Kernel) -> APIRouter:
    """The routes that devices speak to.

    Args:
        kernel: the platform's kernel.
    """
    protocol = kernel.get(DeviceProtocol)
    router = APIRouter(prefix="/device/v1", tags=["devices"], route_class=_Translated)

    async def polling(authorization: str | None) -> int:
        known_id = protocol.recognise(authorization)
        return (await known(authorization)).id if known_id is None else known_id

    async def known(authorization: str | None) -> DeviceRow:
        return await asyncio.to_thread(protocol.authenticate, authorization)

    @router.post("/enroll")
    async def enroll(request: Request) -> Enrolment:
        wanted = EnrolmentRequest.model_validate_json(await _body(request))
        return await asyncio.to_thread(protocol.enroll, wanted)

    @router.get("/desired", response_model=None)
    async def desired(
        wait: Annotated[float, Query(ge=0, le=MAX_WAIT_SECONDS)] = 0,
        authorization: Authorization = None,
        if_none_match: Annotated[str | None, Header()] = None,
        x_device_report: Annotated[str | None, Header()] = None,
    ) -> Response:
        device = await polling(authorization)
        state = await protocol.desired(device, if_none_match, wait)
        headers = {"ETag": state.etag if state else if_none_match or ""}
        if x_device_report is not None and not protocol.still_there(device, x_device_report):
            headers["X-Report-Wanted"] = "1"
        if state is None:
            return Response(status_code=304, headers=headers)
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

    @router.post("/reports")
    async def report(
        request: Request,
        authorization: Authorization = None,
        x_device_signature: Annotated[str | None, Header()] = None,
    ) -> dict[str, Any]:
        device = await known(authorization)
        body = await _body(request)
        taken = await asyncio.to_thread(protocol.report, device, body, x_device_signature)
        if taken:
            return {"accepted": True}
        newest = await asyncio.to_thread(protocol.newest_report, device.id)
        return {"accepted": False, "newest": newest}

    return router


class _Translated(APIRoute):
    """Answers a device's mistakes in place, whichever application the router is mounted in."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The route's handler, with expected errors as answers."""
        handler = super().get_route_handler()

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


async def _body(request: Request) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_MESSAGE:
            raise InvalidInput(f"A message has at most {MAX_MESSAGE} bytes.")
        parts.append(part)
    return b"".join(parts)
