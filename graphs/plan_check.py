"""Checking a drafted step against its operation and the live catalogue."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.names import LiveNames
from graphs.plan import Step, references
from tools.kernel.entities import fold, nearest, parse_model_reference
from tools.kernel.operations import AnyOperation


def check_step(
    step: Step, operation: AnyOperation, steps: Sequence[str], names: LiveNames
) -> str | None:
    """What is wrong with a step, in one sentence, or None.

    Args:
        step: the drafted step.
        operation: the operation that it calls.
        steps: the ids of all steps of the plan, in order.
        names: the live catalogue.
    """
    waiting = references(step.arguments)
    earlier = list(steps)[: list(steps).index(step.id)]
    for name, reference in waiting.items():
        if reference.step not in earlier:
            return f"{step.id}.{name} refers to {reference.step!r}, which does not come before it."
    for need in step.depends_on:
        if need not in earlier:
            return f"{step.id} depends on {need!r}, which does not come before it."
    fields = operation.input.model_fields
    for name in step.arguments:
        if name not in fields:
            return f"{operation.name} has no argument {name!r}; it takes {', '.join(fields)}."
    missing = [n for n, f in fields.items() if f.is_required() and n not in step.arguments]
    if missing:
        return f"{operation.name} needs {', '.join(missing)}."
    return _unknown_name(step, operation, set(waiting), names)


def _unknown_name(
    step: Step, operation: AnyOperation, waiting: set[str], names: LiveNames
) -> str | None:
    for name, slot in operation.slots.items():
        value = step.arguments.get(name)
        if not isinstance(value, str) or name in waiting or not slot.closed or slot.kind is None:
            continue
        known = names.names(slot.kind)
        spoken = parse_model_reference(value).name if name.endswith("model") else value
        spellings = {fold(s) for entry in known for s in (entry.name, *entry.also)}
        if fold(value) not in spellings and fold(spoken) not in spellings:
            near = nearest(value, [entry.name for entry in known])
            kind = slot.kind.value.replace("_", " ")
            return f"there is no {kind} named {value!r}" + (
                f" (near: {', '.join(near)})." if near else "."
            )
    return None
