"""What a query reads, each thing once however often it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any, TypeVar

from fastapi.concurrency import run_in_threadpool
from strawberry.dataloader import DataLoader

from tools.datasets.types import DatasetDescription, DatasetList
from tools.deployment.types import DeploymentStatus, RolloutList, RolloutReport
from tools.devices.types import DeviceList
from tools.evaluation.types import EvaluationResults
from tools.kernel.approvals import Approval
from tools.kernel.errors import PilothouseError
from tools.kernel.identity import RequestContext
from tools.kernel.receipts import Receipt
from tools.kernel.tables import JobRow
from tools.knowledge.types import SourceList
from tools.registry.types import ModelDescription, ModelList
from ui.api.door import Door
from ui.api.resources import read

K = TypeVar("K")
T = TypeVar("T")


class Loaders:
    """One query's reads, as the caller may make them; lives as long as the query.

    Args:
        door: the platform.
        context: who asks.
    """

    def __init__(self, door: Door, context: RequestContext) -> None:
        self.door = door
        self.context = context

    def read(self, kind: type[T], name: str, **arguments: Any) -> T:
        """What a reading operation finds."""
        return read(self.door, self.context, kind, name, **arguments)

    def admit(self, operation: str) -> str:
        """The caller's tenant, if the caller may call this operation."""
        return self.door.kernel.gate.admit(operation, self.context).tenant

    @cached_property
    def everything(self) -> DataLoader[str, Any]:
        """Whole lists: `models`, `datasets`, `devices`, `groups` or `documents`."""
        lists: dict[str, Callable[[], Any]] = {
            "models": lambda: self.read(ModelList, "registry.list").models,
            "datasets": lambda: self.read(DatasetList, "datasets.list").datasets,
            "devices": lambda: self.read(DeviceList, "devices.list").devices,
            "groups": lambda: self.read(DeploymentStatus, "deployment.status").groups,
            "documents": lambda: self.read(SourceList, "knowledge.sources").sources,
        }
        return _each(lambda name: lists[name]())

    @cached_property
    def model(self) -> DataLoader[str, ModelDescription]:
        """Models by name, with all their versions."""
        return _each(lambda name: self.read(ModelDescription, "registry.describe", model=name))

    @cached_property
    def dataset(self) -> DataLoader[str, DatasetDescription]:
        """Data sets by name, or `name@2`."""
        return _each(lambda name: self.read(DatasetDescription, "datasets.describe", dataset=name))

    @cached_property
    def evaluations(self) -> DataLoader[str, EvaluationResults]:
        """What each model was measured at."""
        return _each(lambda name: self.read(EvaluationResults, "evaluation.results", model=name))

    @cached_property
    def rollouts(self) -> DataLoader[tuple[tuple[str, Any], ...], list[RolloutReport]]:
        """Rollouts by what `deployment.rollouts` takes, as sorted pairs."""
        return _each(
            lambda asked: self.read(RolloutList, "deployment.rollouts", **dict(asked)).rollouts
        )

    @cached_property
    def job(self) -> DataLoader[int, JobRow | None]:
        """Jobs by number, all in one query; None where there is none."""

        def load(numbers: list[int]) -> list[JobRow | None]:
            tenant = self.admit("platform.jobs")
            found = {r.id: r for r in self.door.kernel.jobs.many(numbers, tenant)}
            return [found.get(number) for number in numbers]

        return _together(load)

    @cached_property
    def receipts_of_job(self) -> DataLoader[int, list[Receipt]]:
        """The receipts of each job, all in one query."""

        def load(jobs: list[int]) -> list[list[Receipt]]:
            tenant = self.admit("platform.receipts")
            found = self.door.kernel.receipts.of_jobs(jobs, tenant)
            return [[r for r in found if r.job == job] for job in jobs]

        return _together(load)

    @cached_property
    def approval(self) -> DataLoader[str, Approval | None]:
        """Approvals by id, all in one query; None where there is none."""

        def load(ids: list[str]) -> list[Approval | None]:
            tenant = self.admit("platform.approvals")
            found = {a.id: a for a in self.door.kernel.approvals.many(ids, tenant)}
            return [found.get(name) for name in ids]

        return _together(load)


def _together(load: Callable[[list[K]], Sequence[T]]) -> DataLoader[K, T]:
    async def loaded(keys: list[K]) -> Sequence[T]:
        return await run_in_threadpool(load, keys)

    return DataLoader(load_fn=loaded)


def _each(load: Callable[[K], T]) -> DataLoader[K, T]:
    """Loads keys one after another in one thread; a key's error is that key's alone."""

    def one(key: K) -> T | PilothouseError:
        try:
            return load(key)
        except PilothouseError as error:
            return error

    async def loaded(keys: list[K]) -> Sequence[T | BaseException]:
        return await run_in_threadpool(lambda: [one(key) for key in keys])

    return DataLoader(load_fn=loaded)
