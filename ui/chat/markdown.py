"""Text as the chat shows it. What tools and documents say stays text: no mark-up, no link.

The browser's markdown renderer turns bare addresses into links and `![]()` into requests, so
everything that was not written by this package goes through `plain`, `cell` or `prose`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from ui import words

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&:$])")
_LINE_START = re.compile(r"^(\s*)([-+=>]|\d+[.)])(?=\s|$)", re.M)
_ADDRESS = re.compile(r"(?:https?://|ftp://|www\.|mailto:)\S+|\S+@\S+\.\S+", re.I)
_IMAGE = re.compile(r"!\[")
_LINK = re.compile(r"\]\s*(?=[(\[:])")
_TAG = re.compile(r"<(?=[A-Za-z/!?])")
_BLANKS = re.compile(r"[\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069]")


def plain(text: Any) -> str:
    """Text on which markdown has no effect; addresses are shown as code, never linked."""
    given = _BLANKS.sub("", words.value(text))
    shown: list[str] = []
    at = 0
    for match in _ADDRESS.finditer(given):
        shown.append(_escaped(given[at : match.start()]))
        shown.append(code(match[0]))
        at = match.end()
    shown.append(_escaped(given[at:]))
    return "".join(shown)


def _escaped(text: str) -> str:
    marked = _SPECIAL.sub(r"\\\1", text)
    return _LINE_START.sub(lambda m: f"{m[1]}{m[2][:-1]}\\{m[2][-1]}", marked)


def code(text: Any) -> str:
    """Text in a code span."""
    given = str(text).replace("`", "'").replace("\n", " ")
    return f"`{given}`" if given.strip() else ""


def cell(text: Any) -> str:
    """Text in a table's cell: one line."""
    return plain(text).replace("\n", " ")


def prose(text: str) -> str:
    """Markdown from elsewhere, its headings, lists and tables kept; nothing in it can fetch."""
    given = _TAG.sub(r"\\<", _LINK.sub("] ", _IMAGE.sub(r"!\\[", _BLANKS.sub("", text))))
    return _ADDRESS.sub(lambda m: code(m[0]), given)


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; its cells are markdown already."""
    lines = [f"| {' | '.join(columns)} |", f"|{' --- |' * len(columns)}"]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


def facts(rows: Iterable[tuple[str, str]]) -> str:
    """Named facts, a line each; the facts are markdown already."""
    return "\n".join(f"- **{name}:** {told}" for name, told in rows)


def problem(error: dict[str, Any]) -> str:
    """An error: what was wrong, what was probably meant, what would be right."""
    first, *rest = words.problem_lines(error)
    return "\n\n".join([f"**{plain(first)}**", *(plain(line) for line in rest)])


def link(text: Any, path: str) -> str:
    """A link to one of our own pages."""
    return f"[{plain(text)}]({path})"
