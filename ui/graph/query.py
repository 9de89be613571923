"""The graph's entrances: lists of its nodes, and nodes by name."""

from __future__ import annotations

import strawberry
from fastapi.concurrency import run_in_threadpool

from tools.kernel import approvals, receipts
from tools.kernel.tables import JobRow
from tools.training.standing import jobs_in
from ui.graph.datasets import Dataset
from ui.graph.documents import Document
from ui.graph.fleet import Device, Group, Rollout, rollouts_of
from ui.graph.limits import PAGE
from ui.graph.models import Model
from ui.graph.paging import Graph, Limit, Offset, page
from ui.graph.records import Approval, Job, Receipt, job_of


@strawberry.type
class Query:
    """Everything can be entered by a list or a name, and followed from there."""

    @strawberry.field
    async def models(self, info: Graph, limit: Limit = PAGE, offset: Offset = 0) -> list[Model]:
        """Registered models, by name."""
        found = await info.context.everything.load("models")
        return [Model.of(m) for m in page(found, limit, offset)]

    @strawberry.field
    async def model(self, info: Graph, name: str) -> Model | None:
        """One model."""
        await info.context.model.load(name)  # which tells what names are near
        found = await info.context.everything.load("models")
        return next((Model.of(m) for m in found if m.model == name), None)

    @strawberry.field
    async def datasets(self, info: Graph, limit: Limit = PAGE, offset: Offset = 0) -> list[Dataset]:
        """The newest version of every data set."""
        found = await info.context.everything.load("datasets")
        return [Dataset.of(d) for d in page(found, limit, offset)]

    @strawberry.field
    async def dataset(self, info: Graph, name: str) -> Dataset:
        """One data set; `name@2` for a certain version."""
        return Dataset.of(await info.context.dataset.load(name))

    @strawberry.field
    async def devices(self, info: Graph, limit: Limit = PAGE, offset: Offset = 0) -> list[Device]:
        """Devices, by group and name."""
        found = await info.context.everything.load("devices")
        return [Device.of(d) for d in page(found, limit, offset)]

    @strawberry.field
    async def groups(self, info: Graph, limit: Limit = PAGE, offset: Offset = 0) -> list[Group]:
        """Groups of devices."""
        found = await info.context.everything.load("groups")
        return [Group.of(g) for g in page(found, limit, offset)]

    @strawberry.field
    async def documents(
        self, info: Graph, limit: Limit = PAGE, offset: Offset = 0
    ) -> list[Document]:
        """Documents that can be asked."""
        found = await info.context.everything.load("documents")
        return [Document.of(d) for d in page(found, limit, offset)]

    @strawberry.field
    async def rollouts(
        self,
        info: Graph,
        group: str | None = None,
        model: str | None = None,
        limit: Limit = PAGE,
        offset: Offset = 0,
    ) -> list[Rollout]:
        """Rollouts and A/B tests, newest first."""
        return await rollouts_of(info, limit, offset, group=group, model=model)

    @strawberry.field
    async def job(self, info: Graph, number: int) -> Job | None:
        """One job."""
        return await job_of(info, number)

    @strawberry.field
    async def jobs(
        self,
        info: Graph,
        status: str | None = None,
        operation: str | None = None,
        limit: Limit = PAGE,
        offset: Offset = 0,
    ) -> list[Job]:
        """Jobs, newest first."""
        page((), limit, offset)

        def load() -> list[JobRow]:
            tenant = info.context.admit("platform.jobs")
            return jobs_in(kernel, tenant, status, operation=operation, limit=offset + limit)

        kernel = info.context.door.kernel
        found = page(await run_in_threadpool(load), limit, offset)
        return [Job.of(row, kernel.settings) for row in found]

    @strawberry.field
    async def receipts(
        self,
        info: Graph,
        operation: str | None = None,
        conversation: str | None = None,
        limit: Limit = PAGE,
        offset: Offset = 0,
    ) -> list[Receipt]:
        """Receipts, newest first."""
        page((), limit, offset)

        def load() -> list[receipts.Receipt]:
            tenant = info.context.admit("platform.receipts")
            return info.context.door.kernel.receipts.list(
                tenant, operation=operation, conversation=conversation, limit=offset + limit
            )

        return [Receipt.of(r) for r in page(await run_in_threadpool(load), limit, offset)]

    @strawberry.field
    async def approvals(
        self, info: Graph, limit: Limit = PAGE, offset: Offset = 0
    ) -> list[Approval]:
        """Approvals, newest first."""
        page((), limit, offset)

        def load() -> list[approvals.Approval]:
            tenant = info.context.admit("platform.approvals")
            return info.context.door.kernel.approvals.list(tenant, None, limit, offset)

        return [Approval.of(a) for a in await run_in_threadpool(load)]
