"""Words of a sentence with their places, so that every conclusion can show what it rests on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

TokenKind = Literal["word", "number", "path", "quote", "punctuation"]

_EXTENSIONS = "jsonl|json|csv|tsv|parquet|txt|md|rst|pdf|html|docx|log|zip"
_TOKEN = re.compile(
    rf"""
    (?P<quote>"[^"\n]+"|“[^”\n]+”|`[^`\n]+`|(?<!\w)'[^'\n]{{2,}}'(?!\w)|‘[^’\n]{{2,}}’)
  | (?P<path>(?<!\d)(?:https?://|(?:~|\.{{1,2}})?/)[^\s,;"']*[\w/]
      |(?<![\w])[A-Za-z]:\\[^\s,;"']*[\w\\]
      |[\w.\-]+(?:/[\w.\-]+)+\.(?:{_EXTENSIONS})\b
      |[\w.\-]*[\w\-]\.(?:{_EXTENSIONS})\b
      |[A-Za-z][\w.\-]{{2,}}(?:/[A-Za-z][\w.\-]+)+/?)
  | (?P<number>\d+(?:\.\d+)?e[-+]?\d+|(?<![\w.])\.\d+|\d+(?:[.,]\d+)*(?![\w@]|-[a-z]))
  | (?P<word>[^\W_](?:[\w@]|[-.:+'’/](?=[^\W_]))*)
  | (?P<punctuation>[^\w\s]|_)
    """,
    re.X | re.I,
)

_PATH = re.compile(
    rf"""(?:https?://|(?:~|\.{{1,2}})?/|[a-z]:[\\/])\S.*
      |[\w.\-]+(?:[/\\][\w.\-]+)+[/\\]?
      |(?:\S+\s){{0,4}}\S*\w\.(?:{_EXTENSIONS})""",
    re.X | re.I,
)
"""What is a path although it is quoted: its words are no words of the sentence."""


@dataclass(frozen=True, slots=True)
class Token:
    """One word, number, path, quotation or mark.

    Attributes:
        text: as written; a quotation without its marks.
        low: in lower case, apostrophes made equal.
        start: where it begins in the sentence.
        end: where it ends.
        kind: what it looks like.
    """

    text: str
    low: str
    start: int
    end: int
    kind: TokenKind


def tokenise(text: str) -> list[Token]:
    """The tokens of a sentence in order; nothing but white space is lost."""
    return [_token(match) for match in _TOKEN.finditer(text)]


def outside_paths(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """The places of a pattern that are not within a path: `/mnt/log: a->b/x.csv` says nothing."""
    paths = [(t.start, t.end) for t in tokenise(text) if t.kind == "path"]
    for match in pattern.finditer(text):
        if not any(start <= match.start() and match.end() <= end for start, end in paths):
            yield match


def _token(match: re.Match[str]) -> Token:
    kind = match.lastgroup or "word"
    written = match.group()
    inner = written[1:-1] if kind == "quote" else written
    kind = "path" if kind == "quote" and _PATH.fullmatch(inner.strip()) else kind
    return Token(
        inner,
        inner.casefold().replace("’", "'"),
        match.start(),
        match.end(),
        kind,  # type: ignore[arg-type]
    )


def find_phrase(
    tokens: Sequence[Token], phrase: Sequence[str], start: int = 0, end: int | None = None
) -> int:
    """The index at which the words of `phrase` stand one after another, or -1."""
    size, first = len(phrase), phrase[0]
    last = len(tokens) if end is None else min(end, len(tokens))
    for index in range(start, last - size + 1):
        if tokens[index].low != first:
            continue
        if size == 1 or all(tokens[index + k].low == phrase[k] for k in range(1, size)):
            return index
    return -1


def phrase_at(tokens: Sequence[Token], at: int, options: Sequence[tuple[str, ...]]) -> int:
    """How many tokens the first of these phrases that stands at `at` has; 0 if none does."""
    if at >= len(tokens):
        return 0
    word = tokens[at].low
    for phrase in options:
        if phrase[0] != word or at + len(phrase) > len(tokens):
            continue
        if find_phrase(tokens, phrase, at, at + len(phrase)) == at:
            return len(phrase)
    return 0


def slug(words: Sequence[str]) -> str:
    """A name for something new, from the words that were said for it: `ticket-router`."""
    joined = "-".join(word.casefold() for word in words)
    return re.sub(r"[^\w.\-]+|_+", "-", joined).strip("-.")
