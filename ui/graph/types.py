"""The graph's nodes. Each wraps what a reading operation found, and knows its neighbours."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar

import strawberry
from strawberry.scalars import JSON
from strawberry.types import Info

from tools.datasets.types import DatasetDescription, DatasetSummary
from tools.deployment.types import GroupStatus, RolloutReport
from tools.devices.types import DeviceSummary
from tools.evaluation.types import EvaluationResult
from tools.kernel import approvals, receipts
from tools.kernel.errors import InvalidInput
from tools.kernel.tables import JobRow
from tools.knowledge.types import Source
from tools.registry.types import ModelSummary, ModelVersionDetails
from ui.graph.limits import LONGEST_PAGE, PAGE
from ui.graph.loaders import Loaders

T = TypeVar("T")
MOST = 1_000_000
Graph = Info[Loaders, None]
Limit = Annotated[int, strawberry.argument(description=f"At most this many, 1 to {LONGEST_PAGE}.")]
Offset = Annotated[int, strawberry.argument(description="Leave out this many first.")]


def page(found: Sequence[T], limit: int, offset: int) -> Sequence[T]:
    """A page of a list.

    Raises:
        InvalidInput: if the limits of a page are not kept.
    """
    if not 1 <= limit <= LONGEST_PAGE or not 0 <= offset <= MOST:
        raise InvalidInput(
            f"limit is {limit} and offset {offset}.",
            hint=f"limit is 1 to {LONGEST_PAGE}, offset 0 to {MOST}.",
        )
    return found[offset : offset + limit]


async def rollouts_of(info: Graph, limit: int, offset: int, **asked: Any) -> list[Rollout]:
    """A page of rollouts, newest first."""
    page((), limit, offset)
    wanted = {k: v for k, v in asked.items() if v is not None} | {
        "limit": min(offset + limit, 1000)
    }
    found = await info.context.rollouts.load(tuple(sorted(wanted.items())))
    return [Rollout.of(r) for r in page(found, limit, offset)]


@strawberry.type
class Alias:
    """A name that points at one version of a model."""

    alias: str
    version: int


@strawberry.type
class Figure:
    """A measured value."""

    name: str
    value: float


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
    def of(cls, row: JobRow) -> Job:
        """The node of a job."""
        return cls(
            number=row.id,
            operation=row.operation,
            arguments=JSON(row.arguments),
            status=row.status,
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
    return Job.of(row) if row else None


@strawberry.type
class Dataset:
    """A version of a data set."""

    name: str
    version: int
    sha256: str
    builtin: bool
    created: datetime
    rows: int
    classes: int
    splits: JSON

    @classmethod
    def of(cls, found: DatasetSummary | DatasetDescription) -> Dataset:
        """The node of a data set."""
        described = isinstance(found, DatasetDescription)
        return cls(
            name=found.name,
            version=found.version,
            sha256=found.sha256,
            builtin=found.builtin,
            created=found.created,
            rows=found.profile.rows if described else found.rows,
            classes=len(found.profile.classes) if described else found.classes,
            splits=JSON(found.profile.splits if described else found.splits),
        )

    @strawberry.field
    async def used_by(self, info: Graph) -> list[str]:
        """What was made from it."""
        return (await info.context.dataset.load(f"{self.name}@{self.version}")).used_by


@strawberry.type
class Evaluation:
    """A model measured on rows that it was not trained on."""

    id: int
    version: int | None
    dataset: str
    split: str
    rows: int
    accuracy: float
    accuracy_low: float
    accuracy_high: float
    macro_f1: float
    job_number: strawberry.Private[int | None]

    @classmethod
    def of(cls, found: EvaluationResult) -> Evaluation:
        """The node of an evaluation."""
        shared = ("id", "version", "dataset", "split", "rows", "accuracy", "accuracy_low")
        return cls(
            **{name: getattr(found, name) for name in (*shared, "accuracy_high", "macro_f1")},
            job_number=found.job,
        )

    @strawberry.field
    async def run(self, info: Graph) -> Job | None:
        """The training whose model was measured."""
        return await job_of(info, self.job_number)


@strawberry.type
class Version:
    """A version of a model, and where it came from."""

    model_name: str
    version: int
    aliases: list[str]
    archived: bool
    base_model: str | None
    method: str | None
    labels: list[str]
    content_hash: str
    size_bytes: strawberry.Private[int]
    registered_by: str | None
    created: datetime
    run_id: str
    job_number: strawberry.Private[int | None]
    dataset_name: strawberry.Private[str | None]
    measured: strawberry.Private[dict[str, float]]

    @classmethod
    def of(cls, found: ModelVersionDetails) -> Version:
        """The node of a version."""
        shared = ("version", "aliases", "archived", "base_model", "method", "labels")
        more = ("content_hash", "size_bytes", "registered_by", "created", "run_id")
        return cls(
            **{name: getattr(found, name) for name in (*shared, *more)},
            model_name=found.model,
            job_number=found.job,
            dataset_name=found.dataset,
            measured=found.metrics,
        )

    @strawberry.field
    def size(self) -> float:
        """Bytes of the artifact."""
        return float(self.size_bytes)

    @strawberry.field
    def metrics(self) -> list[Figure]:
        """The run's last metrics."""
        return [Figure(name=name, value=value) for name, value in self.measured.items()]

    @strawberry.field
    async def run(self, info: Graph) -> Job | None:
        """The training that made it."""
        return await job_of(info, self.job_number)

    @strawberry.field
    async def dataset(self, info: Graph) -> Dataset | None:
        """What it was trained on."""
        if self.dataset_name is None:
            return None
        return Dataset.of(await info.context.dataset.load(self.dataset_name))

    @strawberry.field
    async def rollouts(self, info: Graph, limit: Limit = PAGE, offset: Offset = 0) -> list[Rollout]:
        """Where it was rolled out, newest first."""
        return await rollouts_of(info, limit, offset, model=self.model_name, version=self.version)

    @strawberry.field
    async def evaluations(
        self, info: Graph, limit: Limit = PAGE, offset: Offset = 0
    ) -> list[Evaluation]:
        """What it was measured at, newest first."""
        found = (await info.context.evaluations.load(self.model_name)).results
        own = [e for e in found if e.version == self.version]
        return [Evaluation.of(e) for e in page(own, limit, offset)]


