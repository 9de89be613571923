"""Cutting a document into passages of 120 to 200 words that do not cross unrelated sections."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from tools.knowledge.outline import SEPARATOR, Block, blocks, sentences

TARGET = 150
MOST = 200
SMALL = 60
OVERLAP = 40
"""Words: where a passage is closed, its limit, a section that is joined to the next, and how much
of the end of a passage may open the next one of the same section."""


@dataclass(frozen=True, slots=True)
class Cut:
    """A passage: where it stands in the document's text, and the headings above it."""

    ordinal: int
    heading: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Piece:
    start: int
    end: int
    words: int
    heading: tuple[str, ...]


def cut(text: str) -> list[Cut]:
    """The passages of a document, in order; neighbours in a long section overlap."""
    groups = _join_small(_sections(text, blocks(text)))
    cuts: list[Cut] = []
    for group in groups:
        for start, end in _pack(group):
            cuts.append(Cut(len(cuts), _heading(group), start, end))
    return cuts


def passage_id(tenant: str, name: str, sha256: str, span: Cut) -> str:
    """The id of a passage: the same for the same content at the same place, and no other."""
    joined = "\x1f".join((tenant, name, sha256, str(span.start), str(span.end)))
    return "p" + hashlib.sha256(joined.encode()).hexdigest()[:23]


def _sections(text: str, parts: list[Block]) -> list[list[_Piece]]:
    sections: list[list[_Piece]] = []
    last: tuple[str, ...] | None = None
    for block in parts:
        if block.kind == "heading":
            continue
        if block.heading != last:
            sections.append([])
            last = block.heading
        sections[-1].extend(_pieces(text, block))
    return [s for s in sections if s]


def _pieces(text: str, block: Block) -> list[_Piece]:
    count = len(text[block.start : block.end].split())
    if count <= MOST:
        return [_Piece(block.start, block.end, count, block.heading)]
    spans = list(sentences(text, block.start, block.end))
    return [
        _Piece(start, end, len(text[start:end].split()), block.heading)
        for begin, finish in spans
        for start, end in _limit(text, begin, finish)
    ]


def _limit(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """A span in pieces of at most `MOST` words, cut at spaces."""
    spans: list[tuple[int, int]] = []
    words, begin, inside = 0, start, False
    for at in range(start, end):
        space = text[at].isspace()
        if space and inside:
            words += 1
            if words == MOST:
                spans.append((begin, at))
                begin, words = at + 1, 0
        inside = not space
    if text[begin:end].strip():
        spans.append((begin, end))
    return spans


def _join_small(sections: list[list[_Piece]]) -> list[list[_Piece]]:
    joined: list[list[_Piece]] = []
    for section in sections:
        before = joined[-1] if joined else []
        size = sum(p.words for p in before)
        fits = size + sum(p.words for p in section) <= MOST
        if before and size < SMALL and fits and _related(before, section):
            before.extend(section)
        else:
            joined.append(list(section))
    return joined


def _related(before: list[_Piece], after: list[_Piece]) -> bool:
    first, second = before[0].heading, after[0].heading
    return second[: len(first)] == first or second[:-1] == first[:-1]


def _pack(pieces: list[_Piece]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    current: list[_Piece] = []
    for piece in pieces:
        size = sum(p.words for p in current)
        if current and (size >= TARGET or size + piece.words > MOST):
            spans.append((current[0].start, current[-1].end))
            keep = current[-1]
            fits = keep.words <= OVERLAP and keep.words + piece.words <= MOST
            current = [keep] if fits and len(current) > 1 else []
        current.append(piece)
    if current:
        spans.append((current[0].start, current[-1].end))
    return spans


def _heading(pieces: list[_Piece]) -> str:
    paths = list(dict.fromkeys(p.heading for p in pieces))
    if len(paths) == 1:
        return SEPARATOR.join(paths[0])
    shared = len(paths[0])
    for path in paths:
        shared = min(
            shared,
            next(
                (i for i, (a, b) in enumerate(zip(path, paths[0], strict=False)) if a != b),
                min(len(path), len(paths[0])),
            ),
        )
    ends = [path[-1] for path in paths if len(path) > shared]
    return SEPARATOR.join((*paths[0][:shared], " / ".join(ends)) if ends else paths[0])
