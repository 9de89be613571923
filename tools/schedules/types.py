"""What operations on schedules take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from tools.kernel.entities import EntityKind, Slot
from tools.kernel.operations import Args, Result
from tools.schedules.timing import Timing

ScheduleStatus = Literal["active", "paused", "cancelled", "ended"]

Named = Annotated[str, Slot(EntityKind.SCHEDULE, "Which schedule?")]


class ScheduledStep(BaseModel):
    """One step of the plan, as data.

    Attributes:
        id: unique within the plan.
        operation: `domain.verb`.
        arguments: by name; `{"step": "s1", "field": "job"}` takes a result of an earlier step.
        depends_on: the steps that must have succeeded before.
        condition: decides on the results of earlier steps whether it runs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(max_length=16)
    operation: str = Field(max_length=128)
    arguments: dict[str, JsonValue] = Field(default_factory=dict)
    depends_on: list[str] = Field(default_factory=list)
    condition: dict[str, JsonValue] | None = None


class CreateArgs(Args):
    """What is to be done, and when."""

    sentence: str = Field(
        "", description="What the person said, for whoever reads the list.", max_length=2000
    )
    steps: Annotated[
        list[ScheduledStep],
        Slot(None, "What should be done, and when? Say it in one sentence."),
    ] = Field(
        description="The plan: steps with `id`, `operation`, `arguments`, `depends_on`.",
        min_length=1,
        max_length=40,
    )
    timing: Annotated[
        Timing,
        Slot(None, "When? For example: every night at two, tomorrow at 9, when job 7 is done."),
    ] = Field(
        description="One of `every` (cron), `at` (a moment) and `after_job`; with a time `zone`."
    )
    name: str | None = Field(
        None,
        description="A short name, unique here; made from what it does when left out.",
        pattern=r"^[a-z0-9][a-z0-9-]{0,59}$",
    )


class ListArgs(Args):
    """Which schedules to list."""

    ended: bool = Field(
        False, description="Also those cancelled, and those over for more than a day."
    )
    limit: int = Field(50, ge=1, le=500, description="At most this many, newest first.")


class NamedArgs(Args):
    """Which schedule is meant."""

    schedule: Named = Field(description="The schedule's name or number.", max_length=64)


class RestoreArgs(Args):
    """Which cancelled schedule to bring back."""

    number: Annotated[int, Slot(None, "Which schedule (its number)?")] = Field(
        ge=1, description="The schedule's number."
    )


class RunView(Result):
    """One run of a schedule.

    Attributes:
        run: counts up from 1 within the schedule.
        due: when it was due.
        status: due, running, waiting (for an approval), done, failed, cancelled or skipped.
        note: what a person should know: why it failed or was skipped.
        receipts: ids of what it did.
        conversation: the thread in which it was carried out.
    """

    run: int
    due: datetime
    status: str
    note: str = ""
    receipts: list[str] = Field(default_factory=list)
    conversation: str | None = None


class ScheduleView(Result):
    """One schedule.

    Attributes:
        schedule: the name by which it is called.
        id: its number.
        status: active, paused, cancelled or ended.
        when: in words.
        timing: as data.
        sentence: what was said.
        operations: what it does, in order.
        dangerous: those of them that wait for an approval each time.
        next: the next moments at which it is due, with their offset; none for a job's end.
        owner: for whom it acts.
        note: why it ended, if it did by itself.
        runs: the newest first.
    """

    schedule: str
    id: int
    status: ScheduleStatus
    when: str
    timing: dict[str, Any]
    sentence: str
    operations: list[str]
    dangerous: list[str] = Field(default_factory=list)
    next: list[datetime] = Field(default_factory=list[datetime])
    owner: str
    note: str = ""
    runs: list[RunView] = Field(default_factory=list[RunView])


class ScheduleList(Result):
    """The schedules, newest first."""

    schedules: list[ScheduleView]
