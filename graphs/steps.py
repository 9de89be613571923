"""The pure part of carrying out a plan: which steps are ready, and with which arguments."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Literal, Required, TypedDict

from graphs.plan import Condition, Plan, Step, StepRef, references
from tools.kernel.errors import InvalidInput

Outcome = Literal["done", "failed", "skipped", "waiting", "cancelled"]


class StepState(TypedDict, total=False):
    """How a step stands, as the graph's checkpoints keep it."""

    status: Required[Outcome]
    result: dict[str, Any]
    receipt: dict[str, Any]
    error: dict[str, Any]
    approval: str
    job: int
    reason: str
    use: dict[str, Any]


_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}
_ENDINGS = {"skipped": "was not run", "failed": "failed", "cancelled": "was cancelled"}
ENDED = ("done", "failed", "skipped", "cancelled")


def ready(plan: Plan, states: Mapping[str, StepState]) -> list[Step]:
    """The steps that can begin now: not begun, and all they depend on has ended."""
    return [
        step
        for step in plan.steps
        if step.id not in states
        and all(states.get(d, {}).get("status") in ENDED for d in needs(step))
    ]


def needs(step: Step) -> set[str]:
    """The steps that must have ended before: declared, referred to, or compared."""
    found = set(step.depends_on) | {ref.step for ref in references(step.arguments).values()}
    if step.condition is not None:
        found.add(step.condition.left.step)
        if isinstance(step.condition.right, StepRef):
            found.add(step.condition.right.step)
    return found


def blocked(step: Step, states: Mapping[str, StepState]) -> str | None:
    """Why a ready step must not run, or None if it may.

    A step is skipped if one that it needs did not succeed, or its condition does not hold.
    """
    for need in sorted(needs(step)):
        status = states[need].get("status")
        if status != "done":
            return f"{need} {_ENDINGS.get(status or '', 'did not succeed')}"
    if step.condition is None:
        return None
    held, figures = holds(step.condition, states)
    return None if held else f"its condition does not hold ({figures})"


def holds(condition: Condition, states: Mapping[str, StepState]) -> tuple[bool, str]:
    """Whether a condition holds on the real results, and the figures that it was decided on.

    Raises:
        InvalidInput: if a figure is not in its step's result.
    """
    left = look_up(condition.left, states)
    right: Any = condition.right
    if isinstance(right, StepRef):
        right = look_up(right, states)
    bound = right + condition.margin if condition.margin else right
    met = _COMPARE[condition.op](left, bound)
    figures = f"{condition.left.field} {_short(left)}, asked {condition.op} {_short(bound)}"
    return met is not condition.otherwise, figures


def look_up(reference: StepRef, states: Mapping[str, StepState]) -> Any:
    """The value that a reference stands for; dots reach into nested results.

    Raises:
        InvalidInput: if the result has no such field.
    """
    value: Any = states.get(reference.step, {}).get("result", {})
    for part in reference.field.split("."):
        if not isinstance(value, dict) or value.get(part) is None:
            raise InvalidInput(
                f"The result of step {reference.step} has no {reference.field!r} to go on with."
            )
        value = value[part]
    return value


def arguments_for(step: Step, states: Mapping[str, StepState]) -> dict[str, Any]:
    """The step's arguments with every reference replaced by the real value."""
    found = {name: look_up(ref, states) for name, ref in references(step.arguments).items()}
    return {**step.arguments, **found}


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
