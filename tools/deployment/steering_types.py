"""What the operations that steer rollouts take and answer: promote, abort, retry, pause."""

from __future__ import annotations

from pydantic import Field

from tools.deployment.types import RolloutReport, RolloutState, Version
from tools.devices.types import GroupName
from tools.kernel.operations import Args, Result


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


class RolloutPromoted(RolloutReport):
    """A rollout after it was told to go on.

    Attributes:
        goes_on_from: the rollout that it took over; none if the same one goes on.
    """

    goes_on_from: int | None = None


class PauseRollout(Args):
    """The group whose rollout is to wait."""

    group: GroupName = Field(description="The group's name.")


class ResumeRollout(Args):
    """The group whose rollout is to go on."""

    group: GroupName = Field(description="The group's name.")


class RolloutPaused(Result):
    """A rollout that waits, or goes on."""

    rollout: int
    group: str
    paused: bool
    state: RolloutState
