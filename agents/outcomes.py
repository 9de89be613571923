"""What is handed to the team, and what it hands back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from tools.kernel.identity import RequestContext

if TYPE_CHECKING:
    from agents.events import ToolOutcome


class PlannedCall(BaseModel):
    """One step of a plan, with its arguments filled in.

    Attributes:
        operation: `domain.verb`.
        arguments: its arguments.
        plan: the plan's id; with the step's it becomes part of an approval's digest.
        step: the step's id.
        approval: an approval's id, when a granted step goes on.
        idempotency_key: see the gate.
    """

    operation: str
    arguments: dict[str, Any] = Field(default_factory=dict[str, Any])
    plan: str | None = None
    step: str | None = None
    approval: str | None = None
    idempotency_key: str | None = None

    @property
    def domain(self) -> str:
        """The part of the operation before the dot."""
        return self.operation.partition(".")[0]

    @property
    def tool(self) -> str:
        """The operation as an MCP tool's name: `registry_promote`."""
        return self.operation.replace(".", "_", 1)

    def bound(self, context: RequestContext) -> RequestContext:
        """The context of this very step."""
        if self.plan is None or (context.plan, context.step) == (self.plan, self.step):
            return context
        return context.for_step(self.plan, self.step or "")


class StepOutcome(BaseModel):
    """What came of a call: a receipt with its result, an error, or an approval to wait for.

    Attributes:
        result: the operation's output, secrets masked.
        receipt: the proof; None if nothing was done.
        error: as doors show it.
        needs_approval: the pending approval, with `command` and `link` to decide it.
        job: the job that it started; its end writes a receipt of its own.
        revealed: the result with its secrets, for the asker's screen alone; never store it.
    """

    result: dict[str, Any] | None = None
    receipt: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    needs_approval: dict[str, Any] | None = None
    job: int | None = None
    revealed: dict[str, Any] | None = Field(default=None, repr=False, exclude=True)


class Usage(BaseModel):
    """Tokens of a language model."""

    prompt: int = 0
    completion: int = 0


class MadeCall(BaseModel):
    """A call that a language model chose."""

    call: PlannedCall
    outcome: StepOutcome


class OpenOutcome(BaseModel):
    """What came of an open task.

    Attributes:
        agent: who had it.
        text: the model's words: to be shown beside the receipts, never instead of them.
        calls: what was called, in order.
        proposals: changes that the model wants and a person has to confirm first.
        needs_approval: the pending approval of a dangerous choice.
        usage: tokens used.
        error: why the model could not go on.
    """

    agent: str
    text: str = ""
    calls: list[MadeCall] = Field(default_factory=list[MadeCall])
    proposals: list[PlannedCall] = Field(default_factory=list[PlannedCall])
    needs_approval: dict[str, Any] | None = None
    usage: Usage = Field(default_factory=Usage)
    error: dict[str, Any] | None = None


def settled(event: ToolOutcome) -> StepOutcome:
    """The outcome that a tool's structured content tells."""
    return outcome_of(event.structured, event.revealed)


def outcome_of(structured: dict[str, Any], revealed: dict[str, Any] | None) -> StepOutcome:
    """The outcome that structured content tells.

    Args:
        structured: `{"result", "receipt"}` or `{"error"}`.
        revealed: the result with its secrets, where it holds any.
    """
    error = structured.get("error")
    if error is not None:
        if error.get("code") == "needs_approval" and error.get("approval"):
            ways = {key: error[key] for key in ("command", "link") if key in error}
            return StepOutcome(needs_approval={**error["approval"], **ways})
        return StepOutcome(error=error, receipt=structured.get("receipt"))
    receipt = structured.get("receipt") or {}
    return StepOutcome(
        result=structured.get("result") or {},
        receipt=receipt,
        job=receipt.get("job") if receipt.get("status") == "started" else None,
        revealed=revealed,
    )


def cancelled(operation: str) -> StepOutcome:
    """The outcome of a call that ended without any."""
    return StepOutcome(error={"code": "cancelled", "message": f"{operation} was cancelled."})
