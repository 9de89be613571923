"""What the operations on rollouts take and answer."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

from tools.deployment.judgement_types import Judgement
from tools.devices.types import DeviceState, GroupName, Profile, ServedModel, Traffic
from tools.kernel.operations import Args, EntityKind, Result, Slot
from tools.kernel.periods import Period


class Strategy(StrEnum):
    """How a new version reaches a group."""

    CANARY = "canary"
    BLUE_GREEN = "blue_green"
    ALL = "all"
    SHADOW = "shadow"


class Network(StrEnum):
    """A device's way to the server."""

    WIFI = "wifi"
    ETHERNET = "ethernet"
    CELLULAR = "cellular"


class RolloutState(StrEnum):
    """Where a rollout stands.

    `running`: its job is at work. `canary`: holds on part of the group, judged good. `testing`:
    an A/B test collects exposures. `shadow`: runs beside the former model, judged good. `done`:
    the whole group serves it. `promoted`: a canary or test that a later rollout took over.
    `rolling_back`, `rolled_back`, and `failed` (which touched no device, or could not be put back
    on every one).
    """

    RUNNING = "running"
    CANARY = "canary"
    TESTING = "testing"
    SHADOW = "shadow"
    DONE = "done"
    PROMOTED = "promoted"
    ROLLING_BACK = "rolling_back"
    ROLLED_BACK = "rolled_back"
    FAILED = "failed"


ModelName = Annotated[str, Slot(EntityKind.MODEL, "Which model?")]
Version = Annotated[int, Slot(EntityKind.MODEL_VERSION, "Which version of the model?")]
Percent = Annotated[int, Slot(None, "What percentage?")]
Step = Annotated[int, Field(ge=1, le=100)]
WINDOW_PATTERN = r"^([01]?\d|2[0-3]):[0-5]\d-([01]?\d|2[0-3]):[0-5]\d$"


class Selection(Args):
    """Which devices of a group are meant; without any of these, all of them."""

    profile: Annotated[Profile | None, Slot(None, "Phones, laptops or servers?")] = Field(
        None, description="Only devices of this class: phone, laptop or server."
    )
    min_memory_gb: float | None = Field(
        None, description="Only devices with at least so much memory, in GB.", gt=0, le=100_000
    )
    network: Annotated[Network | None, Slot(None, "On Wi-Fi, Ethernet or cellular?")] = Field(
        None, description="Only devices that are on wifi, ethernet or cellular."
    )


class StartRollout(Selection):
    """What goes where, and how."""

    model: ModelName = Field(description="The registered model's name.")
    version: Version = Field(description="The version to roll out.", ge=1)
    group: GroupName = Field(description="The group of devices that receives it.")
    strategy: Annotated[Strategy, Slot(None, "Canary, blue-green, shadow or all at once?")] = Field(
        Strategy.CANARY,
        description="canary: part of the group first, and hold, or in steps; blue_green: "
        "stage everywhere, then switch at once; all: everywhere at once; shadow: run beside "
        "the former model, compare the answers, use none.",
    )
    steps: list[Step] | None = Field(
        None,
        description="Shares of the group that a canary reaches one after the other, in percent, "
        "growing, such as 1, 10, 50, 100; each is judged before the next.",
        min_length=1,
        max_length=10,
    )
    percent: Percent | None = Field(
        None,
        description="Share of the group that a canary covers, in percent; about a third if not "
        "given. 100 promotes a canary to the whole group.",
        ge=1,
        le=100,
    )
    minutes: float | None = Field(
        None, description="For how many minutes each step is watched.", ge=0, le=7 * 24 * 60
    )
    sample: int | None = Field(
        None,
        description="Answers of the new version that a step is judged on at the least; with "
        "fewer it holds. 30 for a canary in steps or a shadow, else 0.",
        ge=0,
        le=10**9,
    )
    window: str | None = Field(
        None,
        description="Maintenance window in UTC, such as 22:00-06:00: devices are changed only in "
        "it.",
        pattern=WINDOW_PATTERN,
    )
    per_minute: int | None = Field(
        None, description="At most so many devices are changed in a minute.", ge=1, le=10**6
    )


class StatusOf(Args):
    """Whose rollouts to read."""

    group: GroupName | None = Field(None, description="Only this group.")


class ListRollouts(Args):
    """Which rollouts to list."""

    group: GroupName | None = Field(None, description="Only this group's.", max_length=64)
    model: ModelName | None = Field(None, description="Only this model's.", max_length=128)
    version: Version | None = Field(None, ge=1, description="Only of this version of the model.")
    state: RolloutState | None = Field(None, description="Only those that stand so.")
    rollout: int | None = Field(None, ge=1, description="Only the one of this number.")
    period: Period = None
    before: int | None = Field(None, ge=1, description="Only those numbered lower.")
    limit: int = Field(50, ge=1, le=1001, description="At most this many, newest first.")


class RollBack(Selection):
    """The group to put back on its former model, or those of its devices that are meant."""

    group: GroupName = Field(description="The group's name.")


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
        step: the step that reaches it, from 1; none if no step does.
        excluded: True if it was put back by itself while the rollout went on.
        form: the form of the version that suits it, such as `openvino-int8`.
    """

    device: str
    step: int | None = None
    excluded: bool = False
    form: str | None = None
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
        steps: the shares that it reaches one after the other, in percent.
        step: the step at which it is, from 1.
        hold: what it waits for, if it holds.
        judged: the newest judgement.
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
    steps: list[int] = Field(default_factory=list[int])
    step: int = 1
    hold: str | None = None
    judged: Judgement | None = None
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