@strawberry.type
class Model:
    """A registered model."""

    name: str
    latest: int
    version_count: int
    updated: datetime
    aliases: list[Alias]

    @classmethod
    def of(cls, found: ModelSummary) -> Model:
        """The node of a model."""
        return cls(
            name=found.model,
            latest=found.latest,
            version_count=found.versions,
            updated=found.updated,
            aliases=[Alias(alias=a, version=v) for a, v in found.aliases.items()],
        )

    @strawberry.field
    async def versions(self, info: Graph, limit: Limit = PAGE, offset: Offset = 0) -> list[Version]:
        """Its versions, newest first."""
        found = (await info.context.model.load(self.name)).versions
        return [Version.of(v) for v in page(found, limit, offset)]

    @strawberry.field
    async def rollouts(self, info: Graph, limit: Limit = PAGE, offset: Offset = 0) -> list[Rollout]:
        """Where any of its versions was rolled out, newest first."""
        return await rollouts_of(info, limit, offset, model=self.name)


@strawberry.type
class Serving:
    """A version that a device serves, or is meant to."""

    model_name: str
    number: int
    weight: int

    @strawberry.field
    async def version(self, info: Graph) -> Version | None:
        """The version."""
        return await version_of(info, self.model_name, self.number)


async def version_of(info: Graph, model: str, number: int) -> Version | None:
    """A version, if it is still registered."""
    known = {m.model for m in await info.context.everything.load("models")}
    if model not in known:
        return None
    found = (await info.context.model.load(model)).versions
    return next((Version.of(v) for v in found if v.version == number), None)


def _serving(found: Sequence[Any]) -> list[Serving]:
    return [Serving(model_name=s.model, number=s.version, weight=s.weight) for s in found]


