"""Slips of the finger in ordinary words: `deplyo`, `evalaute`. Names are never corrected here."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Protocol

from graphs.understanding.lexicon import lexicon
from graphs.understanding.text import Token

_SHORTEST = 5
_SWAPPED = 4
"""From this length on, two letters that changed places are put right: `wiht`."""


class Words(Protocol):
    """Anything that knows whether a word is in it."""

    def __contains__(self, word: str) -> bool: ...


class Speller:
    """Corrects words that are one slip away from exactly one known word.

    Args:
        known: words that are right as they are.
        targets: words that a slip may have meant.
    """

    def __init__(self, known: Iterable[str], targets: Iterable[str]) -> None:
        self._known = frozenset(known)
        self._near: dict[str, set[str]] = defaultdict(set)
        for word in targets:
            if len(word) >= _SHORTEST and word.isalpha():
                for form in _deletions(word):
                    self._near[form].add(word)
        self._swapped: dict[str, set[str]] = defaultdict(set)
        for word in self._known:
            if len(word) == _SWAPPED and word.isalpha():
                self._swapped["".join(sorted(word))].add(word)

    def correct(self, tokens: Sequence[Token], kept: Words) -> list[Token]:
        """The tokens with slips corrected; words in `kept` (parts of names) are left alone."""
        return [self._corrected(token, kept) for token in tokens]

    def _corrected(self, token: Token, kept: Words) -> Token:
        word = token.low
        if token.kind != "word" or len(word) < _SWAPPED or not word.isalpha():
            return token
        if word in self._known or word in kept:
            return token
        if len(word) == _SWAPPED:
            same = self._swapped.get("".join(sorted(word)), set())
            close = {w for w in same if _slips(word, w) == 1 and w not in kept}
            return replace(token, low=close.pop()) if len(close) == 1 else token
        found: set[str] = set()
        for form in _deletions(word):
            found |= self._near.get(form, set())
        close = {w for w in found if _slips(word, w) == 1}
        if any(w in kept and w not in _GENERAL for w in close):
            return token  # rather a slip of a name, which is asked about
        return replace(token, low=close.pop()) if len(close) == 1 else token


_GENERAL = frozenset(lexicon()["kinds"]["job"]["heads"])
"""Nouns that names may have a part of, and that are put right all the same: `pause trainng 32`."""


def in_full(tokens: Sequence[Token], kept: frozenset[str]) -> list[Token]:
    """The tokens with shorthand read as the words it stands for: `pct`, `reg`, `u`, `fine tune`."""
    short = lexicon()["shorthand"]
    tokens = _compounds(tokens)
    found: list[Token] = []
    for index, token in enumerate(tokens):
        following = tokens[index + 1] if index + 1 < len(tokens) else None
        valued = following is not None and (following.kind == "number" or following.low in "=:")
        word = short.get(token.low) if token.kind == "word" and token.low not in kept else None
        single = len(token.low) == 1 and (valued or len(tokens) == 1)
        joined = _JOINED.match(token.low) if word is None and token.low not in kept else None
        if joined:
            found += _apart(token, joined)
        else:
            found.append(token if word is None or single else replace(token, low=word))
    return found


def _compounds(tokens: Sequence[Token]) -> list[Token]:
    """The tokens with a word that was written in two made one: `fine tune`."""
    found: list[Token] = []
    for token in tokens:
        before = found[-1] if found else None
        whole = lexicon()["compounds"].get(f"{before.low} {token.low}") if before else None
        if before is None or whole is None:
            found.append(token)
        else:
            found[-1] = Token(whole, whole, before.start, token.end, "word")
    return found


_JOINED = re.compile(r"^(\d+)(ep|eps|epochs?|trials?|pct|percent|min|mins|days?|d|hrs?|wks?)$")
"""A number with its unit written to it: `5ep`."""
_UNITS = {"d": "days", "hr": "hours", "hrs": "hours", "wk": "weeks", "wks": "weeks"}
"""Units that are words only behind a number."""


def _apart(token: Token, joined: re.Match[str]) -> list[Token]:
    number, unit = joined.groups()
    middle = token.start + len(number)
    return [
        Token(number, number, token.start, middle, "number"),
        Token(
            unit,
            _UNITS.get(unit) or lexicon()["shorthand"].get(unit, unit),
            middle,
            token.end,
            "word",
        ),
    ]


def _deletions(word: str) -> set[str]:
    return {word} | {word[:i] + word[i + 1 :] for i in range(len(word))}


def _slips(word: str, other: str) -> int:
    """Letters added, left out, changed or swapped."""
    from rapidfuzz.distance import OSA

    return OSA.distance(word, other, score_cutoff=2)
