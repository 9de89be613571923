"""Receipts: what was asked, what was done, and the evidence read back from the system."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal, cast
from uuid import uuid4

from pydantic import BaseModel, Field
from sqlalchemy import Table, insert, select, update
from sqlalchemy.orm import Session

from tools.kernel.errors import NotFound
from tools.kernel.operations import Evidence, Inverse
from tools.kernel.periods import Span
from tools.kernel.storage import Database, now
from tools.kernel.tables import JobReferenceRow, ReceiptCounterRow, ReceiptRow

COUNTER = "receipt"
# Made once: building a statement costs more than running it.
_COUNTERS = cast("Table", ReceiptCounterRow.__table__)
_INSERT = insert(cast("Table", ReceiptRow.__table__))
_FIRST = insert(_COUNTERS)
_BUMP = (
    update(_COUNTERS)
    .where(_COUNTERS.c.name == COUNTER)
    .values(value=_COUNTERS.c.value + 1)
    .returning(_COUNTERS.c.value)
)

ReceiptStatus = Literal["done", "started", "failed", "cancelled"]


class Receipt(BaseModel):
    """The proof of one call; every "done" that a person reads is rendered from one.

    Attributes:
        id: unique.
        number: what people call it by: 12 is shown as R12.
        says: one sentence on what was done or found.
        evidence: facts read back after the act; empty for reads, whose result is the fact.
        result: the operation's output, secrets masked.
        seconds: how long the call, or the job, took.
        cost: money, from the configured hourly rate for jobs.
        audit: the sequence number of its audit record.
        approval: the approval that was used, if one was needed.
        undo: the call that undoes it, if there is one.
        job: the job that it started or that it completes.
        undone_by: the receipt of its undoing.
    """

    id: str = Field(default_factory=lambda: uuid4().hex[:16])
    number: int = 0
    operation: str
    effect: str
    arguments: dict[str, Any]
    principal: str
    tenant: str
    channel: str
    conversation: str | None = None
    plan: str | None = None
    step: str | None = None
    status: ReceiptStatus = "done"
    says: str = ""
    evidence: list[Evidence] = Field(default_factory=list[Evidence])
    result: dict[str, Any] = Field(default_factory=dict[str, Any])
    error: dict[str, Any] | None = None
    seconds: float = 0.0
    cost: float = 0.0
    audit: int = 0
    approval: str | None = None
    self_approved: bool = False
    undo: Inverse | None = None
    job: int | None = None
    undone_by: str | None = None
    created: datetime = Field(default_factory=now)

    @property
    def name(self) -> str:
        """How people call it: `R12`."""
        return f"R{self.number}"


class Receipts:
    """Store and find receipts; one is never changed, save that its undoing is noted on it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, receipt: Receipt, session: Session) -> Receipt:
        """Store a receipt under the next number, within a `Database.writing` session.

        The second completion of a job returns the receipt of the first.
        """
        known = self.completion(receipt, session)
        if known is not None:
            return known
        numbered = receipt.model_copy(update={"number": _next_number(session)})
        session.connection().execute(_INSERT, _columns(numbered))
        if numbered.job is not None and numbered.status != "started":
            session.add(JobReferenceRow(job=numbered.job, receipt=numbered.id))
        return numbered

    @staticmethod
    def completion(receipt: Receipt, session: Session) -> Receipt | None:
        """The receipt that has completed this receipt's job already, if one has."""
        if receipt.job is None or receipt.status == "started":
            return None
        reference = session.get(JobReferenceRow, receipt.job)
        row = session.get(ReceiptRow, reference.receipt) if reference else None
        return _receipt(row) if row else None

    def get(self, reference: str | int, tenant: str) -> Receipt:
        """A receipt by id, number, or `R` and number.

        Raises:
            NotFound: if there is none.
        """
        text = str(reference).strip()
        query = select(ReceiptRow).where(ReceiptRow.tenant == tenant)
        digits = text[1:] if text[:1] in "Rr" else text
        if digits.isdecimal() and len(digits) < 10:
            query = query.where(ReceiptRow.number == int(digits))
        else:
            query = query.where(ReceiptRow.id == text)
        row: ReceiptRow | None = None
        if text.isascii():
            with self._database.session() as session:
                row = session.scalar(query)
        if row is None:
            raise NotFound(
                f"There is no receipt {text[:40]!r}.", hint="`pilothouse receipts` lists them."
            )
        return _receipt(row)

    def list(
        self,
        tenant: str,
        *,
        conversation: str | None = None,
        principal: str | None = None,
        operation: str | None = None,
        job: int | None = None,
        status: str | None = None,
        span: Span | None = None,
        effects: tuple[str, ...] = (),
        before: int | None = None,
        limit: int = 100,
    ) -> list[Receipt]:
        """The newest receipts that match, newest first; with `before`, those numbered lower."""
        query = select(ReceiptRow).where(ReceiptRow.tenant == tenant, *ReceiptRow.made_within(span))
        if status is not None:
            query = query.where(ReceiptRow.status == status)
        if conversation is not None:
            query = query.where(ReceiptRow.conversation == conversation)
        if principal is not None:
            query = query.where(ReceiptRow.principal == principal)
        if operation is not None:
            query = query.where(ReceiptRow.operation == operation)
        if job is not None:
            query = query.where(ReceiptRow.job == job)
        if before is not None:
            query = query.where(ReceiptRow.number < before)
        if effects:
            query = query.where(ReceiptRow.effect.in_(effects))
        with self._database.session() as session:
            rows = session.scalars(query.order_by(ReceiptRow.number.desc()).limit(limit)).all()
        return [_receipt(r) for r in rows]

    def for_job(self, job: int) -> Receipt | None:
        """The receipt that completed a job, or None while it runs."""
        with self._database.session() as session:
            reference = session.get(JobReferenceRow, job)
            row = session.get(ReceiptRow, reference.receipt) if reference else None
        return _receipt(row) if row else None

    def of_jobs(self, jobs: Sequence[int], tenant: str) -> Sequence[Receipt]:
        """All receipts of these jobs, newest first."""
        query = select(ReceiptRow).where(ReceiptRow.tenant == tenant, ReceiptRow.job.in_(jobs))
        with self._database.session() as session:
            rows = session.scalars(query.order_by(ReceiptRow.number.desc())).all()
        return [_receipt(r) for r in rows]

    def mark_undone(self, receipt: str, by: str) -> None:
        """Note which receipt's act undid this one."""
        with self._database.session() as session:
            session.execute(update(ReceiptRow).where(ReceiptRow.id == receipt).values(undone_by=by))

    @staticmethod
    def settle_undoing(started: str, completed: Receipt, session: Session) -> None:
        """After a job that was to undo something: note its end, or that nothing was undone."""
        by = completed.id if completed.status == "done" else None
        session.execute(
            update(ReceiptRow).where(ReceiptRow.undone_by == started).values(undone_by=by)
        )


def _next_number(session: Session) -> int:
    connection = session.connection()
    number = connection.execute(_BUMP).scalar()
    if number is None:
        number = 1
        connection.execute(_FIRST, {"name": COUNTER, "value": number})
    return int(number)


def _columns(receipt: Receipt) -> dict[str, Any]:
    shared = ("id", "tenant", "created", "number", "operation", "effect", "principal")
    return {
        **{name: getattr(receipt, name) for name in (*shared, "conversation", "job", "status")},
        "body": receipt.model_dump(mode="json", exclude={"undone_by"}),
    }


def _receipt(row: ReceiptRow) -> Receipt:
    return Receipt.model_validate({**row.body, "undone_by": row.undone_by})
