"""Checking a drafted step against its operation and the live catalogue."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from graphs.names import LiveNames
from graphs.plan import Step, StepRef, references
from tools.kernel.entities import fold, nearest, parse_model_reference
from tools.kernel.operations import AnyOperation


def check_step(
    step: Step, operation: AnyOperation, earlier: Mapping[str, AnyOperation], names: LiveNames
) -> str | None:
    """What is wrong with a step, in one sentence, or None.

    Args:
        step: the drafted step.
        operation: the operation that it calls.
        earlier: the operations of the steps before it, by step.
        names: the live catalogue.
    """
    waiting = references(step.arguments)
    fields = operation.input.model_fields
    for name in step.arguments:
        if name not in fields:
            return f"{operation.name} has no argument {name!r}; it takes {', '.join(fields)}."
    return (
        _wrong_order(step, waiting, earlier)
        or _missing(step, operation)
        or _wrong_value(step, operation, set(waiting))
        or _unknown_name(step, operation, set(waiting), names)
    )


def _wrong_order(
    step: Step, waiting: Mapping[str, StepRef], earlier: Mapping[str, AnyOperation]
) -> str | None:
    for name, reference in waiting.items():
        before = earlier.get(reference.step)
        if before is None:
            return f"{step.id}.{name} refers to {reference.step!r}, which does not come before it."
        results = before.output.model_fields
        if reference.field.partition(".")[0] not in results:
            return f"{before.name} gives no {reference.field!r}; it gives {', '.join(results)}."
    for need in step.depends_on:
        if need not in earlier:
            return f"{step.id} depends on {need!r}, which does not come before it."
    return None


def _missing(step: Step, operation: AnyOperation) -> str | None:
    fields = operation.input.model_fields
    missing = [n for n, f in fields.items() if f.is_required() and n not in step.arguments]
    spoken = step.arguments.get("model")
    if isinstance(spoken, str):
        reference = parse_model_reference(spoken)
        if reference.version is not None or reference.alias is not None:
            missing = [n for n in missing if n != "version"]
    return f"{operation.name} needs {', '.join(missing)}." if missing else None


def _wrong_value(step: Step, operation: AnyOperation, waiting: set[str]) -> str | None:
    try:
        operation.input.model_validate(step.arguments)
    except ValidationError as error:
        for problem in error.errors():
            name = str(problem["loc"][0]) if problem["loc"] else ""
            later = name in waiting or (waiting and not name)
            if not later and problem["type"] != "missing" and not name.endswith("version"):
                return f"{operation.name}: {name or 'arguments'}: {problem['msg']}."
    return None


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
