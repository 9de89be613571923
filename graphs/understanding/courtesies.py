"""What surrounds a request in a mail: `Hi team, … Best, Anna`. It asks for nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphs.understanding.lexicon import phrases
from graphs.understanding.text import Token, phrase_at

_MARKS = frozenset(",.!:;-–—")
_NAMES = 2
"""Words that may name the one who is greeted, or who signs."""


def without_courtesies(tokens: Sequence[Token], is_name: Callable[[Token], bool]) -> list[Token]:
    """The words between a salutation and a signature; all of them if nothing would be left.

    Args:
        tokens: a sentence.
        is_name: tells a person's name, or another word for people, from words that matter.
    """
    start, end = _salutation(tokens, is_name), _signature(tokens, is_name)
    kept = list(tokens[start:end])
    return kept if any(t.kind != "punctuation" for t in kept) else list(tokens)


def _salutation(tokens: Sequence[Token], is_name: Callable[[Token], bool]) -> int:
    size = phrase_at(tokens, 0, phrases("courtesies", "salutations"))
    if not size:
        return 0
    end = size
    while end < len(tokens) and end - size < _NAMES and is_name(tokens[end]):
        end += 1
    return end + 1 if end < len(tokens) and tokens[end].low in _MARKS else 0


def _signature(tokens: Sequence[Token], is_name: Callable[[Token], bool]) -> int:
    """Where `. Best, Anna` begins, or `, thanks Anna`; the end if nobody signs."""
    for at in range(len(tokens) - 1, max(0, len(tokens) - 9), -1):
        size = phrase_at(tokens, at, phrases("courtesies", "closings"))
        if not size or tokens[at - 1].low not in _MARKS:
            continue
        rest = [t for t in tokens[at + size :] if t.low not in _MARKS]
        if len(rest) <= _NAMES and all(is_name(t) for t in rest):
            return at
    return len(tokens)
