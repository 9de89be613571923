"""What may be sent to the REST and GraphQL doors: JSON, and not too much of it."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tools.kernel.errors import InvalidInput, PayloadTooLarge
from ui.api.door import Door
from ui.api.problems import answer

LARGEST_BYTES = 2_000_000
PATHS = ("/api/v1/", "/graphql")
FILES = "/api/v1/uploads/"
"""Takes files as they are, up to the shield's limit; a foreign page cannot send them unasked."""
READING = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})


class WrongMediaType(InvalidInput):
    """The body is of another kind than is understood."""

    code = "wrong_media_type"
    status = 415


def add_to(app: FastAPI, door: Door) -> None:
    """Refuse other bodies before anything reads them."""
    app.add_middleware(JsonOnly)


class JsonOnly:
    """Lets bodies of JSON up to `LARGEST_BYTES` through.

    A form that a foreign page could send without asking is never JSON.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check the headers, then count what arrives."""
        path = scope.get("path", "")  # the lifespan's scope has none
        if scope["type"] != "http" or not path.startswith(PATHS) or path.startswith(FILES):
            await self._app(scope, receive, send)
            return
        refusal = _refused(scope)
        if refusal is not None:
            await answer(refusal, scope["path"])(scope, receive, send)
            return
        taken = 0

        async def counted() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > LARGEST_BYTES:
                raise HTTPException(413, _too_large().message)  # the one that FastAPI lets through
            return message

        await self._app(scope, counted, send)


def _refused(scope: Scope) -> InvalidInput | None:
    headers = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
    length = headers.get("content-length", "")
    if length.isdecimal() and int(length) > LARGEST_BYTES:
        return _too_large()
    has_body = length not in ("", "0") or "transfer-encoding" in headers
    if scope["method"] in READING or not has_body:
        return None
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        return None
    return WrongMediaType(
        f"The body is {kind[:80] or 'of no kind'!r}, not JSON.",
        hint="Send JSON with the header Content-Type: application/json.",
    )


def _too_large() -> PayloadTooLarge:
    return PayloadTooLarge(
        f"A body has at most {LARGEST_BYTES} bytes.",
        hint="Send files to /api/v1/uploads and name them by the path that it answers with.",
    )
