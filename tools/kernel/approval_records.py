"""What an approval is: how doors show it, what it is bound to, and how it stands now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from pydantic import BaseModel
from sqlalchemy import ColumnElement, and_, or_

from tools.kernel.canonical import digest
from tools.kernel.errors import PolicyDenied
from tools.kernel.identity import Principal, RequestContext
from tools.kernel.keys import Keys
from tools.kernel.operations import Preview
from tools.kernel.storage import now
from tools.kernel.tables import ApprovalRow

Status = Literal["pending", "granted", "denied", "expired", "used", "revoked"]


class Approval(BaseModel):
    """One approval as doors show it.

    Attributes:
        id: what `approvals grant` takes.
        preview: what would be done, with its differences, risk and cost.
        confirm: what a person types who approves an act of their own.
        second_person: True if the proposer may not be the approver.
        how: how to decide it.
    """

    id: str
    operation: str
    arguments: dict[str, Any]
    proposer: str
    tenant: str
    channel: str
    conversation: str | None
    plan: str | None
    step: str | None
    preview: Preview
    second_person: bool
    status: Status
    created: str
    expires: str
    decided_by: str | None
    self_approved: bool
    reason: str | None
    confirm: str
    how: str


def call_digest(operation: str, arguments: dict[str, Any], context: RequestContext) -> str:
    """What an approval is bound to: SHA-256 over the exact call and who makes it."""
    return digest(
        {
            "operation": operation,
            "arguments": arguments,
            "principal": context.principal.name,
            "tenant": context.tenant,
            "plan": context.plan,
            "step": context.step,
        }
    )


def bound_digest(row: ApprovalRow) -> str:
    """`call_digest` of what a row shows; differs from the row's own if either was altered."""
    return digest(
        {
            "operation": row.operation,
            "arguments": row.arguments,
            "principal": row.proposer,
            "tenant": row.tenant,
            "plan": row.plan,
            "step": row.step,
        }
    )


def standing(row: ApprovalRow) -> Status:
    """How an approval stands now; what is open expires by itself."""
    if row.status in ("pending", "granted") and row.expires <= now():
        return "expired"
    return cast("Status", row.status)


def confirmation(row: ApprovalRow) -> str:
    """What a person types who approves an act of their own."""
    return Preview.model_validate(row.preview).confirm or row.operation


@dataclass(frozen=True, slots=True)
class Asked:
    """Who has to approve a call as things stand now; see `Preview`."""

    second_person: bool
    approvers: Sequence[Sequence[str]]


def approvers_of(row: ApprovalRow) -> list[list[str]]:
    """Who may approve, as it stood when the approval was asked for."""
    return Preview.model_validate(row.preview).approvers


def named(approvers: Sequence[Sequence[str]]) -> str:
    """Those who may approve, in words: `somebody with the role admin or marta`."""
    return " and ".join(" or ".join(_who(entry) for entry in entries) for entries in approvers)


def _who(entry: str) -> str:
    kind, _, name = entry.partition(":")
    return f"somebody with the role {name}" if kind == "role" else name


def refuse_unnamed(row: ApprovalRow, principal: Principal) -> None:
    """Refuse an approver who is not among those who must approve.

    Raises:
        PolicyDenied: naming who may.
    """
    known = {f"user:{principal.name}", *(f"role:{role.value}" for role in principal.roles)}
    asked = approvers_of(row)
    if not all(known & set(entries) for entries in asked):
        raise PolicyDenied(
            f"{principal.name} may not approve this: {named(asked)} must.",
            hint=f"They run `pilothouse approvals grant {row.id}`.",
        )


def shown(row: ApprovalRow) -> Approval:
    """A row as doors show it."""
    who = named(approvers_of(row)) or (
        "somebody other than the proposer"
        if row.second_person
        else "the proposer or another person"
    )
    return Approval(
        id=row.id,
        operation=row.operation,
        arguments=row.arguments,
        proposer=row.proposer,
        tenant=row.tenant,
        channel=row.channel,
        conversation=row.conversation,
        plan=row.plan,
        step=row.step,
        preview=Preview.model_validate(row.preview),
        second_person=row.second_person,
        status=standing(row),
        created=row.created.isoformat(),
        expires=row.expires.isoformat(),
        decided_by=row.decided_by,
        self_approved=row.self_approved,
        reason=row.reason,
        confirm=confirmation(row),
        how=f"{who} with the approver role runs `pilothouse approvals grant {row.id}`",
    )


def request_seal(keys: Keys, row: ApprovalRow) -> str:
    """What a request bears from its making: over the call, and all that its approver sees."""
    seen = digest([row.operation, row.arguments, row.proposer, row.plan, row.step, row.preview])
    parts = (row.id, row.tenant, row.digest, seen, str(row.second_person))
    return keys.seal("approval request", *parts, row.expires.isoformat())


def grant_seal(keys: Keys, row: ApprovalRow, by: str, own: bool) -> str:
    """What a grant bears: over the call, who decided, and until when."""
    parts = (row.id, row.tenant, row.digest, by, str(own), str(row.second_person))
    return keys.seal("approval grant", *parts, row.expires.isoformat())


def stands(status: Status) -> ColumnElement[bool]:
    """The condition that an approval stands so now; see `standing`."""
    written = ApprovalRow.status == status
    if status == "expired":
        unused = ApprovalRow.status.in_(("pending", "granted"))
        return or_(written, and_(unused, ApprovalRow.expires <= now()))
    if status in ("pending", "granted"):
        return and_(written, ApprovalRow.expires > now())
    return written
