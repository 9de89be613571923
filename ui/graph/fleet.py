"""The graph's fleet: groups, their devices, and what is rolled out to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import strawberry

from tools.deployment.types import GroupStatus, RolloutReport
from tools.devices.types import DeviceSummary
from ui.graph.limits import PAGE
from ui.graph.models import Version, version_of
from ui.graph.paging import Graph, Limit, Offset, page
from ui.graph.records import Job, job_of


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


async def rollouts_of(info: Graph, limit: int, offset: int, **asked: Any) -> list[Rollout]:
    """A page of rollouts, newest first."""
    page((), limit, offset)
    wanted = {k: v for k, v in asked.items() if v is not None} | {
        "limit": min(offset + limit, 1000)
    }
    found = await info.context.rollouts.load(tuple(sorted(wanted.items())))
    return [Rollout.of(r) for r in page(found, limit, offset)]
