"""A plan with a time: what is confirmed now is that it is kept, and what is kept is the plan."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import islice

from graphs.plan import Plan, Step
from graphs.understanding import ParsedPlan
from graphs.understanding.later import at_time
from tools.kernel.errors import PilothouseError
from tools.kernel.operations import Effect, OperationSet
from tools.schedules.timing import Timing, in_words, moment, upcoming

CREATE = "schedules.create"
OPEN_TASK = "agent."
_SHOWN = 3


def timing_of(plan: Plan) -> Timing | None:
    """When a plan is to be carried out; None for now."""
    return next((step.schedule for step in plan.steps if step.schedule is not None), None)


def arranged(plan: Plan) -> Plan:
    """The plan that is carried out now: of one with a time, the step that keeps it for then."""
    timing = timing_of(plan)
    if timing is None:
        return plan
    kept = [step.model_dump(mode="json", exclude={"schedule"}) for step in plan.steps]
    arguments = {
        "sentence": plan.text,
        "steps": kept,
        "timing": timing.model_dump(mode="json"),
    }
    return plan.model_copy(update={"steps": [Step(id="s0", operation=CREATE, arguments=arguments)]})


def timed_as(parsed: ParsedPlan, drafted: Plan) -> Plan:
    """A language model's plan at the time that the parser found: never now what is for later.

    An open task has no fixed calls that could be shown and kept; it is refused for later.
    """
    if parsed.when is None or not drafted.steps:
        return drafted
    if any(step.operation.startswith(OPEN_TASK) for step in drafted.steps):
        reply = (
            f"I can only keep exact steps for {parsed.when.said!r}: say more exactly what to do."
        )
        return drafted.model_copy(update={"steps": [], "abstained": True, "reply": reply})
    return drafted.model_copy(update={"steps": at_time(drafted.steps, parsed.when)})


def announcement(plan: Plan, operations: OperationSet, now: datetime) -> str | None:
    """What a person should know before a plan with a time is confirmed; None for one without."""
    timing = timing_of(plan)
    if timing is None:
        return None
    told = [f"To be carried out {in_words(timing)}."]
    due = [moment(at) for at in islice(upcoming(timing, now), _SHOWN)]
    if len(due) > 1:
        told.append(f"Next: {', '.join(due)}.")
    if asked := list(dict.fromkeys(_dangerous(plan.steps, operations))):
        each = "it is due" if timing.every is None else "it is due, every time"
        are = "is" if len(asked) == 1 else "are"
        told.append(f"{' and '.join(asked)} {are} dangerous: approval is asked for when {each}.")
    return " ".join(told)


def _dangerous(steps: Sequence[Step], operations: OperationSet) -> list[str]:
    found: list[str] = []
    for step in steps:
        operation = operations.get(step.operation)
        try:
            effect = operation.effect_for(operation.input.model_construct(**step.arguments))
        except (AttributeError, TypeError, ValueError, PilothouseError):
            effect = operation.effect
        if effect is Effect.DANGEROUS:
            found.append(step.operation)
    return found
