"""Which operation a clause asks for, with a calibrated probability, and when none does.

Three judges are averaged: a linear head (kernel ridge regression, solved in closed form, so that
leave-one-out scores cost nothing more), the nearest class centroid and the nearest neighbours. They
see the sentence's embedding, its words and word pairs, and cues such as the kinds of things named.
Names are masked by their kind, so that a model called `report-writer` does not sound like a report.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from threadpoolctl import threadpool_limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

OUTSIDE = "outside"
"""The label of sentences that no operation can serve."""

_WORDS_WEIGHT = 0.55
_RIDGE = 0.25
_NEIGHBOURS = 3
_KEPT = 4096
_WORD = re.compile(r"[a-z0-9/'-]+|[?!]")


class Encoder(Protocol):
    """Makes unit vectors of sentences."""

    def embed(self, texts: Sequence[str]) -> Matrix:
        """One row a text."""
        ...


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence that the router learns from: masked, with its label."""

    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Route:
    """What the router thinks of a clause.

    Attributes:
        operation: the most probable operation.
        probability: that it is meant, among all operations and "outside".
        outside: probability that no operation can serve it.
        runners: the next operations with their probabilities.
        similarity: cosine to the nearest sentence it learnt from.
    """

    operation: str
    probability: float
    outside: float
    runners: tuple[tuple[str, float], ...]
    similarity: float


@dataclass(frozen=True, slots=True)
class Needs:
    """How sure the router must be before an operation is planned."""

    read: float = 0.3
    write: float = 0.35
    dangerous: float = 0.55


class Router:
    """Learnt at construction; afterwards only reads, so that threads may share it.

    Args:
        sentences: masked sentences with their labels.
        encoder: makes the vectors.
        vectors: the sentences' unit vectors, if they are known already.
    """

    def __init__(
        self, sentences: Sequence[Sentence], encoder: Encoder, vectors: Matrix | None = None
    ) -> None:
        # Process-wide. The products here are small: BLAS threads that wait for each other cost
        # twice the processor time and save nothing. Heavy compute has processes of its own.
        threadpool_limits(limits=1, user_api="blas")
        self._encoder = encoder
        self._lately: dict[str, Route] = {}
        self.labels = sorted({s.label for s in sentences})
        self._of = np.array([self.labels.index(s.label) for s in sentences])
        texts = [s.text for s in sentences]
        self._words = _Words(texts)
        self._vectors = np.hstack(
            [
                encoder.embed(texts) if vectors is None else vectors,
                _WORDS_WEIGHT * self._words.matrix(texts),
            ]
        ).astype(np.float32)
        width = self._vectors.shape[1] - self._words.size
        self._fit()
        self._meanings = np.ascontiguousarray(self._vectors[:, :width].T)
        self._by_word = np.ascontiguousarray(self._vectors[:, width:].T)

    def route(self, texts: Sequence[str]) -> list[Route]:
        """The routes of masked clauses; one that was routed lately costs nothing again."""
        lately = self._lately
        fresh = [text for text in dict.fromkeys(texts) if text not in lately]
        if fresh:
            found = dict(zip(fresh, map(self._read, self._similar(fresh)), strict=True))
            kept = {**lately, **found}
            # A new table each time, so that threads read without a lock.
            self._lately = lately = dict(islice(kept.items(), max(len(kept) - _KEPT, 0), None))
        return [lately[text] for text in texts]

    def forget(self) -> None:
        """Route everything anew, for measuring."""
        self._lately = {}

    @property
    def vocabulary(self) -> frozenset[str]:
        """The words that occur in the sentences it learnt from."""
        return self._words.words

    def distribution(self, text: str) -> dict[str, float]:
        """Every label's probability for one masked clause."""
        chances = self._chances(self._similar([text])[0])
        return dict(zip(self.labels, (float(c) for c in chances), strict=True))

    def _similar(self, texts: list[str]) -> Any:
        """How alike each text is to every sentence; of the words only those that are said count."""
        similar = self._encoder.embed(texts) @ self._meanings
        for row, text in zip(similar, texts, strict=True):
            places, weights = self._words.row(text)
            if places:
                row += _WORDS_WEIGHT * (weights @ self._by_word[places])
        return similar

    def _fit(self) -> None:
        count, classes = len(self._of), len(self.labels)
        self._scale = 1.0 / (1.0 + _WORDS_WEIGHT**2)
        gram = (self._vectors @ self._vectors.T).astype(np.float64) * self._scale
        targets = -np.ones((count, classes)) / classes
        targets[np.arange(count), self._of] += 1.0
        sizes = np.bincount(self._of, minlength=classes).astype(np.float64)
        weights = np.sqrt(np.median(sizes) / sizes)[self._of]
        ridge = np.diag(_RIDGE / weights)
        inverse = np.linalg.inv((gram + ridge).astype(np.float32)).astype(np.float64)
        self._head = (inverse @ targets).astype(np.float32)
        left_out = targets - self._head / np.diag(inverse)[:, None]
        self._member = (self._of[:, None] == np.arange(classes)).astype(np.float32)
        self._sizes = sizes.astype(np.float32)
        # A row a label: the places of its sentences, filled up with a place that holds nothing.
        self._places = np.full((classes, max(int(sizes.max()), _NEIGHBOURS)), count)
        for number in range(classes):
            places = np.flatnonzero(self._of == number)
            self._places[number, : len(places)] = places
        own = gram.astype(np.float32)
        centroid = (own @ self._member - np.diag(own)[:, None] * self._member) / np.maximum(
            self._sizes - self._member, 1
        )
        alone = own.copy()
        np.fill_diagonal(alone, -1.0)
        scores = left_out + 0.5 * centroid + 0.5 * np.array([self._nearest(row) for row in alone])
        self._sharpness = self._calibrate(scores)
        self.left_out = _softmax(scores * self._sharpness)

    def _nearest(self, similar: Any) -> Any:
        """For each label, how near the nearest of its sentences are to one text."""
        own = np.append(similar, np.float32(-np.inf))[self._places]
        top = np.partition(own, -_NEIGHBOURS, axis=1)[:, -_NEIGHBOURS:]
        top[~np.isfinite(top)] = 0.0
        return top.sum(axis=1) / np.minimum(self._sizes, _NEIGHBOURS)

    def _calibrate(self, scores: Any) -> float:
        def loss(sharpness: float) -> float:
            chances = _softmax(scores * sharpness)
            return float(-np.log(chances[np.arange(len(self._of)), self._of] + 1e-9).mean())

        return min((float(s) for s in np.geomspace(1, 60, 40)), key=loss)

    def _chances(self, similar: Any) -> Any:
        own = (similar * self._scale).astype(np.float32)
        head = own @ self._head
        centroid = (own @ self._member) / self._sizes
        scores = head + 0.5 * centroid + 0.5 * self._nearest(own)
        return _softmax(scores[None, :] * self._sharpness)[0]

    def _read(self, similar: Any) -> Route:
        chances = self._chances(similar)
        order = np.argsort(-chances)
        ranked = [(self.labels[i], float(chances[i])) for i in order]
        outside = next((c for label, c in ranked if label == OUTSIDE), 0.0)
        inside = [pair for pair in ranked if pair[0] != OUTSIDE]
        return Route(
            operation=inside[0][0],
            probability=inside[0][1],
            outside=outside,
            runners=tuple(inside[1:4]),
            similarity=float(similar.max()) * self._scale,
        )


