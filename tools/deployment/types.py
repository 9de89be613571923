"""What the operations on rollouts take and answer."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import Field

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


class PauseRollout(Args):
    """The group whose rollout is to wait."""

    group: GroupName = Field(description="The group's name.")


class ResumeRollout(Args):
    """The group whose rollout is to go on."""

    group: GroupName = Field(description="The group's name.")


class RollBack(Selection):
    """The group to put back on its former model, or those of its devices that are meant."""

    group: GroupName = Field(description="The group's name.")


class StartAbTest(Args):
    """The model to test against what a group serves."""

    model: ModelName = Field(description="The registered model's name.")
    version: Version = Field(description="The version that challenges the one served now.", ge=1)
    group: GroupName = Field(description="The group of devices that runs the test.")
    percent: Percent = Field(
        50, description="Share of requests that the challenger answers, in percent.", ge=1, le=99
    )


class PromoteRollout(Args):
    """The group whose rollout, shadow or A/B test is to go on."""

    group: GroupName = Field(description="The group's name.")
    version: Version | None = Field(
        None,
        description="For an A/B test: the version that wins; the recommended one if not given.",
        ge=1,
    )


class AbortRollout(Args):
    """The group whose unfinished rollout is to be ended."""

    group: GroupName = Field(description="The group's name.")


class RetryRollout(Args):
    """The group whose last rollout is to be tried again."""

    group: GroupName = Field(description="The group's name.")


class DeclareFreeze(Args):
    """What nothing is to be rolled out to, why, and until when."""

    group: GroupName | None = Field(None, description="Only this group; all without one.")
    reason: Annotated[str, Slot(None, "Why?")] = Field(
        "a change freeze was declared",
        description="Why, as those read it who are refused.",
        min_length=1,
        max_length=500,
    )
    until: Annotated[str | None, Slot(None, "Until when?")] = Field(
        None,
        description="When it ends by itself: monday, tomorrow 9:00, 18:30, 3 days, or an ISO "
        "date, in UTC; until it is lifted without one.",
        max_length=64,
    )


class LiftFreeze(Args):
    """What may be changed again."""

    group: GroupName | None = Field(
        None, description="The freeze of this group; that of all groups without one."
    )


class FreezeState(Result):
    """Whether a freeze stands.

    Attributes:
        group: the group; none for all.
        frozen: True while it stands.
        lifted: how many freezes were lifted.
    """

    group: str | None
    frozen: bool
    reason: str | None = None
    until: datetime | None = None
    declared_by: str | None = None
    lifted: int = 0


class AbResultOf(Args):
    """Which A/B test to read."""

    group: GroupName = Field(description="The group that runs it.")


class RecordOutcome(Args):
    """How a request of a rollout or an A/B test ended."""

    group: GroupName = Field(description="The group that runs the test.")
    key: Annotated[str, Slot(None, "Which key was asked with?")] = Field(
        description="The key with which the device was asked, such as a user's number.",
        min_length=1,
        max_length=200,
    )
    success: Annotated[bool, Slot(None, "Did it end well, yes or no?")] = Field(
        True, description="True if it ended well (the label was right, the ticket solved)."
    )
    version: Version | None = Field(
        None,
        description="The version that had answered, as the device said; needed unless an A/B test "
        "runs, where the key tells it.",
        ge=1,
    )


class JudgementsOf(Args):
    """Which rollout's judgements to read."""

    rollout: Annotated[int, Slot(EntityKind.ROLLOUT, "Which rollout?")] = Field(
        description="Its number.", ge=1
    )
    limit: int = Field(200, ge=1, le=1000, description="At most this many, newest first.")


class OutcomeRecorded(Result):
    """An outcome as it is stored.

    Attributes:
        version: the version that had answered this key.
        recorded: False if an outcome of the key was known; then nothing changed.
        outcomes: how many the rollout has.
    """

    rollout: int
    key: str
    version: int
    success: bool
    recorded: bool
    outcomes: int


class Arm(Result):
    """One variant of an A/B test: what it answered, and how that ended."""

    version: int
    exposures: int
    failed: int
    outcomes: int
    successes: int
    rate: float | None = None


class Guardrail(Result):
    """What the challenger may not make worse: its difference, and how much is allowed."""

    name: str
    effect: float
    low: float
    high: float
    limit: float
    breached: bool


class AbResult(Result):
    """What an A/B test says now.

    Attributes:
        effect: share of successes of the challenger less that of the control.
        low: lower end of the interval, which holds at all moments together.
        high: upper end of it.
        level: the interval's level.
        recommended: promote, keep or wait.
        winner: the version that is recommended; none while waiting.
        why: the reason, for a person.
    """

    rollout: int
    group: str
    model: str
    control: Arm
    challenger: Arm
    effect: float
    low: float
    high: float
    p_value: float
    level: float
    guardrails: list[Guardrail]
    recommended: str
    winner: int | None
    why: str


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


class Metric(Result):
    """One figure that a step is judged by.

    Attributes:
        name: what is measured.
        value: what was found, 0 to 1; none without data.
        limit: what is allowed.
        sample: how many devices, answers or comparisons it is of.
        needed: how many there have to be.
        evidence: how strongly the data speak against the limit being kept; from `alarm` on the
            step is a breach.
        alarm: 1 / (false-alarm rate of this metric).
        verdict: good, too little data, or breach.
    """

    name: str
    value: float | None
    limit: float
    sample: int
    needed: int = 0
    evidence: float = 1.0
    alarm: float
    verdict: str


class Judgement(Result):
    """What a step's figures were at one moment, and what was made of them."""

    at: datetime
    step: int
    verdict: str
    says: str
    metrics: list[Metric]


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


class RolloutPromoted(RolloutReport):
    """A rollout after it was told to go on.

    Attributes:
        goes_on_from: the rollout that it took over; none if the same one goes on.
    """

    goes_on_from: int | None = None


class JudgementList(Result):
    """How a rollout was judged, newest first."""

    rollout: int
    false_alarms: float
    judgements: list[Judgement]


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
