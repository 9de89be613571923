"""`before that, evaluate it`, `measure its drift first`: a step put before a plan that waits."""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphs.plan import Plan, Step, references
from graphs.understanding.text import Token, tokenise

_THAT = (
    r"(?:that|this|it|anything|doing (?:that|this|so|it)"
    r"|(?:you|we) (?:do|start|begin)(?: (?:that|this|it|so))?)"
)
_LED = r"^(?:(?:and|but|ok|okay|oh|wait|sorry|no|yes|please|actually|well|hm) (?:, )?)*"
_BEFORE = (
    re.compile(rf"{_LED}(?:right )?before {_THAT} ?,? (?:please |also |though )?(?P<what>\S+ .+)$"),
    re.compile(rf"{_LED}(?P<what>\S+ .+?),? (?:right )?before (?:all )?{_THAT}(?: please)?$"),
    re.compile(rf"{_LED}(?:first|first of all|but first) ?,? (?P<what>\S+ .+)$"),
    re.compile(rf"{_LED}(?P<what>\S+ .+?) (?:beforehand|up front|first)(?: please| though)?$"),
    re.compile(
        rf"{_LED}(?:put|place|insert|add) (?P<noun>an? .+?|the .+?) "
        r"(?:in front|before it|before that|first|up front)$"
    ),
)  # fmt: skip

_SHARE = re.compile(
    r"(?:\bof (?:them|those|the [\w-]+)|%|\b(?:percent|half|third|quarter|fifth|tenth|at|one)"
    r"|\b(?:one|two|three|four|five|ten|\d+)(?: (?:device|phone|laptop|server|box|machine)e?s?)?)"
    r"$",
    re.IGNORECASE,
)
"""How many devices are to come first, which puts no step before anything."""


def wished_before(tokens: Sequence[Token]) -> list[Token]:
    """The wish that a sentence puts before a plan; empty if it puts none there.

    Args:
        tokens: the sentence.
    """
    said = " ".join(t.text for t in tokens).strip(" .!")
    for pattern in _BEFORE:
        if found := re.match(pattern.pattern, said, re.IGNORECASE):
            words = found.groupdict()
            if _SHARE.search(words.get("what") or ""):
                continue  # `roll it out to the laptops, half of them first`
            return tokenise(words.get("what") or f"run {words['noun']}")
    return []


def put_before(first: Plan, waits: Plan) -> list[Step]:
    """The steps of two plans, of which the second waits for the end of the first.

    Args:
        first: what is to be done before.
        waits: the plan that was there.
    """
    ends = {s.id for s in first.steps} - {n for s in first.steps for n in s.depends_on}
    new = {s.id: f"s{len(first.steps) + at}" for at, s in enumerate(waits.steps, start=1)}
    return [*first.steps, *(_later(step, new, sorted(ends)) for step in waits.steps)]


def _later(step: Step, new: dict[str, str], ends: list[str]) -> Step:
    moved = step.model_copy(deep=True)
    moved.id = new[step.id]
    moved.depends_on = [new[needed] for needed in step.depends_on] or list(ends)
    for name, ref in references(step.arguments).items():
        moved.arguments[name] = {"step": new.get(ref.step, ref.step), "field": ref.field}
    if moved.condition is not None:
        moved.condition.left.step = new[moved.condition.left.step]
    return moved