class _Words:
    """Words and word pairs with their inverse document frequency, as unit rows."""

    def __init__(self, texts: Sequence[str]) -> None:
        documents = Counter(term for text in texts for term in set(_terms(text)))
        kept = sorted(term for term, count in documents.items() if count > 1)
        self._place = {term: number for number, term in enumerate(kept)}
        total = len(texts)
        self._weight = np.array(
            [math.log((1 + total) / (1 + documents[term])) for term in kept], dtype=np.float32
        )

    @property
    def words(self) -> frozenset[str]:
        """The single words that are known."""
        return frozenset(term for term in self._place if " " not in term and "^" not in term)

    @property
    def size(self) -> int:
        """How many words and pairs are known."""
        return len(self._place)

    def row(self, text: str) -> tuple[list[int], Matrix]:
        """The places of a text's known terms, and their weights as a unit vector."""
        found = {self._place[term] for term in _terms(text) if term in self._place}
        places = sorted(found)
        weights = self._weight[places]
        return places, weights / max(float(np.linalg.norm(weights)), 1e-9)

    def matrix(self, texts: Sequence[str]) -> Matrix:
        """One unit row a text (all zeros if no word is known)."""
        rows = np.zeros((len(texts), len(self._place)), dtype=np.float32)
        for number, text in enumerate(texts):
            for term in set(_terms(text)):
                place = self._place.get(term)
                if place is not None:
                    rows[number, place] = self._weight[place]
        norms = np.linalg.norm(rows, axis=1, keepdims=True)
        return rows / np.maximum(norms, 1e-9)


def _terms(text: str) -> list[str]:
    words = _WORD.findall(text.lower())
    pairs = [f"{a} {b}" for a, b in pairwise(words)]
    return words + pairs + ([f"^{words[0]}"] if words else [])


def _softmax(scores: Any) -> Any:
    shifted = np.exp(scores - scores.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)
