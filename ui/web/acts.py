"""What the pages' buttons do: each is a call through the gate, or a decision on an approval."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Form
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import RedirectResponse

from tools.kernel.errors import NeedsApproval
from tools.kernel.gate import Outcome
from tools.kernel.identity import RequestContext
from ui.api import approvals as approvals_api
from ui.api import jobs as jobs_api
from ui.api import records, resources
from ui.api.door import Caller, Door, TheDoor

router = APIRouter(include_in_schema=False)
Typed = Annotated[str, Form(max_length=2000)]


@router.post("/jobs/{job}/cancel")
def cancel_job(job: jobs_api.Number, context: Caller, door: TheDoor) -> RedirectResponse:
    """Stop a job."""
    return _called(door, context, "platform.cancel_job", {"job": job}, f"/jobs/{job}")


@router.post("/receipts/{reference}/undo")
def undo(reference: records.Reference, context: Caller, door: TheDoor) -> RedirectResponse:
    """Undo what a receipt tells of."""
    given = {"receipt": reference}
    return _called(door, context, "platform.undo", given, f"/receipts/{reference}")


@router.post("/rollouts/{rollout}/pause")
def pause(rollout: resources.Number, context: Caller, door: TheDoor) -> RedirectResponse:
    """Hold a rollout."""
    return _on_group(door, context, "deployment.pause", rollout)


@router.post("/rollouts/{rollout}/resume")
def go_on_rolling(rollout: resources.Number, context: Caller, door: TheDoor) -> RedirectResponse:
    """Let a paused rollout go on."""
    return _on_group(door, context, "deployment.resume", rollout)


@router.post("/rollouts/{rollout}/promote")
def promote(rollout: resources.Number, context: Caller, door: TheDoor) -> RedirectResponse:
    """Let a rollout take its next step, or bring what holds to the whole group."""
    return _on_group(door, context, "deployment.promote", rollout)


@router.post("/rollouts/{rollout}/abort")
def abort(rollout: resources.Number, context: Caller, door: TheDoor) -> RedirectResponse:
    """End an unfinished rollout and put its devices back."""
    return _on_group(door, context, "deployment.abort", rollout)


@router.post("/rollouts/{rollout}/retry")
def retry(rollout: resources.Number, context: Caller, door: TheDoor) -> RedirectResponse:
    """Try an aborted or failed rollout again."""
    return _on_group(door, context, "deployment.retry", rollout)


@router.post("/rollouts/{rollout}/rollback")
def roll_back(rollout: resources.Number, context: Caller, door: TheDoor) -> RedirectResponse:
    """Put a rollout's group back on its former model."""
    return _on_group(door, context, "deployment.rollback", rollout)


@router.post("/schedules/{schedule}/{act}")
def schedule(
    schedule: resources.Name,
    act: Literal["cancel", "pause", "resume"],
    context: Caller,
    door: TheDoor,
) -> RedirectResponse:
    """Stop a schedule for good or for a while, or let it go on."""
    return _called(door, context, f"schedules.{act}", {"schedule": schedule}, "/schedules")


@router.post("/approvals/{approval}/grant")
async def grant(
    approval: approvals_api.Id, context: Caller, door: TheDoor, confirm: Typed = ""
) -> RedirectResponse:
    """Approve, and carry out what was approved."""
    given = approvals_api.Grant(confirm=confirm[:500] or None)
    await run_in_threadpool(approvals_api.grant, approval, given, context, door)
    return await _carried_out(approval, context, door)


@router.post("/approvals/{approval}/go-on")
async def go_on(approval: approvals_api.Id, context: Caller, door: TheDoor) -> RedirectResponse:
    """Carry out what was approved before."""
    return await _carried_out(approval, context, door)


@router.post("/approvals/{approval}/deny")
def deny(
    approval: approvals_api.Id, context: Caller, door: TheDoor, reason: Typed = ""
) -> RedirectResponse:
    """Refuse."""
    approvals_api.deny(approval, approvals_api.Deny(reason=reason), context, door)
    return _to(f"/approvals/{approval}")


@router.post("/approvals/{approval}/revoke")
def revoke(approval: approvals_api.Id, context: Caller, door: TheDoor) -> RedirectResponse:
    """Take an unused approval back."""
    approvals_api.revoke(approval, context, door)
    return _to(f"/approvals/{approval}")


def _on_group(door: Door, context: RequestContext, operation: str, number: int) -> RedirectResponse:
    group = resources.rollout_of(door, context, number).group
    return _called(door, context, operation, {"group": group}, f"/rollouts/{number}")


def _called(
    door: Door, context: RequestContext, operation: str, arguments: dict[str, Any], back: str
) -> RedirectResponse:
    """Make a call and go back to the page, or to the approval that the call needs."""
    try:
        outcome = door.kernel.gate.call(operation, arguments, context)
    except NeedsApproval as needed:
        return _to(f"/approvals/{needed.approval['id']}")
    return _to(f"/jobs/{outcome.job}" if outcome.job else back)


async def _carried_out(approval: str, context: RequestContext, door: Door) -> RedirectResponse:
    done = await approvals_api.carry_out(door, approval, context)
    if not isinstance(done, Outcome):  # a conversation goes on, or a client calls again
        return _to(f"/approvals/{approval}")
    return _to(f"/jobs/{done.job}" if done.job else f"/receipts/{done.receipt.name}")


def _to(path: str) -> RedirectResponse:
    return RedirectResponse(path, 303)
