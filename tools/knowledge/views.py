"""Rows, passages and chosen sentences as the operations answer them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tools.knowledge.answering import Candidate
from tools.knowledge.index import Found
from tools.knowledge.library import StoredPassage
from tools.knowledge.outline import SEPARATOR
from tools.knowledge.types import Answer, Citation, Passage, Source

if TYPE_CHECKING:
    from tools.knowledge.tables import DocumentRow


def source_view(row: DocumentRow, chunks: int) -> Source:
    """A document in the list."""
    return Source(
        name=row.name,
        title=row.title,
        path=row.path,
        kind=row.kind,
        sha256=row.sha256,
        characters=len(row.text),
        chunks=chunks,
        builtin=row.builtin,
        ingested=row.created,
    )


def passage_view(found: Found) -> Passage:
    """A passage that was found."""
    part = found.passage
    return Passage(
        source=part.source,
        heading=part.heading,
        chunk=part.id,
        start=part.start,
        end=part.end,
        text=part.text,
        score=round(found.score, 6),
        similarity=round(found.similarity, 4),
    )


def answer_view(
    question: str, chosen: Sequence[Candidate], confidence: float, near: list[str]
) -> Answer:
    """The chosen sentences with a citation each."""
    citations = [_citation(number, c) for number, c in enumerate(chosen, 1)]
    lines: list[str] = []
    for citation, candidate in zip(citations, chosen, strict=True):
        mark = "- " if candidate.unit.kind == "item" else ""
        lines.append(f"{mark}{candidate.unit.text} [{citation.number}]")
    return Answer(
        question=question,
        answered=True,
        text="\n".join(lines),
        citations=citations,
        confidence=round(confidence, 3),
        nearest=near,
    )


def _citation(number: int, candidate: Candidate) -> Citation:
    part: StoredPassage = candidate.passage
    unit = candidate.unit
    heading = SEPARATOR.join(unit.heading) if unit.heading else part.heading
    return Citation(
        number=number,
        source=part.source,
        heading=heading,
        chunk=part.id,
        start=unit.start,
        end=unit.end,
        quote=part.text[unit.start - part.start : unit.end - part.start],
        sha256=part.sha256,
    )


def no_answer(question: str, confidence: float, near: list[str]) -> Answer:
    """The statement that the documents hold no answer."""
    hint = f" The nearest documents are {', '.join(near)}." if near else ""
    return Answer(
        question=question,
        answered=False,
        text=f"I found nothing in the documents that answers this.{hint}",
        confidence=round(confidence, 3),
        nearest=near,
    )
