"""`/api/v1/jobs`: how jobs stand, and their events as they happen."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from tools.kernel.jobs import ENDED
from tools.kernel.receipts import Receipt
from tools.kernel.tables import JobRow
from tools.training.standing import jobs_in, standing
from ui.api.door import PREFIX, Caller, Door, TheDoor
from ui.api.events import FINAL
from ui.api.paging import BIGGEST, PAGED, Page
from ui.api.streams import LINES, lines
from ui.api.turns import KEEPALIVE_SECONDS

router = APIRouter(prefix=f"{PREFIX}/jobs", tags=["jobs"])
JobStatus = Literal["queued", "running", "paused", "done", "failed", "cancelled"]
Number = Annotated[int, Path(ge=1, le=BIGGEST)]


class Job(BaseModel):
    """A job as it stands.

    Attributes:
        progress: share done, 0 to 1.
        metrics: what it last measured.
        attempts: how often it was begun; more than once after a crash.
        principal: for whom it runs.
    """

    job: int
    operation: str
    arguments: dict[str, Any]
    status: JobStatus
    progress: float
    message: str
    metrics: dict[str, Any]
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    attempts: int
    principal: str | None
    conversation: str | None
    created: datetime | None
    started: datetime | None
    ended: datetime | None


class JobWithReceipt(Job):
    """A job, with the receipt that ended it."""

    receipt: Receipt | None


@router.get("", responses=PAGED)
def list_jobs(
    context: Caller,
    door: TheDoor,
    page: Page,
    status: JobStatus | None = None,
    operation: Annotated[str | None, Query(max_length=128)] = None,
) -> list[Job]:
    """Jobs, newest first."""
    tenant = door.kernel.gate.admit("platform.jobs", context).tenant
    rows = jobs_in(
        door.kernel,
        tenant,
        status,
        operation=operation,
        before=page.after,
        limit=page.limit + 1,
    )
    return [Job(**_told(door, row)) for row in page.numbered(rows, lambda row: row.id)]


@router.get("/{job}")
def show_job(job: Number, context: Caller, door: TheDoor) -> JobWithReceipt:
    """One job, with the receipt that ended it."""
    tenant = door.kernel.gate.admit("platform.jobs", context).tenant
    return JobWithReceipt(**_whole(door, job, tenant))


@router.get("/{job}/events", response_class=StreamingResponse, responses=LINES)
async def follow(
    job: Number,
    context: Caller,
    door: TheDoor,
    after: Annotated[int, Query(ge=0, le=BIGGEST)] = 0,
) -> StreamingResponse:
    """How the job stands, then each event after `after`, then its end; a line of JSON each."""
    await run_in_threadpool(door.kernel.gate.admit, "platform.jobs", context)
    standing = await run_in_threadpool(_whole, door, job, context.tenant)
    return lines(_events(door, standing, context.tenant, after))


async def _events(
    door: Door, standing: dict[str, Any], tenant: str, after: int
) -> AsyncIterator[bytes]:
    job = standing["job"]
    yield _line({"kind": "job", **standing})
    if standing["status"] not in ENDED:
        async with await door.notifier.follow(f"job:{job}", tenant, after) as follower:
            async for event in follower.events(KEEPALIVE_SECONDS):
                if event is None:
                    yield b"\n"
                elif event.kind == "job.progress":
                    yield _line({"kind": "progress", "id": event.id, **event.data})
                elif event.kind in FINAL:
                    break
    standing = await run_in_threadpool(_whole, door, job, tenant)
    yield _line({"kind": "end", **standing})


def _whole(door: Door, job: int, tenant: str) -> dict[str, Any]:
    row = door.kernel.jobs.get(job, tenant)
    receipt = door.kernel.receipts.for_job(job)
    return {**_told(door, row), "receipt": receipt.model_dump(mode="json") if receipt else None}


def _told(door: Door, row: JobRow) -> dict[str, Any]:
    times = {name: getattr(row, name) for name in ("created", "started", "ended")}
    return {
        "job": row.id,
        "operation": row.operation,
        "arguments": row.arguments,
        "status": standing(door.kernel.settings, row),
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
