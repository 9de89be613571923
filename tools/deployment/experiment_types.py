"""What the operations on A/B tests and the outcomes of requests take and answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from tools.deployment.types import ModelName, Percent, Version
from tools.devices.types import GroupName
from tools.kernel.operations import Args, Result, Slot


class StartAbTest(Args):
    """The model to test against what a group serves."""

    model: ModelName = Field(description="The registered model's name.")
    version: Version = Field(description="The version that challenges the one served now.", ge=1)
    group: GroupName = Field(description="The group of devices that runs the test.")
    percent: Percent = Field(
        50, description="Share of requests that the challenger answers, in percent.", ge=1, le=99
    )


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
