"""Approvals: a person's decision on one exact call, kept by the server, used once.

A grant is bound to the digest of operation, canonical arguments, proposer, tenant, plan and step,
and sealed with the home's key: neither a model's words nor a changed database row can stand in for
it. It can be given through any door and expires.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal, cast
from uuid import uuid4

from pydantic import BaseModel
from sqlalchemy import CursorResult, select, update

from tools.kernel.audit import Audit
from tools.kernel.canonical import digest
from tools.kernel.errors import ApprovalInvalid, Conflict, InvalidInput, NotFound, PolicyDenied
from tools.kernel.events import Events
from tools.kernel.identity import Principal, RequestContext
from tools.kernel.keys import Keys
from tools.kernel.operations import Preview
from tools.kernel.policy import may_approve
from tools.kernel.settings import Settings
from tools.kernel.storage import Database, now
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


class Approvals:
    """Request, decide, and use approvals; safe from several threads and processes."""

    def __init__(
        self, database: Database, settings: Settings, keys: Keys, audit: Audit, events: Events
    ) -> None:
        self._database = database
        self._settings = settings
        self._keys = keys
        self._audit = audit
        self._events = events

    def request(
        self,
        operation: str,
        arguments: dict[str, Any],
        preview: Preview,
        context: RequestContext,
    ) -> Approval:
        """The pending approval for a call: the one that waits already, or a new one."""
        bound = call_digest(operation, arguments, context)
        with self._database.session() as session:
            waiting = session.scalar(
                select(ApprovalRow).where(
                    ApprovalRow.digest == bound,
                    ApprovalRow.status == "pending",
                    ApprovalRow.expires > now(),
                )
            )
            if waiting is not None:
                return _approval(waiting)
            row = ApprovalRow(
                id="A" + uuid4().hex[:10],
                tenant=context.tenant,
                operation=operation,
                arguments=arguments,
                digest=bound,
                proposer=context.principal.name,
                channel=context.channel.value,
                conversation=context.conversation,
                plan=context.plan,
                step=context.step,
                preview=preview.model_dump(mode="json"),
                second_person=preview.second_person,
                status="pending",
                expires=now() + timedelta(minutes=self._settings.approval_minutes),
            )
            session.add(row)
        self._tell(row, "approval.requested", context.principal.name)
        return _approval(row)

    def get(self, approval: str, tenant: str) -> Approval:
        """One approval.

        Raises:
            NotFound: if there is none of that id.
        """
        return _approval(self._row(approval, tenant))

    def list(self, tenant: str, status: Status | None = None, limit: int = 100) -> list[Approval]:
        """The newest approvals, newest first."""
        self._expire(tenant)
        query = select(ApprovalRow).where(ApprovalRow.tenant == tenant)
        if status is not None:
            query = query.where(ApprovalRow.status == status)
        with self._database.session() as session:
            rows = session.scalars(query.order_by(ApprovalRow.created.desc()).limit(limit)).all()
        return [_approval(r) for r in rows]

    def grant(self, approval: str, principal: Principal, confirm: str | None = None) -> Approval:
        """Approve a call. Who approves an act of their own types the approval's `confirm` text.

        Raises:
            NotFound, Conflict: if there is no such approval, or it is no longer pending.
            PolicyDenied: if this principal may not decide it.
            InvalidInput: if the confirmation does not match; nothing is granted.
        """
        row = self._pending(approval, principal)
        own = row.proposer == principal.name
        if own and row.second_person:
            raise PolicyDenied(
                f"{principal.name} proposed this and may not approve it: a second person must.",
                hint=f"Somebody else with the approver role runs `pilothouse approvals grant {row.id}`.",
            )
        if own and (confirm or "").strip() != _confirm(row):
            raise InvalidInput(
                f"To approve your own act, type exactly {_confirm(row)!r}; nothing was granted.",
                hint=f"`pilothouse approvals grant {row.id}` asks for it.",
            )
        seal = self._seal(row, principal.name, own)
        self._decide(
            row, "granted", principal.name, {"seal": seal, "self_approved": own}, reason=None
        )
        return self.get(row.id, row.tenant)

    def deny(self, approval: str, principal: Principal, reason: str = "") -> Approval:
        """Refuse a call; the proposer may always withdraw their own."""
        row = self._pending(approval, principal, own_suffices=True)
        self._decide(row, "denied", principal.name, {}, reason=reason or None)
        return self.get(row.id, row.tenant)

    def revoke(self, approval: str, principal: Principal) -> Approval:
        """Take back a grant that has not been used yet.

        Raises:
            Conflict: if it was used, or never granted.
        """
        row = self._row(approval, principal.tenant)
        if not may_approve(principal):
            raise PolicyDenied(f"{principal.name} may not decide approvals.")
        if row.status != "granted":
            raise Conflict(f"Approval {row.id} is {row.status}; only an unused grant is revoked.")
        self._decide(row, "revoked", principal.name, {}, reason=None, expected="granted")
        return self.get(row.id, row.tenant)

    def find_grant(
        self,
        approval: str | None,
        operation: str,
        arguments: dict[str, Any],
        context: RequestContext,
    ) -> Approval | None:
        """The grant for exactly this call, checked; None if nobody has granted it yet.

        Args:
            approval: an approval's id, when the caller names one.

        Raises:
            ApprovalInvalid: if the named approval does not fit this call, or was tampered with.
        """
        bound = call_digest(operation, arguments, context)
        if approval is None:
            query = select(ApprovalRow).where(
                ApprovalRow.digest == bound, ApprovalRow.status == "granted"
            )
            with self._database.session() as session:
                rows = session.scalars(query.order_by(ApprovalRow.decided.desc())).all()
            fitting = [r for r in rows if r.expires > now() and self._genuine(r)]
            return _approval(fitting[0]) if fitting else None
        try:
            row = self._row(approval, context.tenant)
        except NotFound as error:
            raise ApprovalInvalid(f"There is no approval {approval!r}.") from error
        if row.status == "pending" and row.expires > now() and row.digest == bound:
            return None
        self._require_fit(row, bound)
        return _approval(row)

    def consume(self, approval: Approval) -> None:
        """Use a grant up, atomically; only one call ever gets it.

        Raises:
            ApprovalInvalid: if another call was faster.
        """
        with self._database.session() as session:
            done = cast(
                "CursorResult[Any]",
                session.execute(
                    update(ApprovalRow)
                    .where(ApprovalRow.id == approval.id, ApprovalRow.status == "granted")
                    .values(status="used")
                ),
            )
        if done.rowcount != 1:
            raise ApprovalInvalid(f"Approval {approval.id} was used already.")

    def _require_fit(self, row: ApprovalRow, bound: str) -> None:
        if row.digest != bound:
            raise ApprovalInvalid(
                f"Approval {row.id} was given for another call: {row.operation} {row.arguments}.",
                hint="Ask for a new approval with these arguments.",
            )
        if row.status != "granted":
            why = f": {row.reason}" if row.reason else ""
            raise ApprovalInvalid(f"Approval {row.id} is {row.status}{why}; nothing was done.")
        if row.expires <= now():
            raise ApprovalInvalid(f"Approval {row.id} expired at {row.expires:%Y-%m-%d %H:%M} UTC.")
        if not self._genuine(row):
            raise ApprovalInvalid(f"Approval {row.id} does not bear this home's seal.")

    def _seal(self, row: ApprovalRow, by: str, own: bool) -> str:
        parts = (row.id, row.digest, by, str(own), str(row.second_person), row.expires.isoformat())
        return self._keys.seal("approval", *parts)

    def _genuine(self, row: ApprovalRow) -> bool:
        if row.decided_by is None or (row.second_person and row.decided_by == row.proposer):
            return False
        expected = self._seal(row, row.decided_by, row.self_approved)
        return row.seal is not None and row.seal == expected

    def _row(self, approval: str, tenant: str) -> ApprovalRow:
        self._expire(tenant)
        with self._database.session() as session:
            row = session.get(ApprovalRow, approval.strip())
        if row is None or row.tenant != tenant:
            raise NotFound(
                f"There is no approval {approval!r}.",
                hint="`pilothouse approvals list` shows them.",
            )
        return row

    def _pending(
        self, approval: str, principal: Principal, own_suffices: bool = False
    ) -> ApprovalRow:
        row = self._row(approval, principal.tenant)
        if not may_approve(principal) and not (own_suffices and row.proposer == principal.name):
            raise PolicyDenied(
                f"{principal.name} may not decide approvals.", hint="It needs the role approver."
            )
        if row.status != "pending":
            raise Conflict(f"Approval {row.id} is {row.status}, not pending.")
        return row

    def _decide(
        self,
        row: ApprovalRow,
        status: Status,
        by: str,
        extra: dict[str, Any],
        *,
        reason: str | None,
        expected: Status = "pending",
    ) -> None:
        values = {"status": status, "decided": now(), "decided_by": by, "reason": reason, **extra}
        self._audit.append(
            row.tenant,
            {
                "event": f"approval.{status}",
                "approval": row.id,
                "principal": by,
                "operation": row.operation,
                "arguments": row.arguments,
                "proposer": row.proposer,
                "reason": reason,
            },
        )
        with self._database.session() as session:
            done = cast(
                "CursorResult[Any]",
                session.execute(
                    update(ApprovalRow)
                    .where(ApprovalRow.id == row.id, ApprovalRow.status == expected)
                    .values(**values)
                ),
            )
        if done.rowcount != 1:
            raise Conflict(f"Approval {row.id} was decided by somebody else meanwhile.")
        self._tell(row, f"approval.{status}", by)

    def _expire(self, tenant: str) -> None:
        with self._database.session() as session:
            session.execute(
                update(ApprovalRow)
                .where(
                    ApprovalRow.tenant == tenant,
                    ApprovalRow.status.in_(("pending", "granted")),
                    ApprovalRow.expires <= now(),
                )
                .values(status="expired")
            )

    def _tell(self, row: ApprovalRow, kind: str, by: str) -> None:
        data = {"approval": row.id, "operation": row.operation, "by": by}
        self._events.publish("approvals", kind, data, row.tenant)
        if row.conversation:
            self._events.publish(f"conversation:{row.conversation}", kind, data, row.tenant)


def _confirm(row: ApprovalRow) -> str:
    return Preview.model_validate(row.preview).confirm or row.operation


def _approval(row: ApprovalRow) -> Approval:
    status = "expired" if row.status == "pending" and row.expires <= now() else row.status
    who = (
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
        status=cast("Status", status),
        created=row.created.isoformat(),
        expires=row.expires.isoformat(),
        decided_by=row.decided_by,
        self_approved=row.self_approved,
        reason=row.reason,
        confirm=_confirm(row),
        how=f"{who} with the approver role runs `pilothouse approvals grant {row.id}`",
    )
