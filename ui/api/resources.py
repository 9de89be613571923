"""`/api/v1/models`, `/datasets`, `/evaluations`, `/rollouts`, `/devices`, `/groups`, `/documents`.

Each is what a reading operation finds, read through the gate, filtered and cut into pages.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar, cast

from fastapi import APIRouter, Path, Query

from tools.datasets.types import DatasetDescription, DatasetList, DatasetSummary
from tools.deployment.types import (
    DeploymentStatus,
    GroupStatus,
    RolloutList,
    RolloutReport,
    RolloutState,
)
from tools.devices.types import DeviceDetail, DeviceList, DeviceState, DeviceSummary
from tools.evaluation.types import EvaluationResult, EvaluationResults
from tools.kernel.errors import NotFound
from tools.kernel.identity import RequestContext
from tools.knowledge.types import Source, SourceList
from tools.registry.types import (
    ModelDescription,
    ModelList,
    ModelSummary,
    ModelVersionDetails,
)
from tools.schedules.types import ScheduleList, ScheduleStatus, ScheduleView
from ui.api.door import PREFIX, Caller, Door, TheDoor
from ui.api.paging import BIGGEST, PAGED, Page

router = APIRouter(prefix=PREFIX)
T = TypeVar("T")
Name = Annotated[str, Path(max_length=128)]
ModelName = Annotated[str, Path(max_length=80)]
Number = Annotated[int, Path(ge=1, le=BIGGEST)]
Containing = Annotated[
    str | None, Query(max_length=128, description="Only those whose name contains this.")
]


def read(door: Door, context: RequestContext, kind: type[T], name: str, **arguments: Any) -> T:
    """What a reading operation finds."""
    given = {key: value for key, value in arguments.items() if value is not None}
    return cast("T", door.kernel.gate.read(name, given, context))


@router.get("/models", tags=["models"], responses=PAGED)
def list_models(
    context: Caller, door: TheDoor, page: Page, name: Containing = None
) -> list[ModelSummary]:
    """Registered models with their newest versions and aliases."""
    found = read(door, context, ModelList, "registry.list").models
    return page.cut([m for m in found if _contains(m.model, name)])


@router.get("/models/{model}", tags=["models"])
def show_model(model: ModelName, context: Caller, door: TheDoor) -> ModelDescription:
    """One model with all its versions."""
    return read(door, context, ModelDescription, "registry.describe", model=model)


@router.get("/models/{model}/versions", tags=["models"], responses=PAGED)
def list_versions(
    model: ModelName, context: Caller, door: TheDoor, page: Page, archived: bool | None = None
) -> list[ModelVersionDetails]:
    """A model's versions, newest first."""
    found = read(door, context, ModelDescription, "registry.describe", model=model).versions
    return page.cut([v for v in found if archived in (None, v.archived)])


@router.get("/models/{model}/versions/{version}", tags=["models"])
def show_version(
    model: ModelName, version: Number, context: Caller, door: TheDoor
) -> ModelVersionDetails:
    """One version and where it came from."""
    return read(
        door, context, ModelDescription, "registry.describe", model=model, version=version
    ).versions[0]


@router.get("/evaluations", tags=["models"], responses=PAGED)
def list_evaluations(
    context: Caller,
    door: TheDoor,
    page: Page,
    model: Annotated[str, Query(max_length=80, description="The model that was measured.")],
    version: Annotated[int | None, Query(ge=1, le=BIGGEST)] = None,
) -> list[EvaluationResult]:
    """What a model was measured at, newest first."""
    asked: dict[str, Any] = {"model": model, "version": version}
    return page.cut(read(door, context, EvaluationResults, "evaluation.results", **asked).results)


@router.get("/datasets", tags=["datasets"], responses=PAGED)
def list_datasets(
    context: Caller,
    door: TheDoor,
    page: Page,
    name: Containing = None,
    builtin: bool | None = None,
) -> list[DatasetSummary]:
    """The newest version of every data set."""
    found = read(door, context, DatasetList, "datasets.list").datasets
    wanted = [d for d in found if builtin in (None, d.builtin) and _contains(d.name, name)]
    return page.cut(wanted)


