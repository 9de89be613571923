"""`/api/v1/status`, `/api/v1/shutdown`, `/healthz`: the process itself."""

from __future__ import annotations

import os
import time
from typing import Any

from fastapi import APIRouter

from ui.api.door import Caller, TheDoor, require_admin
from ui.home import VERSION

router = APIRouter()
health = APIRouter()
_began = time.time()


@health.get("/healthz")
def healthy() -> dict[str, str]:
    """That the process answers; says nothing else, because anybody may ask."""
    return {"status": "ok"}


@router.get("/status")
def status(context: Caller, door: TheDoor) -> dict[str, Any]:
    """What runs here."""
    kernel = door.kernel
    return {
        "version": VERSION,
        "pid": os.getpid(),
        "home": str(kernel.settings.home),
        "seconds": round(time.time() - _began, 1),
        "principal": context.principal.name,
        "roles": sorted(context.principal.roles),
        "assistant": door.assistant_state,
        "turns": len(door.turns),
        "jobs": [
            {"job": row.id, "operation": row.operation, "progress": row.progress}
            for row in kernel.jobs.list(context.tenant, status="running")
        ],
        "queued": len(kernel.jobs.list(context.tenant, status="queued")),
        "approvals": [a.id for a in kernel.approvals.list(context.tenant, "pending")],
        "operations": len(kernel.operations),
        "language_model": kernel.settings.model,
        "currency": kernel.settings.currency,
    }


@router.post("/shutdown")
async def shutdown(context: Caller, door: TheDoor) -> dict[str, str]:
    """Stop gracefully; what runs goes on at the next start."""
    require_admin(context)
    door.shut_down()
    return {"status": "stopping"}
