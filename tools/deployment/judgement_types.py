"""How the steps of a rollout are judged, and what reading that takes."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import Field

from tools.kernel.operations import Args, EntityKind, Result, Slot


class JudgementsOf(Args):
    """Which rollout's judgements to read."""

    rollout: Annotated[int, Slot(EntityKind.ROLLOUT, "Which rollout?")] = Field(
        description="Its number.", ge=1
    )
    limit: int = Field(200, ge=1, le=1000, description="At most this many, newest first.")


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


class JudgementList(Result):
    """How a rollout was judged, newest first."""

    rollout: int
    false_alarms: float
    judgements: list[Judgement]
