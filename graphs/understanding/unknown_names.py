"""Questions about what a short sentence names and nobody knows: `no, the hourly one`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphs.plan import Question, Step
from graphs.understanding.asking import ask
from graphs.understanding.clause import strip_leading
from graphs.understanding.names import NameView
from graphs.understanding.remarks import tells
from graphs.understanding.text import Token
from graphs.understanding.unknown_places import LONGEST, TOWARDS
from tools.kernel.entities import EntityKind

if TYPE_CHECKING:
    from graphs.understanding.understanding import Understanding


def unknown_place(
    parser: Understanding, name: str, tokens: Sequence[Token], names: NameView
) -> Question | None:
    """The question about a group that nobody knows, which an act is to go to: `to the moon`."""
    operation = parser.operations.get(name)
    said = [t for t in tokens if t.kind != "punctuation"]
    group = operation.slots.get("group")
    if group is None or not group.closed or len(said) < 2 or said[0].low not in TOWARDS:
        return None
    place = strip_leading(said[1:], (("the",), ("our",)))
    if len(place) > LONGEST or any(t.kind != "word" or t.low in parser.verbs for t in place):
        return None
    text = f"I know no group of devices called {' '.join(t.text for t in place)!r}."
    return ask(operation, "group", names, said=text)


def unknown_thing(
    parser: Understanding, step: Step, tokens: Sequence[Token], names: NameView
) -> Question | None:
    """The question about what a correction says instead, if nothing is called so: `the laptopz`.

    Args:
        parser: what is understood.
        step: the step that is corrected.
        tokens: the correction without its no.
        names: the catalogue.

    Returns:
        None if the words may be anything but a thing's name.
    """
    said = [t for t in tokens if t.kind != "punctuation"]
    towards = (*((word,) for word in TOWARDS), ("from",), ("with",), ("for",))
    thing = strip_leading(said, (*towards, ("the",), ("our",), ("those",), ("these",)))
    code = len(thing) == 1 and bool(_CODE.fullmatch(thing[0].low))
    if (len(thing) == len(said) and not code) or not 0 < len(thing) <= LONGEST:
        return None
    fits = all(t.kind == "word" and t.low not in parser.verbs and not tells(t.low) for t in thing)
    operation = parser.operations.get(step.operation)
    named = [n for n, slot in operation.slots.items() if n in step.arguments and slot.closed
             and slot.kind not in (None, EntityKind.MODEL_VERSION)]  # fmt: skip
    rows = [n for n in named if operation.slots[n].kind is EntityKind.DATASET]
    ways = [n for n in named if n == "group"] or rows or (named if len(named) == 1 else [])
    slot = ways[0] if ways else None
    if slot is None or not fits:
        return None
    kind = str(operation.slots[slot].kind).replace("_", " ")
    what = strip_leading(said, towards)
    told = f"I know no {kind} that would be {' '.join(t.text for t in what)!r}."
    return ask(operation, slot, names, said=told)


_CODE = re.compile(r"[a-z]+[-_][a-z0-9-_]*\d+")
"""What is shaped as a device's name: `groomer-21`."""
