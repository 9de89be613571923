"""The end of a job: its second receipt, its row, its cost and its event, all in one transaction.

A job that ends twice (a crash between its end and the engine's note of it) ends as the first time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from sqlalchemy.orm import Session

from tools.kernel.budget import Budget
from tools.kernel.errors import Cancelled, NotFound, PilothouseError
from tools.kernel.identity import RequestContext
from tools.kernel.jobs import OPEN, unpack_context
from tools.kernel.operations import Call, Effect, Operation
from tools.kernel.proof import file_receipt, prove
from tools.kernel.receipts import Receipt, ReceiptStatus
from tools.kernel.storage import now
from tools.kernel.tables import JobRow

if TYPE_CHECKING:
    from tools.kernel.audit import Ledger
    from tools.kernel.kernel import Kernel


def complete(
    kernel: Kernel, row: JobRow, args: Any, result: BaseModel, call: Call, worked: float
) -> None:
    """End a job whose operation has returned, with the evidence read back from the system."""
    receipt = prove(call.operation, args, result, call, _receipt(kernel, row, "done"))
    settle(kernel, receipt, worked)


def fail(
    kernel: Kernel, row: JobRow, status: ReceiptStatus, error: PilothouseError, worked: float = 0.0
) -> None:
    """End a job that was cancelled or has failed."""
    told = {"says": str(error), "error": error.as_dict()}
    settle(kernel, _receipt(kernel, row, status).model_copy(update=told), worked)


def end_queued(kernel: Kernel, job: int) -> bool:
    """Cancel a job that has not begun; False if it has meanwhile."""
    with kernel.database.session() as session:
        row = session.get_one(JobRow, job)
    error = Cancelled(f"Job {job} was cancelled before it began; nothing was done.")
    told = {"says": error.message, "error": error.as_dict()}
    receipt = _receipt(kernel, row, "cancelled").model_copy(update=told)
    return settle(kernel, receipt, 0.0, only=("queued",))


def completed_before(kernel: Kernel, row: JobRow) -> bool:
    """End a job's row as the receipt says that it has already; False if it has none."""
    known = kernel.receipts.for_job(row.id)
    if known is not None:
        settle(kernel, known, 0.0)
    return known is not None


def settle(kernel: Kernel, receipt: Receipt, worked: float, only: tuple[str, ...] = OPEN) -> bool:
    """Store a job's end; False if its row was not in one of the states `only`.

    Raises:
        Unavailable: if it cannot be stored; nothing of it was.
    """
    with kernel.audit.writing() as ledger:
        row = ledger.session.get_one(JobRow, receipt.job)
        if row.status not in only:
            return False
        stored = kernel.receipts.completion(receipt, ledger.session)
        if stored is None:
            stored = _file(kernel, ledger, row, receipt, worked)
        _end(kernel, ledger.session, row, stored)
    kernel.catalogue.changed()
    kernel.events.wake()
    kernel.jobs.changed()
    kernel.timers.job_ended(int(receipt.job or 0))
    return True


def _file(kernel: Kernel, ledger: Ledger, row: JobRow, receipt: Receipt, worked: float) -> Receipt:
    ended = now()
    took = (ended - row.started).total_seconds() if row.started else 0.0
    cost = (row.seconds + worked) / 3600 * kernel.settings.hourly_rate
    figures = {"seconds": round(took, 3), "cost": round(cost, 6), "created": ended}
    stored = file_receipt(kernel, ledger, receipt.model_copy(update=figures))
    principal = unpack_context(row.context).principal
    Budget.settle(ledger.session, principal, stored.cost, f"job {row.id}")
    kernel.receipts.settle_undoing(str(row.receipt), stored, ledger.session)
    row.seconds += worked
    return stored


def _end(kernel: Kernel, session: Session, row: JobRow, receipt: Receipt) -> None:
    row.status, row.ended = receipt.status, now()
    row.result = receipt.result if receipt.status == "done" else None
    row.error = receipt.error
    if receipt.status == "done":
        row.progress = 1.0
    data = {"job": row.id, "error": row.error, "result": row.result, "receipt": receipt.id}
    kernel.events.add(session, f"job:{row.id}", f"job.{receipt.status}", data, row.tenant)


def _receipt(kernel: Kernel, row: JobRow, status: ReceiptStatus) -> Receipt:
    """A second receipt for the call that the first one tells of."""
    try:
        first = kernel.receipts.get(str(row.receipt), row.tenant)
    except NotFound:
        first = _without_first(kernel, row, unpack_context(row.context))
    kept = first.model_dump(exclude={"id", "number", "created", "undone_by", "result", "says"})
    return Receipt.model_validate({**kept, "status": status, "job": row.id})


def _without_first(kernel: Kernel, row: JobRow, context: RequestContext) -> Receipt:
    known: dict[str, Operation[Any, Any]] = {o.name: o for o in kernel.operations}
    effect = known[row.operation].effect if row.operation in known else Effect.WRITE
    return Receipt(
        operation=row.operation,
        effect=effect.value,
        arguments=row.arguments,
        principal=context.principal.name,
        tenant=context.tenant,
        channel=context.channel.value,
        conversation=context.conversation,
        plan=context.plan,
        step=context.step,
    )
