"""Checking a drafted step against its operation and the live catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from graphs.plan import Step, StepRef, references
from graphs.understanding.link import Linker, version_names
from graphs.understanding.names import NameView
from tools.kernel.entities import EntityKind, fold, parse_model_reference
from tools.kernel.operations import AnyOperation


@dataclass(frozen=True, slots=True)
class Catalogued:
    """The names that exist, and the parser's own linker to find them with.

    Attributes:
        names: the live catalogue.
        linker: keeps its indices.
    """

    names: NameView
    linker: Linker

    def has(self, kind: EntityKind, name: str) -> bool:
        """True if a name differs at most in case, spaces, dashes and underscores from one."""
        return bool(self.linker.index(kind, self.names).exact(fold(name)))

    def near(self, kind: EntityKind, name: str) -> list[str]:
        """Names that a misspelling may have meant."""
        return [entry.name for entry in self.linker.near(kind, name, self.names)]


def check_step(
    step: Step, operation: AnyOperation, earlier: Mapping[str, AnyOperation], names: Catalogued
) -> str | None:
    """What is wrong with a step, in one sentence, or None.

    Args:
        step: the drafted step.
        operation: the operation that it calls.
        earlier: the operations of the steps before it, by step.
        names: what exists.
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
    step: Step, operation: AnyOperation, waiting: set[str], names: Catalogued
) -> str | None:
    for name, slot in operation.slots.items():
        value = step.arguments.get(name)
        if not isinstance(value, str) or name in waiting or not slot.closed or slot.kind is None:
            continue
        spoken = parse_model_reference(value).name  # `ticket-router v3`, `tickets@2`
        if not names.has(slot.kind, value) and not names.has(slot.kind, spoken):
            near = names.near(slot.kind, value)
            kind = slot.kind.value.replace("_", " ")
            return f"there is no {kind} named {value!r}" + (
                f" (near: {', '.join(near)})." if near else "."
            )
    return _unknown_version(step, waiting, names)


def _unknown_version(step: Step, waiting: set[str], names: Catalogued) -> str | None:
    model, version = step.arguments.get("model"), step.arguments.get("version")
    if not isinstance(model, str) or not isinstance(version, int) or "model" in waiting:
        return None
    found = names.linker.index(EntityKind.MODEL, names.names).exact(fold(model))
    known = [v.name for f in found for v in version_names(f.name, names.names)]
    if known and str(version) not in known:
        return f"{model} has no version {version}; it has {', '.join(known[:10])}."
    return None
