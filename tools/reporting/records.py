"""The records that reports are computed from, gathered once for a report.

Owns the reading of the kernel's tables and of the other domains; computes nothing. A domain whose
tables are not there yet gives no records.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import inspect, select

from tools.kernel.audit import AuditVerdict
from tools.kernel.periods import Span
from tools.kernel.receipts import Receipt
from tools.kernel.tables import ApprovalRow, AuditRow, JobRow, UsageRow

if TYPE_CHECKING:
    from tools.devices.types import DeviceDetail
    from tools.evaluation.drift_types import DriftReport
    from tools.kernel.kernel import Kernel
    from tools.registry.types import ModelVersionDetails

MOST = 100_000
TRAININGS = ("training.start", "training.tune")


@dataclass(frozen=True, slots=True)
class Job:
    """A job: `seconds` of compute, None while it has not ended."""

    id: int
    operation: str
    status: str
    created: datetime
    seconds: float | None
    result: dict[str, Any]
    error: str | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """A stored evaluation result."""

    id: int
    model: str
    version: int | None
    training_job: int | None
    run_id: str | None
    dataset: str
    created: datetime
    body: dict[str, Any]

    @property
    def name(self) -> str:
        """The model as people call it."""
        return f"{self.model} v{self.version}" if self.version is not None else self.model

    @property
    def source(self) -> list[str]:
        """The records it stands for."""
        return [f"evaluation {self.id}", *([f"run {self.run_id[:8]}"] if self.run_id else [])]


@dataclass(frozen=True, slots=True)
class Rollout:
    """A rollout or A/B test, with how many devices it was for and how many it changed."""

    id: int
    group: str
    model: str
    version: int
    strategy: str
    state: str
    paused: bool
    reason: str | None
    created: datetime
    devices: int
    touched: int


@dataclass(frozen=True, slots=True)
class Records:
    """All that a report may look at.

    Jobs, receipts, approvals, evaluations, rollouts, refusals and usage lie within the period;
    drift, versions, devices, groups, `served_by` and the audit's verdict are as they are now.
    """

    span: Span
    jobs: Sequence[Job] = ()
    receipts: Sequence[Receipt] = ()
    approvals: Sequence[ApprovalRow] = ()
    evaluations: Sequence[Evaluation] = ()
    all_evaluations: Sequence[Evaluation] = ()
    drift: Sequence[DriftReport] = ()
    rollouts: Sequence[Rollout] = ()
    refusals: Sequence[int] = ()
    tokens: Sequence[tuple[int, float]] = ()
    versions: Sequence[ModelVersionDetails] = ()
    devices: Sequence[DeviceDetail] = ()
    groups: dict[str, bool] = field(default_factory=dict[str, bool])
    audit: AuditVerdict = field(default_factory=lambda: AuditVerdict(0, True))

    @property
    def empty(self) -> bool:
        """True if nothing was done, and nothing is there."""
        acted = self.jobs or self.receipts or self.approvals or self.rollouts or self.evaluations
        return not (acted or self.devices or self.versions)


def gather(kernel: Kernel, tenant: str, span: Span) -> Records:
    """Read everything that lies within the period, and what stands now."""
    reader = _Reader(kernel, tenant, span)
    evaluations = reader.evaluations()
    return Records(
        span=span,
        jobs=reader.jobs(),
        receipts=reader.receipts(),
        approvals=reader.approvals(),
        evaluations=[e for e in evaluations if span.holds(e.created)],
        all_evaluations=evaluations,
        drift=reader.drift(),
        rollouts=reader.rollouts(),
        refusals=reader.refusals(),
        tokens=reader.tokens(),
        versions=reader.versions(),
        devices=reader.devices(),
        groups=reader.groups(),
        audit=kernel.audit.verify(),
    )


class _Reader:
    def __init__(self, kernel: Kernel, tenant: str, span: Span) -> None:
        self.kernel = kernel
        self.tenant = tenant
        self.span = span
        self.tables = set(inspect(kernel.database.engine).get_table_names())

    def rows(self, table: type[Any]) -> list[Any]:
        """All rows of the tenant, oldest first; none if the table is not there."""
        if table.__tablename__ not in self.tables:
            return []
        key = table.__mapper__.primary_key[0]
        query = select(table).where(table.tenant == self.tenant).order_by(key)
        with self.kernel.database.session() as session:
            return list(session.scalars(query.limit(MOST)))

    def within(self, table: type[Any]) -> list[Any]:
        return [row for row in self.rows(table) if self.span.holds(row.created)]

    def jobs(self) -> list[Job]:
        return [
            Job(
                row.id,
                row.operation,
                row.status,
                row.created,
                (row.ended - row.started).total_seconds() if row.ended and row.started else None,
                row.result or {},
                (row.error or {}).get("message"),
            )
            for row in self.within(JobRow)
        ]

    def receipts(self) -> list[Receipt]:
        acts = self.kernel.receipts.list(self.tenant, effects=("write", "dangerous"), limit=MOST)
        return [r for r in reversed(acts) if self.span.holds(r.created)]

    def approvals(self) -> list[ApprovalRow]:
        self.kernel.approvals.list(self.tenant, None, 1)  # marks those as expired that are
        found: list[ApprovalRow] = self.within(ApprovalRow)
        return sorted(found, key=lambda row: row.created)

    def evaluations(self) -> list[Evaluation]:
        from tools.evaluation.tables import EvaluationRow

        return [
            Evaluation(
                row.id,
                row.model,
                row.version,
                row.training_job,
                row.run_id,
                row.dataset,
                row.created,
                row.body,
            )
            for row in self.rows(EvaluationRow)
        ]

    def drift(self) -> list[DriftReport]:
        """The newest drift report of each version in use."""
        from tools.evaluation.drift_types import DriftReport
        from tools.evaluation.tables import ReportRow

        used = {(v.model, v.version) for v in self.versions() if v.aliases}
        newest = {
            (row.model, row.version): DriftReport.model_validate(row.body)
            for row in self.rows(ReportRow)
            if row.kind == "drift"
        }
        return [report for key, report in newest.items() if key in used]

    def rollouts(self) -> list[Rollout]:
        from tools.deployment.tables import RolloutRow, TargetRow

        targets: dict[int, list[bool]] = {}
        for target in self.rows(TargetRow):
            targets.setdefault(target.rollout, []).append(target.touched)
        return [
            Rollout(
                row.id,
                row.group,
                row.model,
                row.version,
                row.strategy,
                row.state,
                row.paused,
                row.reason,
                row.created,
                len(targets.get(row.id, [])),
                sum(targets.get(row.id, [])),
            )
            for row in self.within(RolloutRow)
        ]

    def refusals(self) -> list[int]:
        query = select(AuditRow.sequence, AuditRow.at).where(
            AuditRow.tenant == self.tenant, AuditRow.body.contains('"call.refused"')
        )
        with self.kernel.database.session() as session:
            found = session.execute(query.order_by(AuditRow.sequence).limit(MOST))
            return [r.sequence for r in found if self.span.holds(datetime.fromisoformat(r.at))]

    def tokens(self) -> list[tuple[int, float]]:
        return [(r.id, r.amount) for r in self.within(UsageRow) if r.what.startswith("token")]

    def versions(self) -> list[ModelVersionDetails]:
        query = select(JobRow.id).where(
            JobRow.tenant == self.tenant,
            JobRow.operation.in_(TRAININGS),
            JobRow.status == "done",
        )
        with self.kernel.database.session() as session:
            if session.scalars(query.limit(1)).first() is None:
                return []  # every version comes from a training
        from tools.registry.service import RegistryService

        registry = self.kernel.get(RegistryService)
        return [
            version
            for model in registry.list(self.tenant).models
            for version in registry.describe(model.model, None, self.tenant).versions
        ]

    def devices(self) -> list[DeviceDetail]:
        from tools.devices.service import DeviceService
        from tools.devices.tables import DeviceRow

        service = self.kernel.get(DeviceService)
        names = [row.name for row in self.rows(DeviceRow) if row.retired is None]
        return [service.describe(self.tenant, name) for name in names]

    def groups(self) -> dict[str, bool]:
        from tools.devices.tables import GroupRow

        return {row.name: row.protected for row in self.rows(GroupRow)}
