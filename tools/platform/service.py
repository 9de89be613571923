"""The platform's own records, as people see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import select

from tools.kernel.entities import EntityKind, EntityName
from tools.kernel.errors import Conflict, NotFound, PolicyDenied
from tools.kernel.identity import RequestContext
from tools.kernel.operations import Change, Effect, Evidence, Preview
from tools.kernel.periods import parse_period
from tools.kernel.policy import authorise
from tools.kernel.storage import now
from tools.kernel.undo import check_undoable, last_undoable, undo
from tools.platform.help import write_help
from tools.platform.types import (
    ApprovalList,
    ApprovalStatus,
    AuditArgs,
    AuditView,
    HelpText,
    Identity,
    JobCancelled,
    JobInfo,
    JobList,
    JobsArgs,
    ReceiptList,
    ReceiptsArgs,
    UndoResult,
)
from tools.platform.views import approval_view, entry_view, job_view, receipt_view

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel
    from tools.kernel.receipts import Receipt
    from tools.kernel.tables import JobRow

OPEN = ("running", "queued")
MOST_NAMES = 5_000
CANCEL_SECONDS = 8.0
"""How long `cancel_job` waits for the job to have stopped before it answers."""


class PlatformService:
    """Reads the kernel's records and changes its jobs; safe to use from several threads."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def help(self, topic: str | None) -> HelpText:
        """What can be said, on a topic or in all."""
        return write_help(self._kernel.operations, topic)

    def whoami(self, context: RequestContext) -> Identity:
        """Who asks, and the scopes in which at least one operation is allowed."""
        principal = context.principal
        scopes: set[str] = set()
        for operation in self._kernel.operations:
            if operation.hidden:
                continue
            try:
                authorise(principal, operation.name, operation.scope, channel=context.channel)
            except PolicyDenied:
                continue
            scopes.add(operation.scope)
        return Identity(
            name=principal.name,
            tenant=principal.tenant,
            roles=sorted(r.value for r in principal.roles),
            scopes=sorted(scopes),
            channel=context.channel.value,
            local=principal == self._kernel.principals.local(),
        )

    def approvals(self, tenant: str, status: ApprovalStatus | None, limit: int) -> ApprovalList:
        """Approvals, newest first; those that were granted also once they have been used."""
        found = self._kernel.approvals.list(tenant, status, limit)
        if status == "granted":
            used = self._kernel.approvals.list(tenant, "used", limit)
            found = sorted([*found, *used], key=lambda a: a.created, reverse=True)[:limit]
        return ApprovalList(approvals=[approval_view(a) for a in found])

    def audit(self, tenant: str, args: AuditArgs) -> AuditView:
        """The newest audit records, oldest first; the chain verified if asked.

        Raises:
            InvalidInput: if the period is not understood.
            NotFound: if there is and was no such user.
        """
        span = parse_period(args.period, now())
        found = self._kernel.audit.tail(tenant, args.limit, span=span, principal=args.user)
        self._check_user(args.user, bool(found), tenant)
        entries = [entry_view(r) for r in found]
        if not args.verify:
            return AuditView(entries=entries, verified=False)
        verdict = self._kernel.audit.verify()
        return AuditView(
            entries=entries,
            verified=True,
            intact=verdict.intact,
            problem=verdict.problem,
            records=verdict.records,
        )

    def receipt_to_undo(self, receipt: str | None, context: RequestContext) -> str:
        """The receipt's name; the newest act's that can be undone if none is given.

        Raises:
            NotFound: there is no such receipt, or nothing to undo.
        """
        if receipt is not None:
            return self._kernel.receipts.get(receipt, context.tenant).name
        return last_undoable(self._kernel, context).name

    def preview_undo(self, receipt: str | None, context: RequestContext) -> Preview:
        """What undoing would do.

        Raises:
            Conflict: if it cannot be undone; says why.
        """
        found = self._receipt(receipt, context)
        check_undoable(self._kernel, found, context)
        assert found.undo is not None  # noqa: S101 - check_undoable raises otherwise
        inverse = self._kernel.gate.preview(found.undo.operation, found.undo.arguments, context)
        dangerous = self._kernel.operations.get(found.undo.operation).effect is Effect.DANGEROUS
        return inverse.model_copy(
            update={
                "summary": f"Undo {found.name} ({found.operation}): {inverse.summary}",
                "changes": inverse.changes
                or [Change(what=found.undo.operation, after=cast("Any", found.undo.arguments))],
                "warnings": [
                    *inverse.warnings,
                    *(["Undoing this needs an approval of its own."] if dangerous else []),
                ],
            }
        )

    def undo(self, receipt: str | None, context: RequestContext) -> UndoResult:
        """Undo an act by its receipt.

        Raises:
            Conflict: the world has moved on since; says what.
            NeedsApproval: undoing is dangerous, and nobody has granted it yet.
        """
        found = self._receipt(receipt, context)
        outcome = undo(self._kernel, found, context)
        return UndoResult(
            receipt=found.name,
            operation=outcome.receipt.operation,
            by=outcome.receipt.name,
            says=outcome.receipt.says,
            job=outcome.job,
        )

    def undo_evidence(self, result: UndoResult, tenant: str) -> list[Evidence]:
        """That the receipt is marked undone, and what the undoing call itself read back."""
        by = self._kernel.receipts.get(result.by, tenant)
        mark = self._kernel.receipts.get(result.receipt, tenant).undone_by == by.id
        return [
            Evidence(fact=f"{result.receipt} is undone", value=mark, source="receipts"),
            *by.evidence,
        ]

    def jobs(self, tenant: str, args: JobsArgs) -> JobList:
        """Jobs, newest first.

        Raises:
            InvalidInput: if the period is not understood.
        """
        from tools.training.standing import jobs_in

        span = parse_period(args.period, now())
        rows = jobs_in(self._kernel, tenant, args.status, span=span, limit=args.limit)
        return JobList(jobs=[self._job_view(r) for r in rows])

    def _job_view(self, row: JobRow) -> JobInfo:
        from tools.training.standing import standing

        return job_view(row).model_copy(update={"status": standing(self._kernel.settings, row)})

    def job_to_cancel(self, tenant: str, job: int | None) -> int:
        """The job meant; the only open one when none is given.

        Raises:
            NotFound: if no job is open.
            Conflict: if several are.
        """
        if job is not None:
            return self._kernel.jobs.get(job, tenant).id
        rows = [r for s in OPEN for r in self._kernel.jobs.list(tenant, status=s)]
        if not rows:
            raise NotFound("No job is running.")
        if len(rows) > 1:
            told = ", ".join(f"{r.id} ({r.operation})" for r in rows[:5])
            raise Conflict(f"{len(rows)} jobs are open: {told}.", hint="Say which one.")
        return rows[0].id

    def preview_cancel(self, tenant: str, job: int | None) -> Preview:
        """What cancelling would stop.

        Raises:
            Conflict: if the job has ended already.
        """
        row = self._kernel.jobs.get(self.job_to_cancel(tenant, job), tenant)
        if row.status not in OPEN:
            raise Conflict(f"Job {row.id} is {row.status} already.")
        return Preview(
            summary=f"Stop job {row.id} ({row.operation}), which is at {row.progress:.0%}.",
            changes=[Change(what=f"job {row.id}", before=row.status, after="cancelled")],
        )

    def cancel_job(self, tenant: str, job: int | None) -> JobCancelled:
        """Stop a job, and wait a few seconds for it to have stopped."""
        number = self.job_to_cancel(tenant, job)
        before = self._kernel.jobs.cancel(number, tenant)
        row = self._kernel.jobs.wait(number, CANCEL_SECONDS, tenant)
        state = row.status if row.status not in OPEN else "cancelling"
        message = f", last {row.message!r}" if row.message else ""
        return JobCancelled(
            job=number,
            operation=row.operation,
            before=before.status,
            status=state,
            done=f"it had come to {row.progress:.0%}{message}",
        )

    def job_evidence(self, tenant: str, job: int) -> list[Evidence]:
        """The job's status, read again."""
        row = self._kernel.jobs.get(job, tenant)
        return [Evidence(fact=f"status of job {job}", value=row.status, source="jobs")]

    def receipts(self, tenant: str, args: ReceiptsArgs) -> ReceiptList:
        """Receipts, newest first; those of reads if asked, or if only theirs are wanted.

        Raises:
            InvalidInput: if the period is not understood.
            NotFound: if there is no such operation, and is and was no such user.
        """
        wanted = self._kernel.operations.get(args.operation) if args.operation else None
        all_effects = args.reads or (wanted is not None and wanted.effect is Effect.READ)
        found = self._kernel.receipts.list(
            tenant,
            operation=wanted.name if wanted else None,
            principal=args.user,
            status=args.status,
            span=parse_period(args.period, now()),
            effects=() if all_effects else ("write", "dangerous"),
            limit=args.limit,
        )
        self._check_user(args.user, bool(found), tenant)
        return ReceiptList(receipts=[receipt_view(r) for r in found])

    def _check_user(self, user: str | None, acted: bool, tenant: str) -> None:
        """Refuse a name that nobody has or had; who was removed is known by what they did.

        Raises:
            NotFound: with the nearest names.
        """
        if user is not None and not acted:
            self._kernel.catalogue.resolve(EntityKind.USER, user, tenant)

    def job_names(self, tenant: str) -> list[EntityName]:
        """Every job by its number, of its operation, with its status."""
        from tools.kernel.tables import JobRow

        query = select(JobRow.id, JobRow.operation, JobRow.arguments, JobRow.status)
        query = query.where(JobRow.tenant == tenant)
        with self._kernel.database.session() as session:
            jobs = session.execute(query.order_by(JobRow.id.desc()).limit(MOST_NAMES)).all()
        return [
            EntityName(str(n), (f"job {n}", f"#{n}"), made_by, str(told.get("name") or ""), status)
            for n, made_by, told, status in jobs
        ]

    def receipt_names(self, tenant: str) -> list[EntityName]:
        """Every receipt as `R12`, also as `12` and by its id."""
        from tools.kernel.tables import ReceiptRow

        query = select(ReceiptRow.number, ReceiptRow.id).where(ReceiptRow.tenant == tenant)
        with self._kernel.database.session() as session:
            found = session.execute(query.order_by(ReceiptRow.number.desc()).limit(MOST_NAMES))
            pairs = [(r.number, r.id) for r in found]
        return [EntityName(f"R{n}", (str(n), f"receipt {n}", key)) for n, key in pairs]

    def approval_names(self, tenant: str) -> list[EntityName]:
        """Every approval by its id."""
        return [EntityName(a.id) for a in self._kernel.approvals.list(tenant, None, MOST_NAMES)]

    def _receipt(self, receipt: str | None, context: RequestContext) -> Receipt:
        name = self.receipt_to_undo(receipt, context)
        return self._kernel.receipts.get(name, context.tenant)
