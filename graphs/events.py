"""What the assistant tells its doors, as one discriminated stream that they only render."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, TypeAdapter

from graphs.plan import ModelUse, Plan, Question, Step


class _Event(BaseModel):
    """Common to all: the thread, the turn's number in it, and one that grows within the turn."""

    thread: str = ""
    turn: int = 0
    seq: int = 0


class PlanEvent(_Event):
    """The plan, before anything is done."""

    kind: Literal["plan"] = "plan"
    plan: Plan


class QuestionEvent(_Event):
    """One thing is missing; the next sentence may answer it."""

    kind: Literal["question"] = "question"
    question: Question


class ConfirmEvent(_Event):
    """The plan writes; a person says yes or no once."""

    kind: Literal["confirm"] = "confirm"
    text: str
    steps: list[Step]


class ApprovalEvent(_Event):
    """A dangerous step waits for an approval; nothing was done."""

    kind: Literal["approval"] = "approval"
    step: str
    approval: dict[str, Any]


class StepStarted(_Event):
    """An agent begins a step."""

    kind: Literal["step_started"] = "step_started"
    step: str
    operation: str
    agent: str
    arguments: dict[str, Any]


class Progress(_Event):
    """A job moved; `fraction` from 0 to 1."""

    kind: Literal["progress"] = "progress"
    step: str
    job: int | None = None
    fraction: float = 0.0
    message: str = ""
    metrics: dict[str, float] = Field(default_factory=dict[str, float])


class StepFinished(_Event):
    """A step is done; what is said of it comes from the receipt.

    Attributes:
        revealed: the result with its secrets, for the asker's own screen; never stored.
    """

    kind: Literal["step_finished"] = "step_finished"
    step: str
    receipt: dict[str, Any]
    result: dict[str, Any]
    revealed: dict[str, Any] | None = None


class StepFailed(_Event):
    """A step failed; the error is as doors show it."""

    kind: Literal["step_failed"] = "step_failed"
    step: str
    error: dict[str, Any]


class StepSkipped(_Event):
    """A step was not run: its condition does not hold, or a step before it failed."""

    kind: Literal["step_skipped"] = "step_skipped"
    step: str
    reason: str


class Message(_Event):
    """Words for the person that are not about a step."""

    kind: Literal["message"] = "message"
    text: str


class Preflight(_Event):
    """What a step would do, for a dry run."""

    kind: Literal["preflight"] = "preflight"
    step: str
    preview: dict[str, Any]


Status = Literal[
    "done", "needs_input", "needs_confirmation", "needs_approval", "failed", "cancelled"
]


class Done(_Event):
    """The turn's last event.

    Attributes:
        use: what language models took in this turn; None if none was asked.
    """

    kind: Literal["done"] = "done"
    status: Status
    receipts: list[str] = Field(default_factory=list)
    use: ModelUse | None = None


AssistantEvent = Annotated[
    PlanEvent
    | QuestionEvent
    | ConfirmEvent
    | ApprovalEvent
    | StepStarted
    | Progress
    | StepFinished
    | StepFailed
    | StepSkipped
    | Message
    | Preflight
    | Done,
    Field(discriminator="kind"),
]

EVENT: TypeAdapter[AssistantEvent] = TypeAdapter(AssistantEvent)
