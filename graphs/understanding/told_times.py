"""When something happened: `it got stolen over the weekend, lock it out` is done at once."""

from __future__ import annotations

import re

from graphs.understanding.lexicon import words

_PARTS = re.compile(r"[,;:!?\n(]|\.(?!\d)|\b(?:and|so|but|because|since|as)\b")
_HAPPENED = re.compile(
    r"\b(?:got|was|were|been|had|went|died|crashed|broke|fell|did|left|lost|stole|saw|came|began"
    r"|happened|failed|stopped|disappeared|vanished|burnt|burned|[a-z]{2,}ed)\b"
)


def told_at(text: str, start: int) -> bool:
    """True if a time belongs to what is told, and not to what is ordered.

    Args:
        text: the sentence.
        start: where the time begins in it.
    """
    begin = max((m.end() for m in _PARTS.finditer(text, 0, start)), default=0)
    before = text[begin:start].lower().split()
    while before and before[0] in _LEADING:
        before = before[1:]
    orders = bool(before) and before[0] in words("verbs", "commands")
    return not orders and bool(_HAPPENED.search(" ".join(before)))


_LEADING = frozenset(["please", "can", "could", "you", "then", "hey", "hi", "now", "ok"])
