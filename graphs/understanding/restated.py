"""A change that says its act again: `and if we only trained the head?`, `no, train the head`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from graphs.understanding.clause import strip_leading
from graphs.understanding.guards import stems
from graphs.understanding.text import Token

_SUPPOSING = (
    ("and", "what", "if"), ("but", "what", "if"), ("what", "if"), ("how", "about", "if"),
    ("what", "about", "if"), ("and", "if"), ("but", "if"), ("suppose",), ("say",), ("if",),
)  # fmt: skip
_OF_ANOTHER = re.compile(
    r"(?:and |but )?(?:what )?if (?:it|they|that|this) (?:were|was) (?:for |on )?(?P<what>.+)"
)
"""`and if it were the kiosks?`"""
_LED = ((",",), ("hm",), ("hmm",), ("ok",), ("okay",), ("so",), ("well",), ("right",))
_SUBJECTS = (("we",), ("i",), ("you",), ("one",), ("it",))
_AUXILIARY = (("were", "to"), ("would",), ("did",), ("had",), ("do",))
_NARROWING = frozenset(["only", "just"])
_POINTING = frozenset(["it", "that", "this", "them"])
_PARTICLES = frozenset(["out", "up", "off"])
"""The second half of `roll out`, `set up`."""
_LONGEST = 12


def supposed_change(tokens: Sequence[Token], begins: Callable[[str], bool]) -> list[Token]:
    """The change that a sentence only supposes of the act before it, as `and only the head`.

    Args:
        tokens: the sentence.
        begins: whether a word is one with which the act before is ordered.

    Returns:
        The words; empty if the sentence supposes nothing of that act.
    """
    said = [t for t in tokens if t.kind != "punctuation"]
    if instead := _OF_ANOTHER.match(" ".join(t.low for t in said)):
        size = len(instead["what"].split())
        return [_word("and", tokens[0]), *said[-size:]]
    led = strip_leading(list(tokens), _LED)
    rest = strip_leading(led, _SUPPOSING)
    act = strip_leading(rest, _SUBJECTS)
    if len(said) > _LONGEST or len(rest) == len(led) or len(act) == len(rest):
        return []
    act = strip_leading(act, _AUXILIARY)
    kept = without_verb_again([t for t in act if t.low not in "?.!"], begins)
    return [_word("and", tokens[0]), *kept] if kept else []


def without_verb_again(rest: Sequence[Token], begins: Callable[[str], bool]) -> list[Token]:
    """`only the head` of `only train the head`; empty if the act is not said again.

    Args:
        rest: what follows the `no` or the `and` of a change.
        begins: whether a word is one with which the act before is ordered.
    """
    only = [t for t in rest[:1] if t.low in _NARROWING]
    left = list(rest[len(only) :])
    if len(left) < 2 or not any(begins(word) for word in (left[0].low, *stems(left[0].low))):
        return []
    left = left[1:]
    left = left[1:] if left[0].low in _PARTICLES and len(left) > 1 else left
    left = left[1:] if left[0].low in _POINTING else left
    return [*only, *left] if left else []


def _word(said: str, at: Token) -> Token:
    return replace(at, text=said, low=said, kind="word")
