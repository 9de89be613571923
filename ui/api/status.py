"""`/api/v1/status`, `/api/v1/shutdown`, `/healthz`, `/readyz`: the process itself."""

from __future__ import annotations

import os
import time
from typing import Literal

from fastapi import APIRouter, Response
from pydantic import BaseModel

from tools.kernel.errors import PilothouseError
from tools.kernel.identity import Role
from tools.kernel.principals import DEFAULT_TENANT
from tools.training.pausing import PAUSED
from tools.training.standing import standing
from ui.api.door import PREFIX, Caller, Door, TheDoor, require_admin
from ui.home import VERSION

router = APIRouter(prefix=PREFIX, tags=["platform"])
health = APIRouter(tags=["platform"])
READY = "ok"
_began = time.time()


class Health(BaseModel):
    """That the process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """Whether requests can be served, and how each part stands: `ok`, or what it lacks."""

    status: Literal["ready", "not ready"]
    checks: dict[str, str]


class RunningJob(BaseModel):
    """A job that runs, or is paused."""

    job: int
    operation: str
    progress: float
    status: Literal["running", "paused"] = "running"


class ModelUsed(BaseModel):
    """What the caller's language model took within the last 24 hours."""

    tokens: int
    limit: int
    cost: float


class Status(BaseModel):
    """What runs here, as its caller may see it."""

    version: str
    pid: int
    home: str
    seconds: float
    principal: str
    roles: list[Role]
    assistant: str
    turns: int
    jobs: list[RunningJob]
    queued: int
    approvals: list[str]
    operations: int
    language_model: str | None
    model_used: ModelUsed
    currency: str


@health.get("/healthz")
def healthy() -> Health:
    """That the process answers; says nothing else, because anybody may ask."""
    return Health()


@health.get("/readyz", responses={503: {"model": Readiness}})
def ready(door: TheDoor, response: Response) -> Readiness:
    """Whether requests can be served; 503 if not, with what is lacking."""
    checks = {
        "platform": "stopping" if door.stopping.is_set() else READY,
        "database": _database(door),
        "jobs": _jobs(door),
        "assistant": READY if door.assistant_state == "ready" else door.assistant_state,
    }
    if all(found == READY for found in checks.values()):
        return Readiness(status="ready", checks=checks)
    response.status_code = 503
    return Readiness(status="not ready", checks=checks)


@router.get("/status")
def status(context: Caller, door: TheDoor) -> Status:
    """What runs here."""
    kernel = door.kernel
    tokens, cost = kernel.budget.model_use(context.principal)
    limit = kernel.settings.model_budget_tokens
    return Status(
        version=VERSION,
        pid=os.getpid(),
        home=str(kernel.settings.home) if context.tenant == DEFAULT_TENANT else "",
        seconds=round(time.time() - _began, 1),
        principal=context.principal.name,
        roles=sorted(context.principal.roles),
        assistant=door.assistant_state,
        turns=len(door.turns),
        jobs=[
            RunningJob(
                job=row.id,
                operation=row.operation,
                progress=row.progress,
                status="paused" if standing(kernel.settings, row) == PAUSED else "running",
            )
            for row in kernel.jobs.list(context.tenant, status="running")
        ],
        queued=len(kernel.jobs.list(context.tenant, status="queued")),
        approvals=[a.id for a in kernel.approvals.list(context.tenant, "pending")],
        operations=len(kernel.operations),
        language_model=kernel.settings.model,
        model_used=ModelUsed(tokens=tokens, limit=limit, cost=cost),
        currency=kernel.settings.currency,
    )


@router.post("/shutdown", include_in_schema=False)
async def shutdown(context: Caller, door: TheDoor) -> dict[str, str]:
    """Stop gracefully; what runs goes on at the next start."""
    require_admin(context)
    door.shut_down()
    return {"status": "stopping"}


def _database(door: Door) -> str:
    try:
        door.kernel.events.newest()
    except PilothouseError as error:
        return error.message[:200] if door.kernel.database.is_sqlite else "unreachable"
    return READY


def _jobs(door: Door) -> str:
    try:
        door.kernel.jobs.require_engine()
    except PilothouseError:
        return "not running"
    return READY
