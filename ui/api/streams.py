"""Answers that are lines of JSON, one for each thing that happens."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from fastapi.responses import StreamingResponse

NDJSON = "application/x-ndjson"
LINES: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A line of JSON each.",
        "content": {NDJSON: {"schema": {"type": "string"}}},
    }
}


def lines(source: AsyncIterator[bytes], thread: str = "") -> StreamingResponse:
    """A stream of lines of JSON.

    Args:
        source: the lines.
        thread: the conversation that they are of.
    """
    headers = {"X-Pilothouse-Thread": thread, "Cache-Control": "no-store"}
    return StreamingResponse(source, media_type=NDJSON, headers=headers)
