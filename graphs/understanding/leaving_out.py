"""`without dora`, `without the registering`: a plan that waits, with less in it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphs.plan import Plan, Step, references
from graphs.understanding.lexicon import fields
from graphs.understanding.text import Token

_WITHOUT = re.compile(
    r"^(?:(?:ok|okay|and|but|actually|no|hm|wait|please|do it|make it|just|then) )*"
    r"(?:(?:without|minus|leave out|drop|skip) (?:the |any |its )?(?P<what>[a-z -]+?)"
    r"|(?:leave|take) (?:the |any |its )?(?P<out>[a-z -]+?) (?:out|off|away|aside))"
    r"(?: (?:step|part|please|this time|for now|then|again|though))*$"
)
_STEPS = {
    "registry.register": ("registering", "registration", "register"),
    "registry.promote": ("champion", "challenger", "staging", "promoting", "promotion", "promote"),
    "evaluation.run": ("evaluating", "evaluation", "evaluate", "eval", "testing", "test"),
    "evaluation.compare": ("comparing", "comparison", "compare"),
    "deployment.start": ("deploying", "deployment", "deploy", "rollout", "canary"),
    "training.optimize": ("shrinking", "optimising", "optimizing", "optimisation", "optimization"),
}


def left_out(tokens: Sequence[Token], waits: Plan | None) -> list[Step] | None:
    """The steps of a plan that waits, without a switch or a step that is not wanted after all.

    Args:
        tokens: what was said.
        waits: the plan that waits for its yes.

    Returns:
        None where nothing of the plan is meant, or another step rests on what is.
    """
    end = next((i for i, t in enumerate(tokens) if i > 1 and t.low in {",", ".", ";"}), None)
    found = _WITHOUT.match(" ".join(t.low for t in tokens[:end] if t.kind != "punctuation"))
    if waits is None or found is None:
        return None
    what = re.sub(r" (?:part|step|bit)$", "", found["what"] or found["out"])
    return _without_switch(what, waits) or _without_limit(what, waits) or _without_step(what, waits)


def _without_switch(what: str, waits: Plan) -> list[Step] | None:
    for step in waits.steps:
        for name, value in step.arguments.items():
            if value is True and what in _words_for(step.operation, name):
                rest = {n: v for n, v in step.arguments.items() if n != name}
                moved = step.model_copy(update={"arguments": rest})
                return [moved if s is step else s for s in waits.steps]
    return None


def _without_limit(what: str, waits: Plan) -> list[Step] | None:
    """`drop the memory limit`: the plan without the one argument that says it."""
    words = [w for w in what.split() if w not in _LIMIT]
    found = [
        (step, name)
        for step in waits.steps
        for name in step.arguments
        if words
        and set(words) <= set(name.split("_"))
        and (words != what.split() or len(words) > 1)
    ]
    if len(found) != 1:
        return None
    step, gone = found[0]
    rest = {n: v for n, v in step.arguments.items() if n != gone}
    return [s.model_copy(update={"arguments": rest}) if s is step else s for s in waits.steps]


_LIMIT = frozenset(["limit", "bound", "restriction", "filter", "requirement", "condition"])


def _words_for(operation: str, name: str) -> set[str]:
    table = fields()
    spec = table["operations"].get(operation, {}).get(name) or table["fields"].get(name, {})
    led = {w.removeprefix("with ").removeprefix("use ") for w in spec.get("true", ())}
    return {name.replace("_", " "), *led}


def _without_step(what: str, waits: Plan) -> list[Step] | None:
    gone = [s for s in waits.steps if what in _STEPS.get(s.operation, ())]
    gone = gone or [s for s in waits.steps if _names_act(what, s.operation)]
    if len(waits.steps) < 2 or len(gone) != 1:
        return None
    kept = [s for s in waits.steps if s is not gone[0]]
    if any(_rests_on(step, gone[0].id) for step in kept):
        return None
    return [_without_dependency(step, gone[0]) for step in kept]


def _names_act(what: str, operation: str) -> bool:
    """True for the noun of an act, by the words of its name: `key rotation` of `rotate_key`."""
    own = operation.replace(".", "_").split("_")
    said = [w for w in what.split() if w not in {"of", "the", "its"}]
    return bool(said) and all(any(_akin(w, part) for part in own) for w in said)


def _akin(word: str, part: str) -> bool:
    return word == part or (len(part) >= _STEM and word[:_STEM] == part[:_STEM])


_STEM = 4
"""Letters that a noun shares with its verb: `rotation`, `rotate`."""


def _rests_on(step: Step, other: str) -> bool:
    """True if a step needs what another one finds, and not only its end."""
    given = any(ref.step == other for ref in references(step.arguments).values())
    return given or (step.condition is not None and step.condition.left.step == other)


def _without_dependency(step: Step, gone: Step) -> Step:
    """A step that waits for what the step that is left out had waited for."""
    if gone.id not in step.depends_on:
        return step
    before = [n for n in gone.depends_on if n not in step.depends_on]
    waits_for = [n for n in step.depends_on if n != gone.id]
    return step.model_copy(update={"depends_on": [*before, *waits_for]})
