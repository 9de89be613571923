"""Answering from passages: which sentences answer, where they stand, and when there are none.

The answer is extractive: nothing is written that does not stand in a document. Owns the choice of
sentences and the confidence; finding passages belongs to the index.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from tools.kernel.embedding import get_embedder
from tools.knowledge.index import Found, Snapshot
from tools.knowledge.library import StoredPassage
from tools.knowledge.outline import Unit, blocks, units
from tools.knowledge.ranking import Bm25

if TYPE_CHECKING:
    from tools.kernel.embedding import Vectors

PASSAGES = 5
"""From how many of the best passages sentences are taken."""

MOST_UNITS = 5
MOST_ITEMS = 12
"""The longest answer: single sentences, and items of one list."""

ENOUGH = 0.82
"""A further sentence must score at least this share of the best one."""

ABOUT_SECTION = 0.4
ABOUT_DOCUMENT = 0.9
"""The share of a question's words in a heading, or in a title, that makes it the subject."""

THRESHOLD = 0.35
"""Below this confidence the documents are said not to hold an answer."""

_WEIGHTS = (-8.28, 5.19, 5.3, 4.7, 2.38)

_TOPIC = re.compile(
    r"^(?:(?:please )?(?:tell (?:me|us)|what do you know|what (?:does|do|is said in) .{2,60}? "
    r"(?:say|tell us|state|mention|have|specify))|anything|everything|summari[sz]e|explain|"
    r"describe|overview)\s*(?:about|on|of|regarding|concerning)?\s+",
    re.I,
)
_PROCEDURE = re.compile(
    r"^(?:how (?:do|can|should|must|is|are|to)|what (?:must|should|are the (?:steps|rules))|"
    r"what (?:to do|do (?:i|we) do)|which (?:steps|sections|things|conditions)|list|steps|"
    r"when (?:should|must|do|can)|\w+ing )",
    re.I,
)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A unit that may answer.

    Attributes:
        similarity: cosine of the question and the unit under its heading.
        coverage: share of the question's words that stand in the unit or its heading.
    """

    unit: Unit
    passage: StoredPassage
    rank: int
    similarity: float
    coverage: float

    @property
    def score(self) -> float:
        """How well it answers; comparable within one question only."""
        brief = min(len(self.unit.text.split()) / 6, 1.0)  # "Severity: SEV2." answers little
        brief = 1.0 if self.unit.text.endswith(":") else brief
        return brief * (self.similarity + 0.5 * self.coverage) - 0.03 * self.rank


@dataclass(frozen=True, slots=True)
class Selection:
    """The units that answer, in reading order, and how probable it is that they do."""

    chosen: list[Candidate]
    confidence: float


def select(question: str, found: Sequence[Found], snapshot: Snapshot) -> Selection:
    """Choose the units that answer a question from the passages found for it."""
    listed = candidates(question, found, snapshot)
    if not listed:
        return Selection([], 0.0)
    sure = confidence(signals(question, found, listed, snapshot.words))
    ranked = sorted(listed, key=lambda c: -c.score)
    return Selection(_in_order(_choose(question, ranked, snapshot.words)), sure)


def signals(
    question: str, found: Sequence[Found], candidates: Sequence[Candidate], words: Bm25
) -> tuple[float, ...]:
    """What the confidence is computed from, each 0 to 1: the best passage's and the best unit's
    cosine, and how much of the question's words they hold."""
    best = max(candidates, key=lambda c: c.score)
    top = found[:PASSAGES]
    return (
        max(f.similarity for f in top),
        max(c.similarity for c in candidates),
        max(words.coverage(question, f.passage.embedded) for f in top),
        best.coverage,
    )


def confidence(values: Sequence[float]) -> float:
    """The probability that the documents hold the answer, by logistic regression on `signals`.

    Fitted on questions about the bundled documents, with and without an answer in them; the
    questions and the fit are in `tests/knowledge/calibration.py`.
    """
    total = _WEIGHTS[0] + sum(w * v for w, v in zip(_WEIGHTS[1:], values, strict=True))
    return 1 / (1 + math.exp(-total))


def candidates(question: str, found: Sequence[Found], snapshot: Snapshot) -> list[Candidate]:
    """The units of the best passages, each with how well it fits the question."""
    seen: dict[tuple[str, int], tuple[Unit, StoredPassage, int]] = {}
    for rank, hit in enumerate(found[:PASSAGES]):
        for unit in _units_in(hit.passage, snapshot.texts[hit.passage.source]):
            seen.setdefault((hit.passage.source, unit.start), (unit, hit.passage, rank))
    listed = list(seen.values())
    if not listed:
        return []
    asked = get_embedder().embed_one(question)
    vectors = _unit_vectors(tuple(_in_context(u) for u, _, _ in listed))
    return [
        Candidate(
            unit,
            passage,
            rank,
            float(vectors[number] @ asked),
            snapshot.words.coverage(question, _in_context(unit)),
        )
        for number, (unit, passage, rank) in enumerate(listed)
    ]


