"""Which operation a clause asks for, with a calibrated probability, and when none does.

Two judges are averaged: logistic regression, and the nearest neighbours (a kernel over the cosine).
Both see the sentence's embedding, its words and its word pairs. Names are masked by their kind, so
that a model called `report-writer` does not sound like a report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Protocol

import numpy as np
from threadpoolctl import threadpool_limits

from graphs.understanding.intent.heads import nearest, softmax
from graphs.understanding.linear_head import learn_head
from graphs.understanding.training_rows import Rows, Sentence

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

__all__ = ["OUTSIDE", "Encoder", "Needs", "Route", "Router", "Sentence"]

OUTSIDE = "outside"
"""The label of sentences that no operation can serve."""

_WIDTH = 0.05
_KEPT = 4096


class Encoder(Protocol):
    """Makes unit vectors of sentences."""

    def embed(self, texts: Sequence[str]) -> Matrix:
        """One row a text."""
        ...

    def words(self) -> frozenset[str]:
        """Words that it takes in whole: none of them is a slip of the finger."""
        ...


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
        if vectors is None:
            vectors = encoder.embed([sentence.text for sentence in sentences])
        rows = Rows.of(sentences, vectors)
        self.labels = rows.labels
        self._meanings, self._terms = rows.vectors, rows.terms
        self._head = learn_head(rows)
        self._starts = np.searchsorted(rows.truth, np.arange(len(self.labels)))

    def route(self, texts: Sequence[str]) -> list[Route]:
        """The routes of masked clauses; one that was routed lately costs nothing again."""
        lately = self._lately
        fresh = [text for text in dict.fromkeys(texts) if text not in lately]
        if fresh:
            vectors = self._encoder.embed(fresh)
            found = {t: self._read(t, v) for t, v in zip(fresh, vectors, strict=True)}
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
        return self._terms.words

    def distribution(self, text: str) -> dict[str, float]:
        """Every label's probability for one masked clause."""
        chances, _ = self._judge(text, self._encoder.embed([text])[0])
        return dict(zip(self.labels, (float(c) for c in chances), strict=True))

    def _judge(self, text: str, vector: Matrix) -> tuple[Matrix, float]:
        """The labels' probabilities, and the cosine to the nearest sentence."""
        places, weights = self._terms.row(text)
        linear = softmax(self._head.outputs(vector, places, weights)[None])[0]
        alike = (self._meanings @ vector + self._terms.alike(places, weights)) / 2
        near = softmax(nearest(alike[None], self._starts, _WIDTH) / _WIDTH)[0]
        return (linear + near) / 2, float(alike.max())

    def _read(self, text: str, vector: Matrix) -> Route:
        chances, similarity = self._judge(text, vector)
        order = np.argsort(-chances)
        ranked = [(self.labels[i], float(chances[i])) for i in order]
        outside = next((c for label, c in ranked if label == OUTSIDE), 0.0)
        inside = [pair for pair in ranked if pair[0] != OUTSIDE]
        return Route(
            operation=inside[0][0],
            probability=inside[0][1],
            outside=outside,
            runners=tuple(inside[1:4]),
            similarity=similarity,
        )
