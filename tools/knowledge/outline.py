"""A document's blocks with their headings: what passages and quotable units are cut from.

Owns the reading of structure (Markdown's headings, lists, tables, code) and nothing else. All
offsets are characters of the text given; nothing is ever rewritten, so every span can be quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["heading", "paragraph", "item", "row", "code"]

SEPARATOR = " > "
_HEADING = re.compile(r"^(#{1,6})\s+(.*?)\s*#*\s*$")
_ITEM = re.compile(r"^\s*(?:[-*+•]|\d{1,3}[.)])\s+")
_ROW = re.compile(r"^\s*\|.*\|\s*$")
_RULE = re.compile(r"^\s*\|?[\s:|-]*-{2,}[\s:|-]*\|?\s*$")
_FENCE = re.compile(r"^\s*(```|~~~)")
_UNDERLINE = re.compile(r"^(=+|-+)\s*$")
_SENTENCE_END = re.compile(r"(?<=[.!?])[\"'”’)\]]*\s+(?=[\"'“‘(\[]*[A-Z0-9*`ÄÖÜÉ])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|etc|cf|vs|no|fig|dr|mr|mrs|ms|approx|ca)\.|\b[A-Z]\.)$", re.I
)


@dataclass(frozen=True, slots=True)
class Block:
    """A piece of a document.

    Attributes:
        kind: what it is.
        start: its first character.
        end: one past its last.
        heading: the headings above it, from the outermost down.
        group: number of the list or table it belongs to; 0 if none.
    """

    kind: Kind
    start: int
    end: int
    heading: tuple[str, ...]
    group: int = 0


@dataclass(frozen=True, slots=True)
class Unit:
    """The smallest piece that is quoted: a sentence, a list item or a table row.

    Attributes:
        text: the unit as a person reads it, without the marks of Markdown.
        numbered: True for an item of a numbered list.
    """

    kind: Literal["sentence", "item", "row"]
    start: int
    end: int
    text: str
    heading: tuple[str, ...]
    group: int = 0
    numbered: bool = False


class _Reader:
    """Walks the lines once; see `blocks`."""

    def __init__(self, text: str) -> None:
        self.lines = list(_lines(text))
        self.at = 0
        self.headings: list[tuple[int, str]] = []
        self.group = 0
        self.previous: Kind | None = None

    def run(self) -> Iterator[Block]:
        while self.at < len(self.lines):
            block = self._next()
            if block is not None:
                yield block

    @property
    def path(self) -> tuple[str, ...]:
        return tuple(title for _, title in self.headings)

    def _next(self) -> Block | None:
        start, line = self.lines[self.at]
        if not line.strip():
            self.at += 1
            if self.previous == "row":
                self.previous = None
            return None
        if _FENCE.match(line):
            return self._code(start)
        if heading := _HEADING.match(line):
            return self._heading(len(heading[1]), heading[2], start, start + len(line), 1)
        if self._is_underlined(line):
            level = 1 if self.lines[self.at + 1][1].startswith("=") else 2
            end = self.lines[self.at + 1][0] + len(self.lines[self.at + 1][1])
            return self._heading(level, line.strip(), start, end, 2)
        if _ROW.match(line):
            return self._row(start, line)
        return self._prose(start, "item" if _ITEM.match(line) else "paragraph")

    def _is_underlined(self, line: str) -> bool:
        following = self.lines[self.at + 1][1] if self.at + 1 < len(self.lines) else ""
        short = (
            len(line.split()) <= 12
            and not _ITEM.match(line)
            and line.rstrip()[-1:] not in ("", ".", ",", ";", ":")
        )
        return short and len(following.strip()) >= 3 and bool(_UNDERLINE.match(following))

    def _heading(self, level: int, title: str, start: int, end: int, lines: int) -> Block:
        self.headings = [h for h in self.headings if h[0] < level]
        self.headings.append((level, clean(title)))
        self.at += lines
        self.previous = "heading"
        return Block("heading", start, end, self.path)

    def _code(self, start: int) -> Block:
        self.at += 1
        end = start
        while self.at < len(self.lines):
            begin, line = self.lines[self.at]
            self.at += 1
            end = begin + len(line)
            if _FENCE.match(line):
                break
        self.previous = "code"
        return Block("code", start, max(end, start + 3), self.path)

    def _row(self, start: int, line: str) -> Block | None:
        self.at += 1
        if self.previous != "row":
            self.group += 1
        self.previous = "row"
        if _RULE.match(line):
            return None
        return Block("row", start, start + len(line), self.path, self.group)

    def _prose(self, start: int, kind: Literal["item", "paragraph"]) -> Block:
        end = start
        first = True
        while self.at < len(self.lines):
            begin, line = self.lines[self.at]
            starts_other = not first and (
                bool(_ITEM.match(line) or _HEADING.match(line) or _FENCE.match(line))
                or bool(_ROW.match(line))
                or (kind == "paragraph" and self._is_underlined(line))
            )
            if not line.strip() or starts_other:
                break
            end, first = begin + len(line.rstrip()), False
            self.at += 1
        if kind == "item" and self.previous != "item":
            self.group += 1
        self.previous = kind
        return Block(kind, start, end, self.path, self.group if kind == "item" else 0)


def blocks(text: str) -> list[Block]:
    """The blocks of a text in order; front matter and the rules of tables are left out."""
    offset = _front_matter(text)
    found = _Reader(text[offset:]).run()
    if not offset:
        return list(found)
    return [Block(b.kind, b.start + offset, b.end + offset, b.heading, b.group) for b in found]


def units(text: str, parts: list[Block]) -> list[Unit]:
    """The quotable units of a document's blocks, in order."""
    found: list[Unit] = []
    headers: dict[int, list[str]] = {}
    for block in parts:
        if block.kind == "row":
            cells = _cells(text[block.start : block.end])
            if block.group not in headers:
                headers[block.group] = cells
                continue
            shown = _row_text(headers[block.group], cells)
            found.append(_unit("row", block, block.start, block.end, shown))
        elif block.kind == "item":
            mark = _ITEM.match(text[block.start : block.end])
            start = block.start + (mark.end() if mark else 0)
            numbered = bool(mark and mark.group().strip()[0].isdigit())
            found.append(
                _unit("item", block, start, block.end, clean(text[start : block.end]), numbered)
            )
        elif block.kind == "paragraph":
            for start, end in sentences(text, block.start, block.end):
                found.append(_unit("sentence", block, start, end, clean(text[start:end])))
    return [u for u in found if u.text]