@router.get("/datasets/{dataset}", tags=["datasets"])
def show_dataset(dataset: Name, context: Caller, door: TheDoor) -> DatasetDescription:
    """One data set with its profile; `name@2` for a certain version."""
    return read(door, context, DatasetDescription, "datasets.describe", dataset=dataset)


@router.get("/rollouts", tags=["rollouts"], responses=PAGED)
def list_rollouts(
    context: Caller,
    door: TheDoor,
    page: Page,
    group: Annotated[str | None, Query(max_length=64)] = None,
    model: Annotated[str | None, Query(max_length=128)] = None,
    version: Annotated[int | None, Query(ge=1, le=BIGGEST)] = None,
    state: RolloutState | None = None,
) -> list[RolloutReport]:
    """Rollouts and A/B tests, newest first."""
    asked: dict[str, Any] = {"group": group, "model": model, "version": version, "state": state}
    before = None if page.after is None else max(page.after, 1)
    asked |= {"before": before, "limit": page.limit + 1}
    found = read(door, context, RolloutList, "deployment.rollouts", **asked)
    return page.numbered(found.rollouts, lambda r: r.rollout)


@router.get("/rollouts/{rollout}", tags=["rollouts"])
def show_rollout(rollout: Number, context: Caller, door: TheDoor) -> RolloutReport:
    """One rollout with its devices as they report themselves now."""
    return rollout_of(door, context, rollout)


def rollout_of(door: Door, context: RequestContext, rollout: int) -> RolloutReport:
    """A rollout.

    Raises:
        NotFound: if there is none of that number.
    """
    found = read(door, context, RolloutList, "deployment.rollouts", rollout=rollout).rollouts
    if not found:
        raise NotFound(f"There is no rollout {rollout}.", hint="GET /api/v1/rollouts lists them.")
    return found[0]


@router.get("/devices", tags=["devices"], responses=PAGED)
def list_devices(
    context: Caller,
    door: TheDoor,
    page: Page,
    group: Annotated[str | None, Query(max_length=64)] = None,
    state: DeviceState | None = None,
    name: Containing = None,
) -> list[DeviceSummary]:
    """Devices, by group and name."""
    found = read(door, context, DeviceList, "devices.list", group=group).devices
    wanted = [d for d in found if state in (None, d.state) and _contains(d.name, name)]
    return page.cut(wanted)


@router.get("/devices/{device}", tags=["devices"])
def show_device(device: Name, context: Caller, door: TheDoor) -> DeviceDetail:
    """One device; what it serves is what it reported itself."""
    return read(door, context, DeviceDetail, "devices.describe", device=device)


@router.get("/groups", tags=["devices"], responses=PAGED)
def list_groups(context: Caller, door: TheDoor, page: Page) -> list[GroupStatus]:
    """Groups of devices: what each is meant to serve, and its latest rollout."""
    return page.cut(read(door, context, DeploymentStatus, "deployment.status").groups)


@router.get("/groups/{group}", tags=["devices"])
def show_group(group: Name, context: Caller, door: TheDoor) -> GroupStatus:
    """One group of devices."""
    found = read(door, context, DeploymentStatus, "deployment.status", group=group).groups
    if not found:
        raise NotFound(f"There is no group {group!r}.", hint="GET /api/v1/groups lists them.")
    return found[0]


@router.get("/documents", tags=["documents"], responses=PAGED)
def list_documents(
    context: Caller, door: TheDoor, page: Page, name: Containing = None
) -> list[Source]:
    """The documents that can be asked."""
    found = read(door, context, SourceList, "knowledge.sources").sources
    return page.cut([s for s in found if _contains(s.name, name)])


@router.get("/schedules", tags=["schedules"], responses=PAGED)
def list_schedules(
    context: Caller,
    door: TheDoor,
    page: Page,
    status: ScheduleStatus | None = None,
    name: Containing = None,
) -> list[ScheduleView]:
    """Schedules, newest first; those that are cancelled or over only when asked for."""
    ended = status in ("cancelled", "ended")
    found = read(door, context, ScheduleList, "schedules.list", ended=ended, limit=500).schedules
    wanted = [s for s in found if status in (None, s.status) and _contains(s.schedule, name)]
    return page.cut(wanted)


def _contains(text: str, part: str | None) -> bool:
    return part is None or part.casefold() in text.casefold()
