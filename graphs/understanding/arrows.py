"""Arrows said in words: `v3 -> kiosks`, `tune it -> register it`, `above 85% -> promote it`."""

from __future__ import annotations

import re

from graphs.understanding.hanging import compares
from graphs.understanding.text import outside_paths, tokenise
from graphs.understanding.written import alias_of

_ARROW = re.compile(r"\s*(?:->|=>|→|⇒|➜|➔)\s*")
_COMPARED = re.compile(
    r"(?:^|(?<=[.;!?,]))\s*(?:anything\s+|everything\s+|if\s+)?"
    r"(?P<said>(?:above|below|over|under|at least|at most|less than|more than|better than)\s+"
    r"[\d.]+\s*%?(?:\s+\w+)?)\s*$",
    re.I,
)
_OTHERWISE = re.compile(
    r"(?:^|(?<=[.;!?,]))\s*(?:below|above|else|worse|no|if not|under|over)\s*$", re.I
)


def arrows_in_words(text: str, verbs: frozenset[str]) -> str:
    """The text with its arrows said; those within paths are names.

    Args:
        text: what was written.
        verbs: the words that begin commands: an arrow before one is a `then`.
    """
    for arrow in reversed(list(outside_paths(_ARROW, text)) if _ARROW.search(text) else ()):
        before, after = text[: arrow.start()], text[arrow.end() :]
        text = _said(before, after, verbs)
    return text


def _said(before: str, after: str, verbs: frozenset[str]) -> str:
    if found := _COMPARED.search(before):
        return f"{before[: found.start()]} if {found['said']}, {after}"
    begin = max((mark.end() for mark in re.finditer(r"[;!?,\n]|\.(?!\d)", before)), default=0)
    if begin and compares(tokenise(before[begin:]), verbs):
        return f"{before[:begin]} if {before[begin:].strip()}, {after}"
    if (found := _OTHERWISE.search(before)) and before.strip() != found.group().strip():
        return f"{before[: found.start()]} otherwise {after}"
    word = re.match(r"[\w-]+", after)
    last = re.search(r"([\w-]+)\s*(?:it|them|that)?$", before)
    if word and last and last[1].lower() in verbs and (alias := alias_of(word.group().lower())):
        return f"{before}, then promote it to {alias}{after[word.end() :]}"
    return (
        f"{before}, then {after}"
        if word and word.group().lower() in verbs
        else f"{before} to {after}"
    )
