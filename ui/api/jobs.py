"""`/api/v1/jobs`: how jobs stand, and their events as they happen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from tools.kernel.events import Event
from tools.kernel.jobs import ENDED
from tools.kernel.tables import JobRow
from ui.api.conversations import lines
from ui.api.door import WAIT_SECONDS, WAITERS, Caller, Door, TheDoor

router = APIRouter(prefix="/jobs")


@router.get("")
def list_jobs(
    context: Caller,
    door: TheDoor,
    status: str | None = None,
    operation: str | None = None,
    limit: int = 20,
) -> list[dict[str, Any]]:
    """The newest jobs, newest first."""
    limit = min(max(limit, 1), 500)
    rows = door.kernel.jobs.list(context.tenant, operation=operation, status=status, limit=limit)
    return [_told(row) for row in rows]


@router.get("/{job}")
def show_job(job: int, context: Caller, door: TheDoor) -> dict[str, Any]:
    """One job, with the receipt that ended it."""
    return _whole(door, job, context.tenant)


@router.get("/{job}/events")
async def follow(job: int, context: Caller, door: TheDoor, after: int = 0) -> StreamingResponse:
    """How the job stands, then each event after `after`, then its end; a line of JSON each."""
    standing = await run_in_threadpool(_whole, door, job, context.tenant)
    return lines(_events(door, standing, context.tenant, after))


async def _events(
    door: Door, standing: dict[str, Any], tenant: str, after: int
) -> AsyncIterator[bytes]:
    job, loop = standing["job"], asyncio.get_running_loop()
    yield _line({"kind": "job", **standing})
    while standing["status"] not in ENDED and not door.stopping.is_set():
        events = door.kernel.events
        found: list[Event] = await loop.run_in_executor(
            WAITERS, events.wait, f"job:{job}", after, WAIT_SECONDS
        )
        for event in found:
            after = event.id
            if event.kind == "job.progress":
                yield _line({"kind": "progress", "id": event.id, **event.data})
        standing = await run_in_threadpool(_whole, door, job, tenant)
        if not found:
            yield b"\n"
    yield _line({"kind": "end", **standing})


def _whole(door: Door, job: int, tenant: str) -> dict[str, Any]:
    row = door.kernel.jobs.get(job, tenant)
    receipt = door.kernel.receipts.for_job(job)
    return {**_told(row), "receipt": receipt.model_dump(mode="json") if receipt else None}


def _told(row: JobRow) -> dict[str, Any]:
    times = {name: getattr(row, name) for name in ("created", "started", "ended")}
    return {
        "job": row.id,
        "operation": row.operation,
        "arguments": row.arguments,
        "status": row.status,
        "progress": row.progress,
        "message": row.message,
        "metrics": row.metrics,
        "result": row.result,
        "error": row.error,
        "attempts": row.attempts,
        "principal": row.context.get("principal"),
        "conversation": row.context.get("conversation"),
        **{name: value.isoformat() if value else None for name, value in times.items()},
    }


def _line(event: dict[str, Any]) -> bytes:
    return json.dumps(event, default=str).encode() + b"\n"
