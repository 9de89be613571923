"""Steps of a plan in the making: numbered anew, compared, and one for everything named."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import Any

from graphs.plan import Condition, Step, references
from graphs.understanding.reading import Filled


def number_anew(steps: Sequence[Step]) -> None:
    """Ids that count up from one again, after a step that none refers to was dropped."""
    new = {step.id: f"s{number}" for number, step in enumerate(steps, start=1)}
    for step in steps:
        step.id = new[step.id]
        step.depends_on = [new[needed] for needed in step.depends_on]
        for name, ref in references(step.arguments).items():
            step.arguments[name] = {"step": new.get(ref.step, ref.step), "field": ref.field}
        if step.condition is not None:
            step.condition.left.step = new[step.condition.left.step]


def ends(steps: Sequence[Step]) -> list[str]:
    """The steps that none of the others waits for."""
    waited = {needed for step in steps for needed in step.depends_on}
    return [step.id for step in steps if step.id not in waited]


def same_step(
    step: Step, operation: str, arguments: dict[str, Any], condition: Condition | None
) -> bool:
    """True for a step that was planned already: said twice is meant once."""
    return (step.operation, step.arguments, step.condition) == (operation, arguments, condition)


def every(filled: Filled) -> list[dict[str, Any]]:
    """The arguments of each step: one for every combination of what was named several times.

    Two lists of the same length are taken pair by pair: `v4 on tickets and v3 on complaints`.
    """
    ranges: list[list[dict[str, Any]]] = [[{}]]
    for name, further in filled.several.items():
        changes = [
            value if isinstance(value, dict) and name == "model" else {name: value}
            for value in further
        ]
        ranges.append([{}, *changes])
    combined: list[dict[str, Any]] = []
    paired = len(ranges) == 3 and len(ranges[1]) == len(ranges[2])
    for change in zip(*ranges[1:], strict=True) if paired else product(*ranges):
        arguments = dict(filled.arguments)
        for part in change:
            arguments.update(part)
        combined.append(arguments)
    return combined
