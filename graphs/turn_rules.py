"""What a plan asks of its turn, and what became of it: rules without state."""

from __future__ import annotations

import sqlite3
from typing import Any

from graphs.arranging import arranged, timing_of
from graphs.dispatch import OPEN_TASK
from graphs.events import Status
from graphs.plan import ModelUse, Plan, references
from graphs.steps import StepState
from tools.kernel.errors import PilothouseError
from tools.kernel.operations import Effect, OperationSet


def first_input(plan: Plan, context: dict[str, Any], *, confirm: bool) -> dict[str, Any]:
    """The state with which a turn begins."""
    return {
        "plan": arranged(plan).model_dump(mode="json"),
        "context": context,
        "confirm": confirm,
        "confirmed": False,
        "states": {},
        "rounds": 0,
    }


def carries_out(plan: Plan) -> bool:
    """True if a plan's steps are to be run: it asks nothing back and is no dry run."""
    return bool(plan.steps) and plan.question is None and not plan.dry_run


def needs_confirming(plan: Plan, operations: OperationSet) -> bool:
    """True if a step writes, or the plan is kept for later; dangerous steps have approvals of their
    own, reading asks nothing.
    """
    return timing_of(plan) is not None or any(
        _effect(s.operation, s.arguments, operations) is Effect.WRITE for s in plan.steps
    )


def is_one_read(plan: Plan, operations: OperationSet) -> bool:
    """True if a plan is one step that can only read, at once, whatever its arguments."""
    if len(plan.steps) != 1 or timing_of(plan) is not None or plan.steps[0].condition is not None:
        return False
    return any(
        o.effect is Effect.READ and not o.job and "effect_of" not in o.hooks
        for o in operations
        if o.name == plan.steps[0].operation
    )


def _effect(name: str, arguments: dict[str, Any], operations: OperationSet) -> Effect:
    if name.startswith(OPEN_TASK):
        return Effect.WRITE  # an agent that looks around by itself may change plain things
    operation = operations.get(name)
    plain = {k: v for k, v in arguments.items() if k not in references(arguments)}
    try:
        return operation.effect_for(operation.input.model_construct(**plain))
    except (AttributeError, PilothouseError):
        return operation.effect


def model_use(plan: Plan, states: dict[str, StepState]) -> ModelUse | None:
    """What language models took: in planning, and in the agents' open tasks."""
    parts = [plan.use] if plan.use is not None else []
    parts += [ModelUse.model_validate(u) for s in states.values() if (u := s.get("use"))]
    return sum(parts[1:], parts[0]) if parts else None


def as_failed(text: str) -> dict[str, Any]:
    """A turn that could not go on, as its steps' states."""
    return {"": StepState(status="failed", error={"message": text})}


def told_of(error: BaseException) -> str:
    """What a person is told of an error that nobody expected."""
    told = str(error)
    if isinstance(error, sqlite3.OperationalError | OSError) and told:
        return f"The conversation could not go on: {told}. What is done has its receipt."
    return "Something went wrong in carrying this out; the platform's log has the details."


def how_it_ended(
    interrupts: list[dict[str, Any]], plan: Plan, states: dict[str, StepState]
) -> Status:
    """The status of a turn whose graph has stopped."""
    if any(i.get("kind") == "confirm" for i in interrupts):
        return "needs_confirmation"
    if interrupts:
        return "needs_approval"
    found = {s.get("status") for s in states.values()}
    if "failed" in found:
        return "failed"
    return "cancelled" if "cancelled" in found or (plan.steps and not states) else "done"
