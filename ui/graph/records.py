"""The graph's records of acts: receipts, approvals and jobs."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from tools.kernel import approvals, receipts
from tools.kernel.settings import Settings
from tools.kernel.tables import JobRow
from tools.training.standing import standing
from ui.graph.limits import PAGE
from ui.graph.paging import Graph, Limit, Offset, page


@strawberry.type
class Receipt:
    """The proof of one call."""

    id: str
    number: int
    operation: str
    effect: str
    principal: str
    status: str
    says: str
    arguments: JSON
    evidence: JSON
    seconds: float
    cost: float
    created: datetime
    conversation: str | None
    undone_by: str | None
    job_number: strawberry.Private[int | None]
    approval_id: strawberry.Private[str | None]

    @classmethod
    def of(cls, found: receipts.Receipt) -> Receipt:
        """The node of a receipt."""
        return cls(
            id=found.id,
            number=found.number,
            operation=found.operation,
            effect=found.effect,
            principal=found.principal,
            status=found.status,
            says=found.says,
            arguments=JSON(found.arguments),
            evidence=JSON([e.model_dump(mode="json") for e in found.evidence]),
            seconds=found.seconds,
            cost=found.cost,
            created=found.created,
            conversation=found.conversation,
            undone_by=found.undone_by,
            job_number=found.job,
            approval_id=found.approval,
        )

    @strawberry.field
    async def job(self, info: Graph) -> Job | None:
        """The job that it started or ended."""
        return await job_of(info, self.job_number)

    @strawberry.field
    async def approval(self, info: Graph) -> Approval | None:
        """The approval that was used."""
        if self.approval_id is None:
            return None
        found = await info.context.approval.load(self.approval_id)
        return Approval.of(found) if found else None


@strawberry.type
class Approval:
    """A dangerous call that waits for, or got, a person's decision."""

    id: str
    operation: str
    arguments: JSON
    proposer: str
    status: str
    summary: str
    risk: str | None
    second_person: bool
    created: str
    expires: str
    decided_by: str | None
    reason: str | None
    conversation: str | None
    how: str

    @classmethod
    def of(cls, found: approvals.Approval) -> Approval:
        """The node of an approval."""
        return cls(
            id=found.id,
            operation=found.operation,
            arguments=JSON(found.arguments),
            proposer=found.proposer,
            status=found.status,
            summary=found.preview.summary,
            risk=found.preview.risk,
            second_person=found.second_person,
            created=found.created,
            expires=found.expires,
            decided_by=found.decided_by,
            reason=found.reason,
            conversation=found.conversation,
            how=found.how,
        )


@strawberry.type
class Job:
    """A job; a training's is the run that made a version."""

    number: int
    operation: str
    arguments: JSON
    status: str
    progress: float
    message: str
    metrics: JSON
    result: JSON | None
    error: JSON | None
    attempts: int
    principal: str | None
    conversation: str | None
    created: datetime | None
    started: datetime | None
    ended: datetime | None

    @classmethod
    def of(cls, row: JobRow, settings: Settings) -> Job:
        """The node of a job."""
        return cls(
            number=row.id,
            operation=row.operation,
            arguments=JSON(row.arguments),
            status=standing(settings, row),
            progress=row.progress,
            message=row.message,
            metrics=JSON(row.metrics),
            result=None if row.result is None else JSON(row.result),
            error=None if row.error is None else JSON(row.error),
            attempts=row.attempts,
            principal=row.context.get("principal"),
            conversation=row.context.get("conversation"),
            created=row.created,
            started=row.started,
            ended=row.ended,
        )

    @strawberry.field
    async def receipts(self, info: Graph, limit: Limit = PAGE, offset: Offset = 0) -> list[Receipt]:
        """What proves its start and its end, newest first."""
        found = await info.context.receipts_of_job.load(self.number)
        return [Receipt.of(r) for r in page(found, limit, offset)]


async def job_of(info: Graph, number: int | None) -> Job | None:
    """A job by number, if there is one."""
    row = None if number is None else await info.context.job.load(number)
    return Job.of(row, info.context.door.kernel.settings) if row else None
