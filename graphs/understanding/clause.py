"""A clause while it is being read: its tokens, what was found in them, and what is claimed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from graphs.understanding.lexicon import lexicon, phrases, words
from graphs.understanding.text import Token, find_phrase
from tools.kernel.entities import EntityKind, EntityName

How = Literal["exact", "plural", "partial", "slip"]


@dataclass(frozen=True, slots=True)
class Mention:
    """Words that name a thing of the catalogue.

    Attributes:
        kind: the kind of thing.
        start: index of the first token.
        end: index after the last token.
        names: the things they may name; more than one is ambiguous.
        how: how surely: the name itself, but for a plural, by a part of it, or misspelt.
        version: a version number or alias written with it (`ticket-router v3`).
    """

    kind: EntityKind
    start: int
    end: int
    names: tuple[EntityName, ...]
    how: How = "exact"
    version: int | str | None = None


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that nothing has claimed: a name that is new, or misspelt.

    Attributes:
        start: index of the first token.
        end: index after the last.
        preposition: the preposition right before it.
        determiner: the article or the like before it.
        head: the general noun right after or before it (`the X dataset`, `model X`).
    """

    start: int
    end: int
    preposition: str = ""
    determiner: str = ""
    head: str = ""


@dataclass
class Clause:
    """One wish of a sentence.

    Attributes:
        tokens: its words.
        link: how it hangs on the clause before: "", "then", "and", "otherwise".
        condition: the words of its `if …`, if it has one.
        governed: True if the `if …` before governs it too: `if it wins, promote it and deploy it`.
        asks: True if a question mark ends it, and more follows.
        apart: True if nothing but a comma stands between it and the clause before.
        mentions: what its words name.
        claimed: for each token, what has used it; "" if nothing has.
        negated: True if the person said not to.
        without: True if it says so with that word: `without waiting`.
        hypothetical: True if it is only asked what would happen.
        told: how many of its first words are a remark, which only says what the order is about.
    """

    tokens: list[Token]
    link: str = ""
    condition: list[Token] | None = None
    governed: bool = False
    asks: bool = False
    apart: bool = False
    mentions: list[Mention] = field(default_factory=list)
    claimed: list[str] = field(default_factory=list)
    negated: bool = False
    without: bool = False
    hypothetical: bool = False
    told: int = 0

    def __post_init__(self) -> None:
        self.claimed = self.claimed or [""] * len(self.tokens)

    @property
    def order(self) -> list[Token]:
        """Its words without the remark before them."""
        return self.tokens[self.told :]

    def claim(self, start: int, end: int, by: str) -> None:
        """Mark tokens as used."""
        for index in range(start, end):
            self.claimed[index] = by

    def free(self, start: int, end: int) -> bool:
        """True if nothing has used any of these tokens."""
        return not any(self.claimed[start:end])

    def text(self, start: int, end: int) -> str:
        """Tokens as they would be written."""
        return join(self.tokens[start:end])

    def find(self, options: Iterable[tuple[str, ...]], free: bool = True) -> tuple[int, int] | None:
        """The place of the first of these phrases that stands in the clause."""
        for phrase in options:
            start = -1
            while (start := find_phrase(self.tokens, phrase, start + 1)) >= 0:
                end = start + len(phrase)
                if not free or self.free(start, end):
                    return start, end
        return None

    def preposition(self, start: int) -> str:
        """The preposition that governs the words from `start` on."""
        index = start - 1
        skipped = words("words", "determiners") | _ADJECTIVES
        while index >= 0 and (self.tokens[index].low in skipped or self._heads(index)):
            index -= 1
        if index >= 0 and self.tokens[index].low in words("words", "prepositions"):
            return self.tokens[index].low
        return ""

    def _heads(self, index: int) -> bool:
        return self.tokens[index].low in _HEADS

    def head(self, start: int, end: int) -> str:
        """The general noun beside the words: after them (`X dataset`), else before (`model X`)."""
        after = self.tokens[end].low if end < len(self.tokens) else ""
        before = self.tokens[start - 1].low if start else ""
        if after in _HEADS:
            return after
        if before in {"named", "called"} and start > 1:
            before = self.tokens[start - 2].low
        return before if before in _HEADS else ""

    def phrases(self, skip: frozenset[str]) -> list[Phrase]:
        """Runs of words that nothing has claimed and that are not in `skip` or empty of meaning."""
        ignored = skip | _EMPTY | _CONTRACTED
        found: list[Phrase] = []
        start = None
        for index in range(len(self.tokens) + 1):
            inside = (
                index < len(self.tokens)
                and not self.claimed[index]
                and self.tokens[index].kind in ("word", "path", "quote")
                and self.tokens[index].low not in ignored
            )
            if inside and start is None:
                start = index
            elif not inside and start is not None:
                found.append(self._phrase(start, index))
                start = None
        return found

    def _phrase(self, start: int, end: int) -> Phrase:
        before = self.tokens[start - 1].low if start else ""
        determiner = before if before in words("words", "determiners") else ""
        if before == "new" and start > 1:
            determiner = "new"
        return Phrase(start, end, self.preposition(start), determiner, self.head(start, end))


def join(tokens: Sequence[Token]) -> str:
    """Tokens joined with the spaces that stood between them."""
    parts: list[str] = []
    for index, token in enumerate(tokens):
        if index and token.start > tokens[index - 1].end:
            parts.append(" ")
        parts.append(token.text)
    return "".join(parts)


def _all_heads() -> frozenset[str]:
    heads: set[str] = set()
    for entry in lexicon()["kinds"].values():
        heads |= {head for head in entry["heads"] if " " not in head}
    return frozenset(heads)


_HEADS = _all_heads()
_ADJECTIVES = frozenset(
    ["bundled", "whole", "entire", "full", "existing", "old", "latest", "newest", "current",
     "registered", "trained", "original", "good", "device", "devices", "named", "called"]
)  # fmt: skip
_CONTRACTED = frozenset(["w", "w/", "n't", "'s"])
_EMPTY = words("words", "stop") | words("words", "determiners") | words("words", "prepositions")


def strip_leading(tokens: list[Token], options: tuple[tuple[str, ...], ...]) -> list[Token]:
    """Tokens without the phrases (and marks) that they begin with."""
    while tokens:
        if tokens[0].kind == "punctuation":
            tokens = tokens[1:]
            continue
        word = tokens[0].low
        for phrase in options:
            if phrase[0] != word:
                continue
            if len(phrase) < len(tokens) and find_phrase(tokens, phrase, 0, len(phrase)) == 0:
                tokens = tokens[len(phrase) :]
                break
        else:
            return tokens
    return tokens


def polite() -> tuple[tuple[str, ...], ...]:
    """What may stand before a verb without changing what is asked."""
    return phrases("verbs", "polite")


__all__ = ["Any", "Clause", "Mention", "Phrase", "join", "polite", "strip_leading"]
