"""`no, v2 and v4`, `and v2 with the champion?`: a comparison with both its versions said anew."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.plan import Plan, Step
from graphs.understanding.clause import strip_leading
from graphs.understanding.lexicon import phrases
from graphs.understanding.link import resolve_alias
from graphs.understanding.names import NameView
from graphs.understanding.text import Token
from graphs.understanding.values import number_at
from graphs.understanding.written import read_version

_COMPARE = "evaluation.compare"
_LED = (
    ("compare",), ("pit",), ("set",), ("put",), ("measure",), ("i", "meant"), ("i", "mean"),
    ("rather",), ("it", "is"), ("it's",), ("between",), ("versions",), ("the",), (",",),
)  # fmt: skip
_JOINED = frozenset(["and", "with", "against", "vs", "versus", "to", "by"])
_SMALL = frozenset(["the", "version", "versions", "v", "its", "current", "one"])
_ENDS = frozenset(["instead", "please", "then", "too", "again", "sorry", "?", ".", "!"])


def both_sides(tokens: Sequence[Token], last: Plan, names: NameView) -> Step | None:
    """The comparison of the last plan with the two versions that a sentence says, and no more.

    Args:
        tokens: the sentence.
        last: the plan that it changes or goes on with.
        names: the catalogue, in which aliases stand.

    Returns:
        The step; None if the sentence says anything else.
    """
    step = next((s for s in last.steps if s.operation == _COMPARE), None)
    model = step.arguments.get("model") if step else None
    if step is None or not isinstance(model, str):
        return None
    lead = (*phrases("dialogue", "correction"), *phrases("dialogue", "ellipsis"), *_LED)
    said = strip_leading(list(tokens), (*lead, *phrases("dialogue", "leading")))
    while said and said[-1].low in _ENDS:
        said = said[:-1]
    at = next((i for i, t in enumerate(said) if t.low in _JOINED), 0)
    other = step.arguments.get("other_model", model)
    sides = [_version(said[:at], model, names), _version(said[at + 1 :], str(other), names)]
    if None in sides or (sides[0] == sides[1] and other == model):
        return None
    versions = {"version": sides[0], "other_version": sides[1]}
    return step.model_copy(update={"arguments": {**step.arguments, **versions}})


def _version(side: Sequence[Token], model: str, names: NameView) -> int | None:
    """The version that one side of a comparison says, by its number or its alias."""
    kept = [t for t in side if t.low not in _SMALL]
    if len(kept) != 1:
        return None
    number = number_at(kept, 0)
    version = int(number[0]) if number else read_version(kept[0].low)
    return resolve_alias(model, version, names) if isinstance(version, str) else version
