"""Approvals: a person's decision on one exact call, kept by the server, used once.

A grant is bound to the digest of operation, canonical arguments, proposer, tenant, plan and step.
Requests and grants are sealed with the home's key, and a use is noted in the audit: neither a
model's words nor a changed database row can stand in for a decision, change what was decided on,
or use it twice. A grant can be given through any door, and expires.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from tools.kernel.approval_records import (
    Approval,
    Asked,
    Status,
    approvers_of,
    bound_digest,
    call_digest,
    confirmation,
    grant_seal,
    refuse_unnamed,
    request_seal,
    shown,
    standing,
    stands,
)
from tools.kernel.audit import Audit
from tools.kernel.errors import ApprovalInvalid, Conflict, NotConfirmed, NotFound, PolicyDenied
from tools.kernel.events import Events
from tools.kernel.identity import Principal, RequestContext
from tools.kernel.keys import Keys
from tools.kernel.operations import Preview
from tools.kernel.policy import may_approve, may_decide
from tools.kernel.settings import Settings
from tools.kernel.storage import Database, now
from tools.kernel.tables import ApprovalRow


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
        with self._database.writing() as session:
            query = select(ApprovalRow).where(
                ApprovalRow.digest == bound,
                ApprovalRow.second_person == preview.second_person,
                stands("pending"),
            )
            for waiting in session.scalars(query):
                same = approvers_of(waiting) == preview.approvers
                if same and waiting.seal == request_seal(self._keys, waiting):
                    return shown(waiting)
            row = self._new(operation, arguments, preview, context, bound)
            session.add(row)
            self._tell(session, row, "approval.requested", context.principal.name)
        self._events.wake()
        return shown(row)

    def _new(
        self,
        operation: str,
        arguments: dict[str, Any],
        preview: Preview,
        context: RequestContext,
        bound: str,
    ) -> ApprovalRow:
        row = ApprovalRow(
            id="A" + uuid4().hex[:10],
            tenant=context.tenant,
            created=now(),
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
            self_approved=False,
            status="pending",
            expires=now() + timedelta(minutes=self._settings.approval_minutes),
        )
        row.seal = request_seal(self._keys, row)
        return row

    def get(self, approval: str, tenant: str) -> Approval:
        """One approval.

        Raises:
            NotFound: if there is none of that id.
        """
        return shown(self._row(approval, tenant))

    def list(
        self, tenant: str, status: Status | None = None, limit: int = 100, skip: int = 0
    ) -> list[Approval]:
        """The newest approvals after the first `skip` ones, newest first."""
        query = select(ApprovalRow).where(ApprovalRow.tenant == tenant)
        if status is not None:
            query = query.where(stands(status))
        query = query.order_by(ApprovalRow.created.desc(), ApprovalRow.id)
        with self._database.session() as session:
            rows = session.scalars(query.offset(skip).limit(limit)).all()
        return [shown(r) for r in rows]

    def many(self, approvals: Sequence[str], tenant: str) -> Sequence[Approval]:
        """Those of these approvals that there are, in no order."""
        query = select(ApprovalRow).where(
            ApprovalRow.tenant == tenant, ApprovalRow.id.in_(approvals)
        )
        with self._database.session() as session:
            return [shown(row) for row in session.scalars(query)]

    def grant(self, approval: str, principal: Principal, confirm: str | None = None) -> Approval:
        """Approve a call. Who approves an act of their own types the approval's `confirm` text.

        Raises:
            NotFound, Conflict: if there is no such approval, or it is no longer pending.
            PolicyDenied: if this principal may not decide it.
            ApprovalInvalid: if the request was not made by this platform, or altered since.
            NotConfirmed: if the confirmation does not match; nothing is granted.
        """
        row = self._pending(approval, principal)
        if row.seal != request_seal(self._keys, row) or row.digest != bound_digest(row):
            raise ApprovalInvalid(f"Request {row.id} does not bear this home's seal.")
        refuse_unnamed(row, principal)
        own = row.proposer == principal.name
        if own and row.second_person:
            raise PolicyDenied(
                f"{principal.name} proposed this and may not approve it: a second person must.",
                hint="Somebody else with the approver role runs"
                f" `pilothouse approvals grant {row.id}`.",
            )
        if own and (confirm or "").strip() != confirmation(row):
            raise NotConfirmed(
                f"To approve your own act, type exactly {confirmation(row)!r};"
                " nothing was granted.",
                hint=f"`pilothouse approvals grant {row.id}` asks for it.",
            )
        seal = grant_seal(self._keys, row, principal.name, own)
        return self._decide(row, "granted", principal.name, seal=seal, self_approved=own)

    def deny(self, approval: str, principal: Principal, reason: str = "") -> Approval:
        """Refuse a call; the proposer may always withdraw their own."""
        row = self._pending(approval, principal, own_suffices=True)
        return self._decide(row, "denied", principal.name, reason=reason or None, seal=None)

    def revoke(self, approval: str, principal: Principal) -> Approval:
        """Take back a grant that has not been used yet; the proposer may withdraw their own.

        Raises:
            Conflict: if it was used, or never granted.
        """
        row = self._row(approval, principal.tenant)
        own = row.proposer == principal.name and may_decide(principal)
        if not may_approve(principal) and not own:
            raise PolicyDenied(f"{principal.name} may not decide approvals.")
        if standing(row) != "granted":
            raise Conflict(
                f"Approval {row.id} is {standing(row)}; only an unused grant is revoked."
            )
        return self._decide(row, "revoked", principal.name, expected="granted", seal=None)

    def find_grant(
        self,
        approval: str | None,
        operation: str,
        arguments: dict[str, Any],
        context: RequestContext,
        *,
        second_person: bool = False,
        approvers: Sequence[Sequence[str]] = (),
    ) -> Approval | None:
        """The grant for exactly this call, checked; None if nobody has granted it yet.

        Args:
            approval: an approval's id, when the caller names one.
            operation: what is called.
            arguments: the canonical arguments.
            context: who calls, as which step of which plan.
            second_person: True if the call, as things stand now, needs another approver than
                its proposer, whatever the grant says.
            approvers: who may approve it, as things stand now; see `Preview.approvers`.

        Raises:
            ApprovalInvalid: if the named approval does not fit this call, or was tampered with.
        """
        bound, asked = call_digest(operation, arguments, context), Asked(second_person, approvers)
        if approval is None:
            return self._any_grant(bound, context, asked)
        try:
            row = self._row(str(approval), context.tenant)
        except NotFound as error:
            raise ApprovalInvalid(error.message, hint=error.hint) from error
        if standing(row) == "pending" and row.digest == bound:
            return None
        self._require_fit(row, bound, context, asked)
        return shown(row)

    def _any_grant(self, bound: str, context: RequestContext, asked: Asked) -> Approval | None:
        query = select(ApprovalRow).where(
            ApprovalRow.digest == bound, ApprovalRow.tenant == context.tenant, stands("granted")
        )
        with self._database.session() as session:
            rows = session.scalars(query.order_by(ApprovalRow.decided.desc())).all()
        for row in rows:
            if self._misfit(row, context, asked) is None:
                return shown(row)
        return None

    def consume(self, approval: Approval, session: Session) -> None:
        """Use a grant up, within the transaction that lets its call act; only one call gets it.

        Raises:
            ApprovalInvalid: if another call was faster, or it was taken back meanwhile.
        """
        used = session.execute(
            update(ApprovalRow)
            .where(ApprovalRow.id == approval.id, stands("granted"))
            .values(status="used", seal=None)
            .returning(ApprovalRow.created)
        ).first()
        since = used[0].isoformat(timespec="microseconds") if used else ""
        if used is None or self._audit.spent(session, approval.id, since):
            raise ApprovalInvalid(f"Approval {approval.id} was used already; nothing was done.")

    def _require_fit(
        self, row: ApprovalRow, bound: str, context: RequestContext, asked: Asked
    ) -> None:
        if row.digest != bound:
            raise ApprovalInvalid(
                f"Approval {row.id} was given for another call: {row.operation} {row.arguments}.",
                hint="Ask for a new approval with these arguments.",
            )
        if standing(row) == "expired":
            raise ApprovalInvalid(
                f"Approval {row.id} expired at {row.expires:%Y-%m-%d %H:%M} UTC; nothing was done."
            )
        if row.status != "granted":
            why = f": {row.reason}" if row.reason else ""
            raise ApprovalInvalid(f"Approval {row.id} is {row.status}{why}; nothing was done.")
        misfit = self._misfit(row, context, asked)
        if misfit:
            raise ApprovalInvalid(f"Approval {row.id} {misfit}; nothing was done.")

    def _misfit(self, row: ApprovalRow, context: RequestContext, asked: Asked) -> str | None:
        """Why a granted row does not let this caller act, whatever its columns say."""
        own = row.decided_by == context.principal.name
        if row.decided_by is None or row.seal is None:
            return "does not bear this home's seal"
        if row.seal != grant_seal(self._keys, row, row.decided_by, own):
            return "does not bear this home's seal"
        if own and (asked.second_person or row.second_person):
            return "was given by its proposer, but a second person must approve this"
        if approvers_of(row) != [list(entries) for entries in asked.approvers]:
            return "was asked for when other people had to approve this"
        return None

    def _row(self, approval: str, tenant: str) -> ApprovalRow:
        wanted = approval.strip()
        row: ApprovalRow | None = None
        if wanted.isascii() and wanted.isalnum():
            with self._database.session() as session:
                row = session.get(ApprovalRow, wanted)
        if row is None or row.tenant != tenant:
            raise NotFound(
                f"There is no approval {wanted[:40]!r}.",
                hint="`pilothouse approvals list` shows them.",
            )
        return row

    def _pending(
        self, approval: str, principal: Principal, own_suffices: bool = False
    ) -> ApprovalRow:
        row = self._row(approval, principal.tenant)
        own = own_suffices and row.proposer == principal.name and may_decide(principal)
        if not may_approve(principal) and not own:
            raise PolicyDenied(
                f"{principal.name} may not decide approvals.", hint="It needs the role approver."
            )
        if standing(row) != "pending":
            raise Conflict(f"Approval {row.id} is {standing(row)}, not pending.")
        return row

    def _decide(
        self,
        row: ApprovalRow,
        status: Status,
        by: str,
        *,
        expected: Status = "pending",
        reason: str | None = None,
        **extra: Any,
    ) -> Approval:
        values = {"status": status, "decided": now(), "decided_by": by, "reason": reason, **extra}
        with self._audit.writing() as ledger:
            decided = ledger.session.scalar(
                update(ApprovalRow)
                .where(ApprovalRow.id == row.id, stands(expected))
                .values(**values)
                .returning(ApprovalRow)
            )
            if decided is None:
                raise Conflict(f"Approval {row.id} was decided by somebody else meanwhile.")
            told = {"operation": row.operation, "arguments": row.arguments, "reason": reason}
            ledger.append(
                row.tenant,
                {
                    "event": f"approval.{status}",
                    "approval": row.id,
                    "principal": by,
                    "proposer": row.proposer,
                    **told,
                },
            )
            self._tell(ledger.session, row, f"approval.{status}", by)
        self._events.wake()
        return shown(decided)

    def _tell(self, session: Session, row: ApprovalRow, kind: str, by: str) -> None:
        data = {"approval": row.id, "operation": row.operation, "by": by}
        self._events.add(session, "approvals", kind, data, row.tenant)
        if row.conversation:
            topic = f"conversation:{row.conversation}"
            self._events.add(session, topic, kind, data, row.tenant)


__all__ = ["Approval", "Approvals", "Status", "call_digest"]
