"""`/api/v1/approvals`: see, decide, and go on with what was granted."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from tools.kernel.approvals import Approval, Status
from tools.kernel.errors import Conflict, PolicyDenied, Unauthenticated
from tools.kernel.gate import Outcome
from tools.kernel.identity import Channel, RequestContext
from tools.kernel.policy import may_approve, require_lent
from ui.api.conversations import resumed, stream
from ui.api.door import PREFIX, Caller, Door, TheDoor
from ui.api.operations import told
from ui.api.paging import PAGED, Page
from ui.api.streams import LINES, lines
from ui.api.turns import Turn

router = APIRouter(prefix=f"{PREFIX}/approvals", tags=["approvals"])
FORBID = ConfigDict(extra="forbid")
Id = Annotated[str, Path(max_length=64)]


class Grant(BaseModel):
    """What a self-approving person typed."""

    model_config = FORBID

    confirm: str | None = Field(None, max_length=500)


class Deny(BaseModel):
    """Why not."""

    model_config = FORBID

    reason: str = Field("", max_length=2000)


@router.get("", responses=PAGED)
def list_approvals(
    context: Caller, door: TheDoor, page: Page, status: Status | None = None
) -> list[Approval]:
    """Approvals, newest first."""
    tenant = door.kernel.gate.admit("platform.approvals", context).tenant
    skip = page.after or 0
    return page.skipping(door.kernel.approvals.list(tenant, status, page.limit + 1, skip))


@router.get("/{approval}")
def show_approval(approval: Id, context: Caller, door: TheDoor) -> Approval:
    """One approval: the whole card."""
    door.kernel.gate.admit("platform.approvals", context)
    return door.kernel.approvals.get(approval, context.tenant)


@router.post("/{approval}/grant")
def grant(approval: Id, body: Grant, context: Caller, door: TheDoor) -> Approval:
    """Approve; the call itself is carried out by `/go-on`, or by whoever makes it again."""
    return door.kernel.approvals.grant(approval, context.principal, body.confirm)


@router.post("/{approval}/deny")
def deny(approval: Id, body: Deny, context: Caller, door: TheDoor) -> Approval:
    """Refuse."""
    return door.kernel.approvals.deny(approval, context.principal, body.reason)


@router.post("/{approval}/revoke")
def revoke(approval: Id, context: Caller, door: TheDoor) -> Approval:
    """Take an unused grant back."""
    return door.kernel.approvals.revoke(approval, context.principal)


@router.post("/{approval}/go-on", response_class=StreamingResponse, responses=LINES)
async def go_on(approval: Id, context: Caller, door: TheDoor) -> StreamingResponse:
    """Carry out what was granted, for the one who proposed it.

    A conversation's approval resumes its thread; a call's makes the call; one that an MCP client
    asked for is only recorded, because the client makes the call again.
    """
    done = await carry_out(door, approval, context)
    if isinstance(done, Turn):
        return stream(done)
    if isinstance(done, Approval):
        return lines(_once({"kind": "recorded", "approval": done.id, "channel": done.channel}))
    operation = done.receipt.operation
    return lines(_once({"kind": "called", "operation": operation, **told(done)}))


async def carry_out(
    door: Door, approval: str, context: RequestContext
) -> Turn | Approval | Outcome:
    """Carry out what was granted; see `go_on`.

    Returns:
        the turn that a conversation goes on with, what a call came to, or the approval itself if
        it is only recorded.

    Raises:
        Conflict: if it is not granted.
        PolicyDenied: if the caller neither proposed it nor may approve.
    """
    found, proposer = await run_in_threadpool(_granted, door, approval, context)
    if found.conversation:
        return await resumed(door, found.conversation, proposer, approval=found.id)
    if found.channel in {Channel.MCP.value, Channel.AGENT.value}:
        return found
    return await run_in_threadpool(
        door.kernel.gate.call, found.operation, found.arguments, proposer, approval=found.id
    )


def _granted(door: Door, approval: str, context: RequestContext) -> tuple[Approval, RequestContext]:
    found = door.kernel.approvals.get(approval, context.tenant)
    if context.principal.name != found.proposer and not may_approve(context.principal):
        raise PolicyDenied(f"Only {found.proposer}, or an approver, may go on with {found.id}.")
    scope = door.kernel.operations.get(found.operation).scope
    require_lent(context.principal, found.operation, scope)  # a narrow token sets off no more
    if found.status != "granted":
        raise Conflict(f"Approval {found.id} is {found.status}; nothing was done.")
    known = {p.name: p for p in door.kernel.principals.list(found.tenant)}
    if found.proposer not in known:
        raise Unauthenticated(f"{found.proposer}, who proposed it, is no longer known here.")
    return found, RequestContext(
        known[found.proposer],
        Channel(found.channel),
        found.conversation,
        found.plan,
        found.step,
    )


async def _once(event: dict[str, Any]) -> AsyncIterator[bytes]:
    yield json.dumps(event).encode() + b"\n"
