"""The supervisor: a LangGraph over one plan.

    confirm → schedule ⇉ step (one or several at once) → schedule … → approve → schedule … → END

`confirm` and `approve` hold nothing but an `interrupt()`, because nodes are replayed on resume.
Every step runs under the idempotency key `plan:step`, so that a step which a crash cut off and the
checkpoint repeats finds the job it had started instead of starting another.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send, interrupt

from graphs.events import StepFailed, StepSkipped
from graphs.plan import Plan, Step
from graphs.steps import ENDED, StepState, blocked, ready
from tools.kernel.errors import PilothouseError

if TYPE_CHECKING:
    from langgraph.checkpoint.base import BaseCheckpointSaver

    from graphs.dispatch import Dispatcher


def _merged(old: dict[str, StepState], new: dict[str, StepState]) -> dict[str, StepState]:
    return {**old, **new}


class TurnState(TypedDict):
    """What the checkpoints of a turn hold; all of it is JSON-like."""

    plan: dict[str, Any]
    context: dict[str, Any]
    confirm: bool
    confirmed: bool
    states: Annotated[dict[str, StepState], _merged]
    rounds: Annotated[int, operator.add]


class StepInput(TypedDict):
    """What `Send` hands to the node that runs one step."""

    plan: dict[str, Any]
    context: dict[str, Any]
    states: dict[str, StepState]
    step: dict[str, Any]


def build_supervisor(dispatcher: Dispatcher, checkpointer: BaseCheckpointSaver[Any]) -> Any:
    """Compile the graph.

    Args:
        dispatcher: hands a step to its agent and follows its job.
        checkpointer: keeps every turn's state durably.
    """
    graph = StateGraph(TurnState)
    graph.add_node("confirm", _confirm)
    graph.add_node("schedule", _schedule)
    graph.add_node("step", dispatcher.run)
    graph.add_node("approve", _approve)
    graph.add_node("settle", dispatcher.settle)
    graph.add_conditional_edges(START, _needs_confirming, ["confirm", "schedule"])
    graph.add_conditional_edges("confirm", _was_confirmed, ["schedule", END])
    graph.add_conditional_edges("schedule", _next, ["step", "approve", END])
    graph.add_edge("step", "schedule")
    graph.add_edge("approve", "settle")
    graph.add_edge("settle", "schedule")
    return graph.compile(checkpointer=checkpointer)


async def _needs_confirming(state: TurnState) -> str:
    return "confirm" if state["confirm"] else "schedule"


async def _confirm(state: TurnState) -> dict[str, Any]:
    return {"confirmed": bool(interrupt({"kind": "confirm"}))}


async def _was_confirmed(state: TurnState) -> str:
    return "schedule" if state["confirmed"] else END


async def _schedule(state: TurnState) -> dict[str, Any]:
    """Settle, one after another, the steps that are ready but must not run."""
    plan, states = Plan.model_validate(state["plan"]), dict(state["states"])
    decided: dict[str, StepState] = {}
    while True:
        fresh = {s.id: _skip(s, states) for s in ready(plan, states)}
        skipped = {key: value for key, value in fresh.items() if value is not None}
        if not skipped:
            return {"states": decided, "rounds": 1}
        for step, held in skipped.items():
            _tell(step, held)
        decided.update(skipped)
        states.update(skipped)


def _tell(step: str, held: StepState) -> None:
    write = get_stream_writer()
    if held["status"] == "failed":
        write(StepFailed(step=step, error=held.get("error", {})))
    else:
        write(StepSkipped(step=step, reason=held.get("reason", "")))


def _skip(step: Step, states: dict[str, StepState]) -> StepState | None:
    try:
        reason = blocked(step, states)
    except PilothouseError as error:
        return StepState(status="failed", error=error.as_dict())
    return StepState(status="skipped", reason=reason) if reason else None


async def _next(state: TurnState) -> str | list[Send]:
    plan, states = Plan.model_validate(state["plan"]), state["states"]
    runnable = ready(plan, states)
    if runnable:
        shared = {k: state[k] for k in ("plan", "context", "states")}
        return [Send("step", {**shared, "step": s.model_dump(mode="json")}) for s in runnable]
    if any(s.get("status") not in ENDED for s in states.values()):
        return "approve"
    return END


async def _approve(state: TurnState) -> dict[str, Any]:
    waiting = {k: s.get("approval") for k, s in state["states"].items() if s["status"] == "waiting"}
    interrupt({"kind": "approve", "waiting": waiting})
    return {}
