"""The kernel's records as the operations answer them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.platform.types import ApprovalInfo, AuditEntry, JobInfo, ReceiptInfo

if TYPE_CHECKING:
    from tools.kernel.approvals import Approval
    from tools.kernel.audit import AuditRecord
    from tools.kernel.receipts import Receipt
    from tools.kernel.tables import JobRow


def approval_view(approval: Approval) -> ApprovalInfo:
    """An approval as people see it."""
    return ApprovalInfo.model_validate(
        {
            "id": approval.id,
            "operation": approval.operation,
            "summary": approval.preview.summary,
            "arguments": approval.arguments,
            "status": approval.status,
            "proposer": approval.proposer,
            "second_person": approval.second_person,
            "how": approval.how,
            "created": approval.created,
            "expires": approval.expires,
            "decided_by": approval.decided_by,
            "self_approved": approval.self_approved,
            "reason": approval.reason,
        }
    )


def entry_view(record: AuditRecord) -> AuditEntry:
    """An audit record in a line."""
    body = record.body
    known = ("receipt", "approval", "error", "job")
    return AuditEntry(
        sequence=record.sequence,
        at=record.at,
        event=str(body.get("event", "")),
        operation=body.get("operation"),
        principal=body.get("principal"),
        detail=", ".join(f"{key} {body[key]}" for key in known if body.get(key)),
        hash=record.hash,
    )


def job_view(row: JobRow) -> JobInfo:
    """A job as people see it."""
    error = row.error or {}
    return JobInfo(
        job=row.id,
        operation=row.operation,
        status=row.status,
        progress=row.progress,
        message=row.message,
        principal=row.context.get("principal"),
        error=error.get("message"),
        created=row.created,
        started=row.started,
        ended=row.ended,
    )


def receipt_view(receipt: Receipt) -> ReceiptInfo:
    """A receipt in a line."""
    return ReceiptInfo(
        number=receipt.name,
        id=receipt.id,
        operation=receipt.operation,
        effect=receipt.effect,
        status=receipt.status,
        principal=receipt.principal,
        says=receipt.says,
        evidence=len(receipt.evidence),
        undoable=receipt.undo is not None and receipt.undone_by is None,
        job=receipt.job,
        created=receipt.created,
    )
