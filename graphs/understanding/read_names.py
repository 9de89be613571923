"""Names for what is made: `a ticket router` becomes `ticket-router`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphs.understanding.lexicon import words
from graphs.understanding.name_lists import BETWEEN, further_names
from graphs.understanding.read_bases import unknown_base
from graphs.understanding.reading import Reading
from graphs.understanding.text import Token, phrase_at, slug
from tools.kernel.entities import EntityKind

_NAME_ENDS = words("words", "prepositions") | words("naming", "ends")
_AGAIN = frozenset(["retrain", "retraining", "re-train", "re-training"])
_EMPTY = words("words", "stop") | words("words", "determiners") | words("words", "prepositions")


_PERSONS = frozenset(
    [
        "him",
        "her",
        "them",
        "me",
        "us",
        "you",
        "myself",
        "everyone",
        "everybody",
        "someone",
        "somebody",
    ]
)
"""Words for people that are nobody's name."""
_KINDS_OF_TOKENS = frozenset(["access", "api", "bearer", "secret"])


def new_names(r: Reading) -> None:
    """Names for what is made: `a ticket router` becomes `ticket-router`."""
    for name in r.fields:
        spec = r.spec(name)
        if not r.open(name) or spec.get("reader") != "new_name":
            continue
        if spec.get("of") == "verb object":
            _object_name(r, name)
        elif spec.get("bare"):
            _bare_name(r, name)


def _object_name(r: Reading, name: str) -> None:
    known = [
        m for m in r.clause.mentions if m.kind is EntityKind.MODEL and r.clause.free(m.start, m.end)
    ]
    if known and known[0].how == "exact":
        r.set(name, known[0].names[0].name, (known[0].start, known[0].end))
        return
    tokens = r.clause.tokens
    if (again := _measured_before(r)) is not None:
        r.out.arguments[name] = again
        return
    making = r.spec(name)["after"]
    index = next((i + 1 for i, t in enumerate(tokens) if t.low in making), len(tokens))
    while index < len(tokens) and tokens[index].low not in words("words", "determiners"):
        if tokens[index].low in words("words", "prepositions"):
            return
        if not r.clause.claimed[index] and tokens[index].low not in _EMPTY:
            break
        index += 1
    while index < len(tokens) and tokens[index].low in words("words", "determiners"):
        index += 1
    end = index
    while end < len(tokens) and tokens[end].kind == "word" and not r.clause.claimed[end]:
        if tokens[end].low in _NAME_ENDS:
            break
        end += 1
    said = [t.low for t in tokens[index:end]]
    while said and said[0] in words("naming", "adjectives"):
        said, index = said[1:], index + 1
    if not said or len(said) >= 5 or set(said) <= words("naming", "generic"):
        return
    if unknown_base(r, r.clause.text(index, end)):
        r.clause.claim(index, end, by="base_model")
    elif not _known_again(r, name, index, end):
        r.set(name, slug(said), (index, end))


def _measured_before(r: Reading) -> str | None:
    """The model of `check X for drift, and if it has drifted, retrain it`, which keeps its name."""
    tokens = r.clause.tokens
    at = next((i + 1 for i, t in enumerate(tokens) if t.low in _AGAIN), len(tokens))
    pointed = phrase_at(tokens, at, _SAME)
    models = [s.arguments["model"] for s in r.scope.steps if "model" in s.arguments]
    return models[-1] if pointed and models and isinstance(models[-1], str) else None


_SAME = (("it",), ("that", "model"), ("this", "model"), ("the", "same", "model"))


def _known_again(r: Reading, name: str, start: int, end: int) -> bool:
    """True for `retrain the router`: what is made again is there, and may be named by a part."""
    tokens = r.clause.tokens
    if not any(t.low in _AGAIN for t in tokens[:start]):
        return False
    found = r.scope.linker.partial(EntityKind.MODEL, tokens[start:end], r.scope.names)
    if len(found) == 1:
        r.set(name, found[0].name, (start, end))
    elif found:
        r.ambiguous(name, r.clause.text(start, end), found)
    return bool(found)


def _bare_name(r: Reading, name: str) -> None:
    tokens = r.clause.tokens
    own = {*re.split(r"[._]", r.operation.name), *_KINDS_OF_TOKENS}
    candidates: list[tuple[float, int]] = []
    for index, token in enumerate(tokens):
        if r.clause.claimed[index] or token.kind not in ("word", "quote"):
            continue
        if (
            token.low in _EMPTY | _PERSONS | own
            or token.low.endswith("'s")
            or token.low in r.scope.verbs
            or token.low in words("naming", "generic")
        ):
            continue
        score = 2.0 if any(c in token.text for c in "-_0123456789") else 0.0
        before = tokens[index - 1].low if index else ""
        score += 1.5 if before in words("naming", "before") else 0.0
        score += 0.5 if index <= 3 else 0.0
        score += 1.0 if token.low not in r.scope.known else 0.0
        candidates.append((score, -index))
    if candidates:
        best = _first_listed(tokens, -max(candidates)[1], {-at for _, at in candidates})
        r.set(name, tokens[best].text, (best, best + 1))
        further_names(r, name, best + 1)


def _first_listed(tokens: Sequence[Token], at: int, names: set[int]) -> int:
    """Where a list of names begins that a name stands in: `alice, bob and carol`."""
    while at - 2 in names and tokens[at - 1].low in BETWEEN:
        at -= 2
    return at
