"""What the router's judges learn from: sentences, their vectors, their terms and their labels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphs.understanding.term_weights import TermWeights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence that the router learns from: masked, with its label."""

    text: str
    label: str


@dataclass(frozen=True, slots=True)
class Rows:
    """Sentences grouped by label, so that one pass over neighbours sums each label's own.

    Attributes:
        texts: the masked sentences.
        vectors: a unit vector a sentence.
        terms: the sentences' words and word pairs.
        labels: the labels in order.
        truth: each sentence's label, as a place in `labels`.
    """

    texts: list[str]
    vectors: Matrix
    terms: TermWeights
    labels: list[str]
    truth: NDArray[Any]

    @classmethod
    def of(cls, sentences: Sequence[Sentence], vectors: Matrix) -> Rows:
        """The rows of sentences with their vectors."""
        labels = sorted({s.label for s in sentences})
        place = {label: number for number, label in enumerate(labels)}
        order = sorted(
            range(len(sentences)), key=lambda i: (place[sentences[i].label], sentences[i].text)
        )
        texts = [sentences[i].text for i in order]
        return cls(
            texts=texts,
            vectors=np.ascontiguousarray(vectors[order], dtype=np.float32),
            terms=TermWeights(texts),
            labels=labels,
            truth=np.array([place[sentences[i].label] for i in order]),
        )

    def fingerprint(self) -> str:
        """Tells apart any two sets of sentences with their labels."""
        said = [f"{self.labels[t]}\t{text}" for t, text in zip(self.truth, self.texts, strict=True)]
        return hashlib.sha256("\n".join(said).encode()).hexdigest()
