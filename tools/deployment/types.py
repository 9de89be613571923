"""What the operations on rollouts take and answer."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from tools.devices.types import DeviceState, GroupName, ServedModel, Traffic
from tools.kernel.operations import Args, EntityKind, Result, Slot


class Strategy(StrEnum):
    """How a new version reaches a group."""

    CANARY = "canary"
    BLUE_GREEN = "blue_green"
    ALL = "all"


class RolloutState(StrEnum):
    """Where a rollout stands.

    `running`: its job is at work. `canary`: holds on part of the group, judged good. `testing`:
    an A/B test collects exposures. `done`: the whole group serves it. `promoted`: a canary or test
    that a later rollout took over. `rolling_back`, `rolled_back`, and `failed` (which touched no
    device, or could not be put back on every one).
    """

    RUNNING = "running"
    CANARY = "canary"
    TESTING = "testing"
    DONE = "done"
    PROMOTED = "promoted"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"


ModelName = Annotated[str, Slot(EntityKind.MODEL, "Which model?")]
Version = Annotated[int, Slot(EntityKind.MODEL_VERSION, "Which version of the model?")]
Percent = Annotated[int, Slot(None, "What percentage?")]


class StartRollout(Args):
    """What goes where, and how."""

    model: ModelName = Field(description="The registered model's name.")
    version: Version = Field(description="The version to roll out.", ge=1)
    group: GroupName = Field(description="The group of devices that receives it.")
    strategy: Annotated[Strategy, Slot(None, "Canary, blue-green or all at once?")] = Field(
        Strategy.CANARY,
        description="canary: part of the group first, and hold; blue_green: stage everywhere, "
        "then switch at once; all: everywhere at once.",
    )
    percent: Percent | None = Field(
        None,
        description="Share of the group that a canary covers, in percent; about a third if not "
        "given. 100 promotes a canary to the whole group.",
        ge=1,
        le=100,
    )


class StatusOf(Args):
    """Whose rollouts to read."""

    group: GroupName | None = Field(None, description="Only this group.")


class ListRollouts(Args):
    """Which rollouts to list."""

    group: str | None = Field(None, description="Only this group's.", max_length=64)
    model: str | None = Field(None, description="Only this model's.", max_length=128)
    version: int | None = Field(None, ge=1, description="Only of this version of the model.")
    state: RolloutState | None = Field(None, description="Only those that stand so.")
    rollout: int | None = Field(None, ge=1, description="Only the one of this number.")
    before: int | None = Field(None, ge=1, description="Only those numbered lower.")
    limit: int = Field(50, ge=1, le=1001, description="At most this many, newest first.")


class PauseRollout(Args):
    """The group whose rollout is to wait."""

    group: GroupName = Field(description="The group's name.")


class ResumeRollout(Args):
    """The group whose rollout is to go on."""

    group: GroupName = Field(description="The group's name.")


class RollBack(Args):
    """The group to put back on its former model."""

    group: GroupName = Field(description="The group's name.")


class StartAbTest(Args):
    """The model to test against what a group serves."""

    model: ModelName = Field(description="The registered model's name.")
    version: Version = Field(description="The version that challenges the one served now.", ge=1)
    group: GroupName = Field(description="The group of devices that runs the test.")
    percent: Percent = Field(
        50, description="Share of requests that the challenger answers, in percent.", ge=1, le=99
    )


class DeviceOutcome(Result):
    """One device of a rollout: what it was meant to serve, and what it reported itself.

    Attributes:
        device: its name.
        touched: True if the rollout changed what the device is meant to serve.
        before: what it served before.
        desired: what it is meant to serve now.
        reported: what it last reported to serve.
        confirmed: True if its own report, made after the change, agrees with what is desired.
        state: whether it is online or silent.
        reported_at: when the last report arrived.
        error: why the device refused, if it did.
    """

    device: str
    touched: bool
    before: list[ServedModel]
    desired: list[ServedModel]
    reported: list[ServedModel]
    confirmed: bool
    state: DeviceState
    reported_at: datetime | None = None
    error: str | None = None


class RolloutReport(Result):
    """A rollout and its devices.

    Attributes:
        rollout: its number.
        state: where it stands.
        paused: True if it waits for `deployment.resume`.
        bundle: SHA-256 of the bundle's manifest.
        reason: why it was rolled back or failed.
    """

    rollout: int
    model: str
    version: int
    group: str
    strategy: str
    percent: int
    state: RolloutState
    paused: bool = False
    bundle: str | None = None
    reason: str | None = None
    job: int | None = None
    started: datetime
    ended: datetime | None = None
    devices: list[DeviceOutcome]
    exposures: list[Traffic] = Field(
        default_factory=list[Traffic], description="What each variant of an A/B test answered."
    )


class RolloutList(Result):
    """Rollouts, newest first."""

    rollouts: list[RolloutReport]


class GroupStatus(Result):
    """What a group is meant to serve, what its devices report, and who is silent."""

    group: str
    protected: bool
    rollout: RolloutReport | None
    devices: list[DeviceOutcome]
    silent: list[str]


class DeploymentStatus(Result):
    """The state of one group or of all."""

    groups: list[GroupStatus]


class RolloutPaused(Result):
    """A rollout that waits, or goes on."""

    rollout: int
    group: str
    paused: bool
    state: RolloutState
