"""What the operations that follow trainings take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from tools.kernel.entities import EntityKind, Slot
from tools.kernel.operations import Args, Result

JobNumber = Annotated[
    int | None, Slot(EntityKind.JOB, "Which training job (its number)?", closed=False)
]


class TrainingStatusArgs(Args):
    """Which training to look at."""

    job: JobNumber = Field(None, ge=1, description="The job's number; the newest when not given.")


class CancelTraining(Args):
    """Which training to stop."""

    job: JobNumber = Field(
        None, ge=1, description="The job's number; the one that runs when not given."
    )


class PauseTraining(Args):
    """Which training to pause."""

    job: JobNumber = Field(
        None, ge=1, description="The job's number; the one that runs when not given."
    )


class ResumeTraining(Args):
    """Which training to let go on."""

    job: JobNumber = Field(
        None, ge=1, description="The job's number; the one that is paused when not given."
    )


class ListTrainings(Args):
    """Which trainings to list."""

    status: Literal["queued", "running", "paused", "done", "failed", "cancelled"] | None = Field(
        None, description="Only those with this status; all when left out."
    )
    period: str | None = Field(
        None,
        description="Only those begun in this time (UTC), such as `today`, `last week` or `since "
        "2026-01-01`; all when left out.",
        max_length=100,
    )
    limit: int = Field(20, ge=1, le=200, description="At most this many, newest first.")


class TrainingState(Result):
    """How a training stands.

    Attributes:
        seconds: work of the job that has ended, waiting and pauses left out.
        estimated_seconds: what had been expected of that.
        estimate_error: how far off that was, as a share of it: 0.2 for a fifth longer.
    """

    job: int
    operation: str
    status: str
    progress: float
    message: str
    model_name: str | None
    base_model: str | None
    dataset: str | None
    method: str | None
    metrics: dict[str, JsonValue] = Field(default_factory=dict)
    run_id: str | None = None
    error: str | None = None
    seconds: float | None = None
    estimated_seconds: float | None = None
    estimate_error: float | None = None
    created: datetime
    ended: datetime | None = None


class TrainingList(Result):
    """Trainings, newest first."""

    trainings: list[TrainingState]


class TrainingCancelled(Result):
    """What was stopped.

    Attributes:
        done: what had been done before, for example `2 of 4 epochs`.
        kept: what stays on disk.
    """

    job: int
    status: str
    done: str
    kept: str


class TrainingPaused(Result):
    """A training that was paused, or goes on.

    Attributes:
        status: `paused`, or `running` or `queued` where it goes on.
        progress: the share done.
    """

    job: int
    status: str
    progress: float