@lru_cache(maxsize=512)
def _document_units(text: str) -> tuple[Unit, ...]:
    return tuple(units(text, blocks(text)))


def _units_in(passage: StoredPassage, text: str) -> list[Unit]:
    return [u for u in _document_units(text) if u.start >= passage.start and u.end <= passage.end]


def _in_context(unit: Unit) -> str:
    """The unit under its own heading; the title, under which all stands, says nothing of it."""
    return f"{unit.heading[-1]}: {unit.text}" if len(unit.heading) > 1 else unit.text


_VECTORS: dict[str, Vectors] = {}


def _unit_vectors(texts: tuple[str, ...]) -> Vectors:
    import numpy as np

    missing = [t for t in dict.fromkeys(texts) if t not in _VECTORS]
    if len(_VECTORS) + len(missing) > 20_000:
        _VECTORS.clear()
        missing = list(dict.fromkeys(texts))
    for text, vector in zip(missing, get_embedder().embed(missing, 128), strict=True):
        _VECTORS[text] = vector
    return np.stack([_VECTORS[t] for t in texts])


def _choose(question: str, ranked: Sequence[Candidate], words: Bm25) -> list[Candidate]:
    best = ranked[0]
    group = _list_asked_for(question, ranked, words)
    chosen = _with_lead(best.passage.source, group, ranked) if group else []
    room = 2 if chosen else MOST_UNITS
    for candidate in ranked:
        if room == 0 or candidate.score < ENOUGH * best.score:
            break
        if candidate not in chosen and not _repeats(candidate, chosen):
            chosen.append(candidate)
            room -= 1
    return chosen


def _list_asked_for(question: str, ranked: Sequence[Candidate], words: Bm25) -> int:
    """The list in the best unit's document that answers as a whole; 0 if none does."""
    best = ranked[0]
    mine = [c for c in ranked if c.passage.source == best.passage.source]
    if best.unit.text.endswith(":"):
        after = [c for c in _section(best, mine) if c.unit.start > best.unit.start]
        return after[0].unit.group if after and after[0].unit.kind == "item" else 0
    near = [c.unit.group for c in mine if c.score >= ENOUGH * best.score and c.unit.kind == "item"]
    if best.unit.kind == "item" and near.count(best.unit.group) > 1:
        return best.unit.group
    topic = _TOPIC.sub("", question)
    if topic == question and not _PROCEDURE.search(question):
        return 0
    return best.unit.group if best.unit.kind == "item" else _procedure(topic, mine, words)


def _procedure(topic: str, mine: Sequence[Candidate], words: Bm25) -> int:
    """A numbered list whose heading, or whose document's title, is about the topic."""
    lists: dict[int, list[Candidate]] = {}
    for candidate in mine:
        if candidate.unit.numbered:
            lists.setdefault(candidate.unit.group, []).append(candidate)
    longest = sorted(lists, key=lambda g: -len(lists[g]))
    for group in longest:
        if words.coverage(topic, lists[group][0].unit.heading[-1]) >= ABOUT_SECTION:
            return group
    title = mine[0].unit.heading[0] if mine[0].unit.heading else ""
    return longest[0] if longest and words.coverage(topic, title) >= ABOUT_DOCUMENT else 0


def _with_lead(source: str, group: int, ranked: Sequence[Candidate]) -> list[Candidate]:
    items = [c for c in ranked if c.passage.source == source and c.unit.group == group]
    items = sorted(items, key=lambda c: c.unit.start)[:MOST_ITEMS]
    before = [c for c in _section(items[0], ranked) if c.unit.end <= items[0].unit.start]
    lead = [c for c in before[-1:] if c.unit.text.endswith(":")]
    return [*lead, *items]


def _section(candidate: Candidate, ranked: Sequence[Candidate]) -> list[Candidate]:
    """The units under the same headings, as they stand in the document."""
    same = (
        c
        for c in ranked
        if c.passage.source == candidate.passage.source and c.unit.heading == candidate.unit.heading
    )
    return sorted(same, key=lambda c: c.unit.start)


def _repeats(candidate: Candidate, chosen: Sequence[Candidate]) -> bool:
    words = set(candidate.unit.text.lower().split())
    return any(len(words & set(c.unit.text.lower().split())) > 0.8 * len(words) for c in chosen)


def _in_order(chosen: Sequence[Candidate]) -> list[Candidate]:
    """Documents in the order of their best unit, within a document as they stand in it."""
    order = list(dict.fromkeys(c.passage.source for c in chosen))
    return sorted(chosen, key=lambda c: (order.index(c.passage.source), c.unit.start))
