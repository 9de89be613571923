"""The graph's models: their versions, and what those were measured at."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import strawberry

from tools.evaluation.types import EvaluationResult
from tools.registry.types import ModelSummary, ModelVersionDetails
from ui.graph.datasets import Dataset
from ui.graph.limits import PAGE
from ui.graph.paging import Graph, Limit, Offset, page
from ui.graph.records import Job, job_of

if TYPE_CHECKING:
    from ui.graph.fleet import Rollout

FLEET = strawberry.lazy("ui.graph.fleet")
"""Where rollouts are, which build on this module."""


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
    macro_f1: float | None
    recall_at_5: float | None
    mrr: float | None
    job_number: strawberry.Private[int | None]

    @classmethod
    def of(cls, found: EvaluationResult) -> Evaluation:
        """The node of an evaluation."""
        shared = ("id", "version", "dataset", "split", "rows", "accuracy", "accuracy_low")
        more = ("accuracy_high", "macro_f1", "recall_at_5", "mrr")
        return cls(
            **{name: getattr(found, name) for name in (*shared, *more)},
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
    async def rollouts(
        self, info: Graph, limit: Limit = PAGE, offset: Offset = 0
    ) -> list[Annotated[Rollout, FLEET]]:
        """Where it was rolled out, newest first."""
        from ui.graph.fleet import rollouts_of

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
    async def rollouts(
        self, info: Graph, limit: Limit = PAGE, offset: Offset = 0
    ) -> list[Annotated[Rollout, FLEET]]:
        """Where any of its versions was rolled out, newest first."""
        from ui.graph.fleet import rollouts_of

        return await rollouts_of(info, limit, offset, model=self.name)


async def version_of(info: Graph, model: str, number: int) -> Version | None:
    """A version, if it is still registered."""
    known = {m.model for m in await info.context.everything.load("models")}
    if model not in known:
        return None
    found = (await info.context.model.load(model)).versions
    return next((Version.of(v) for v in found if v.version == number), None)
