"""A place that an act is to go to, in words that name nothing here: `… to the vending machines`."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.understanding.clause import Clause
from graphs.understanding.lexicon import words
from graphs.understanding.text import Token
from tools.kernel.entities import EntityKind

TOWARDS = frozenset(["to", "on", "onto", "across"])
LONGEST = 3
"""Words that a place has at most."""


def unknown_place(clause: Clause) -> range:
    """Where a clause that names a model, and no devices, says what they are put on.

    Args:
        clause: the words, with what they name.

    Returns:
        The places of the words between `to the` and the end or a number; an empty range if there
        are none, or more than a name has.
    """
    kinds = {mention.kind for mention in clause.mentions}
    if EntityKind.MODEL not in kinds or kinds & {EntityKind.DEVICE_GROUP, EntityKind.DEVICE}:
        return range(0)
    named = {i for m in clause.mentions for i in range(m.start, m.end)}
    for at in range(len(clause.tokens) - 1, 0, -1):
        if clause.tokens[at].low in TOWARDS:
            begin = at + 1
            while begin < len(clause.tokens) and clause.tokens[begin].low in _ARTICLES:
                begin += 1
            end = _end(clause.tokens, begin)
            fits = begin < end <= begin + LONGEST and not named & set(range(begin, end))
            return range(begin, end) if fits else range(0)
    return range(0)


_ARTICLES = words("words", "determiners")


def _end(tokens: Sequence[Token], at: int) -> int:
    small = words("words", "prepositions")
    while at < len(tokens) and tokens[at].kind == "word" and tokens[at].low not in small:
        at += 1
    return at