def _unit(
    kind: Literal["sentence", "item", "row"],
    block: Block,
    start: int,
    end: int,
    shown: str,
    numbered: bool = False,
) -> Unit:
    return Unit(kind, start, end, shown, block.heading, block.group, numbered)


def sentences(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The spans of the sentences between two offsets."""
    begin = start
    for match in _SENTENCE_END.finditer(text, start, end):
        if _ABBREVIATION.search(text, max(begin, match.start() - 12), match.start()):
            continue
        yield begin, match.start() + len(match.group().rstrip())
        begin = match.end()
    if text[begin:end].strip():
        yield begin, end


def clean(text: str) -> str:
    """A text without the marks of Markdown, its spaces joined."""
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"(\*\*|__|`)(.+?)\1", r"\2", text)
    text = re.sub(r"(?<!\w)[*_](\S(?:.*?\S)?)[*_](?!\w)", r"\1", text)
    return re.sub(r"\s+", " ", text).strip()


def _cells(row: str) -> list[str]:
    return [clean(cell) for cell in row.strip().strip("|").split("|")]


def _row_text(header: list[str], cells: list[str]) -> str:
    first, rest = cells[0], list(zip(header[1:], cells[1:], strict=False))
    if len(first) <= 3:
        first = f"{header[0]} {first}"
    if len(rest) == 1:
        return f"{first}: {rest[0][1]} ({rest[0][0].lower()})."
    return f"{first}: " + "; ".join(f"{name.lower()} {cell}" for name, cell in rest) + "."


def _lines(text: str) -> Iterator[tuple[int, str]]:
    offset = 0
    for line in text.split("\n"):
        yield offset, line
        offset += len(line) + 1


def _front_matter(text: str) -> int:
    match = re.match(r"---\n.*?\n---\n", text, re.S)
    return match.end() if match and "#" not in match.group() else 0
