"""The group that a new device joins: one that is known, or a new name that makes a new group."""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphs.understanding.asking import ask
from graphs.understanding.lexicon import words
from graphs.understanding.reading import Reading
from graphs.understanding.text import Token, slug
from tools.kernel.entities import EntityKind, fold

_INTO = frozenset(["into", "in", "to", "join", "joins", "joining", "onto", "within", "under"])
_GROUP = frozenset(["group", "fleet", "cluster"])
_PASSED = frozenset(["device", "existing", "called", "named", ":", "=", "name"])
_ONE_MORE = frozenset(["and", "too", "also", "well"])
_NO_NAME = frozenset(
    ["laptop", "phone", "server", "device", "devices", "service", "system", "platform"]
)


def open_groups(r: Reading) -> None:
    """A group said where a new one may be made: `into X`, `the X group`, `a new group called X`."""
    for name, slot in r.slots.items():
        if slot.kind is EntityKind.DEVICE_GROUP and not slot.closed and r.open(name):
            spans = sorted(_spans(r), key=lambda span: not span[2])
            for start, end, _ in spans:
                if _taken(r, name, start, end):
                    return


def new_group(tokens: Sequence[Token]) -> str | None:
    """The name in an answer to "which group?": `into the warehouse group`.

    Returns:
        None for what is no answer: `and l2 too` names one more device.
    """
    if any(t.low in _ONE_MORE for t in tokens):
        return None
    small = words("words", "determiners") | _INTO | _GROUP | _PASSED | words("words", "stop")
    said = [t for t in tokens if t.kind in ("word", "quote") and t.low not in small]
    return slug([t.text for t in said]) if 0 < len(said) < 4 else None


def _spans(r: Reading) -> list[tuple[int, int, bool]]:
    """Where a name for a group may stand, and whether the word `group` stands with it."""
    tokens, found = r.clause.tokens, list[tuple[int, int, bool]]()
    passed = words("words", "determiners") | _PASSED
    for index, token in enumerate(tokens):
        if token.low not in _INTO | _GROUP:
            continue
        at, headed = index + 1, token.low in _GROUP
        while at < len(tokens) and tokens[at].low in passed | _GROUP:
            headed = headed or tokens[at].low in _GROUP
            at += 1
        end = at
        while end < len(tokens) and end - at < 4 and _names(r, end):
            end += 1
        headed = headed or (end < len(tokens) and tokens[end].low in _GROUP)
        if end > at and tokens[at].low not in _NO_NAME:
            found.append((at, end, headed))
    return found


def _names(r: Reading, at: int) -> bool:
    token = r.clause.tokens[at]
    if not r.clause.free(at, at + 1) or token.kind not in ("word", "quote"):
        return False
    if token.kind == "quote":
        return True
    small = words("words", "stop") | words("words", "prepositions") | words("words", "determiners")
    return token.low not in small | _GROUP and token.low not in r.scope.verbs


def _taken(r: Reading, name: str, start: int, end: int) -> bool:
    tokens = r.clause.tokens[start:end]
    known = r.scope.linker.index(EntityKind.DEVICE_GROUP, r.scope.names)
    said = "".join(t.low for t in tokens)
    if found := known.exact(fold(said)):
        r.set(name, found[0].name, (start, end))
        return True
    others = [m for m in r.clause.mentions if m.kind is EntityKind.DEVICE and m.how == "exact"]
    if any(m.start <= start < m.end for m in others):
        return False
    plain = len(tokens) == 1 and tokens[0].kind == "word" and tokens[0].low.isalpha()
    if plain and r.scope.linker.partial(EntityKind.DEVICE_GROUP, tokens, r.scope.names):
        return False  # may be a known group's short name: read and asked for with the others
    made = slug([t.text for t in tokens])
    near = r.scope.linker.near(EntityKind.DEVICE_GROUP, made, r.scope.names)
    if near and _slip(made, near[0].name):
        text = f"There is no group {made} yet; did you mean {near[0].name}, or shall I make it?"
        candidates = [near[0].name, made]
        r.out.question = ask(r.operation, name, r.scope.names, said=text, candidates=candidates)
        return True
    r.set(name, made, (start, end))
    return True


def _slip(said: str, known: str) -> bool:
    """True if a new name looks like a slip of a known one: letters differ, numbers do not."""
    from rapidfuzz.distance import OSA

    digits = [re.sub(r"\D", "", name) for name in (said, known)]
    return digits[0] == digits[1] and len(said) > 4 and OSA.distance(said, known) == 1