@strawberry.type
class Device:
    """A device, as it last reported itself."""

    name: str
    group_name: str
    profile: str
    state: str
    in_step: bool
    last_report: datetime | None
    serving: list[Serving]
    desired: list[Serving]

    @classmethod
    def of(cls, found: DeviceSummary) -> Device:
        """The node of a device."""
        return cls(
            name=found.name,
            group_name=found.group,
            profile=found.profile.value,
            state=found.state.value,
            in_step=found.in_step,
            last_report=found.last_report,
            serving=_serving(found.serving),
            desired=_serving(found.desired),
        )

    @strawberry.field
    async def group(self, info: Graph) -> Group | None:
        """The group that it belongs to."""
        return await group_of(info, self.group_name)


@strawberry.type
class RolloutDevice:
    """A device of a rollout: whether the rollout changed it, and whether it confirmed that."""

    name: str
    touched: bool
    confirmed: bool
    state: str
    error: str | None
    form: str | None

    @strawberry.field
    async def device(self, info: Graph) -> Device | None:
        """The device as it stands now; none if it was retired."""
        found = await info.context.everything.load("devices")
        return next((Device.of(d) for d in found if d.name == self.name), None)


@strawberry.type
class Rollout:
    """A rollout or A/B test of one version to one group."""

    number: int
    model_name: str
    version_number: int
    group_name: str
    strategy: str
    percent: int
    state: str
    paused: bool
    reason: str | None
    started: datetime
    ended: datetime | None
    job_number: strawberry.Private[int | None]
    report: strawberry.Private[RolloutReport]

    @classmethod
    def of(cls, found: RolloutReport) -> Rollout:
        """The node of a rollout."""
        shared = ("strategy", "percent", "paused", "reason", "started", "ended")
        return cls(
            **{name: getattr(found, name) for name in shared},
            number=found.rollout,
            model_name=found.model,
            version_number=found.version,
            group_name=found.group,
            state=found.state.value,
            job_number=found.job,
            report=found,
        )

    @strawberry.field
    async def version(self, info: Graph) -> Version | None:
        """What was rolled out."""
        return await version_of(info, self.model_name, self.version_number)

    @strawberry.field
    async def group(self, info: Graph) -> Group | None:
        """Where it was rolled out."""
        return await group_of(info, self.group_name)

    @strawberry.field
    async def job(self, info: Graph) -> Job | None:
        """The job that carried it out."""
        return await job_of(info, self.job_number)

    @strawberry.field
    def devices(self, limit: Limit = PAGE, offset: Offset = 0) -> list[RolloutDevice]:
        """Its devices, by name."""
        return [
            RolloutDevice(
                name=d.device,
                touched=d.touched,
                confirmed=d.confirmed,
                state=d.state.value,
                error=d.error,
                form=d.form,
            )
            for d in page(self.report.devices, limit, offset)
        ]


@strawberry.type
class Group:
    """A group of devices."""

    name: str
    protected: bool
    silent: list[str]
    report: strawberry.Private[RolloutReport | None]

    @classmethod
    def of(cls, found: GroupStatus) -> Group:
        """The node of a group."""
        return cls(
            name=found.group,
            protected=found.protected,
            silent=found.silent,
            report=found.rollout,
        )

    @strawberry.field
    def rollout(self) -> Rollout | None:
        """Its latest rollout."""
        return Rollout.of(self.report) if self.report else None

    @strawberry.field
    async def devices(self, info: Graph, limit: Limit = PAGE, offset: Offset = 0) -> list[Device]:
        """Its devices, by name."""
        found = await info.context.everything.load("devices")
        own = [d for d in found if d.group == self.name]
        return [Device.of(d) for d in page(own, limit, offset)]


async def group_of(info: Graph, name: str) -> Group | None:
    """A group by name."""
    found = await info.context.everything.load("groups")
    return next((Group.of(g) for g in found if g.group == name), None)


@strawberry.type
class Document:
    """A document that can be asked."""

    name: str
    title: str
    kind: str
    chunks: int
    builtin: bool
    ingested: datetime

    @classmethod
    def of(cls, found: Source) -> Document:
        """The node of a document."""
        shared = ("name", "title", "kind", "chunks", "builtin", "ingested")
        return cls(**{name: getattr(found, name) for name in shared})
