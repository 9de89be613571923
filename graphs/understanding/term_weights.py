"""Words and word pairs of sentences, weighted by how rare they are."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

_WORD = re.compile(r"[a-z0-9/'-]+|[?!]")


class TermWeights:
    """The terms of the sentences it is made of; afterwards only read.

    Args:
        texts: sentences. Terms that only one of them has are not kept.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        documents = Counter(term for text in texts for term in set(_terms(text)))
        self.terms = sorted(term for term, count in documents.items() if count > 1)
        self._place = {term: number for number, term in enumerate(self.terms)}
        total = len(texts)
        self._weight = np.array(
            [math.log((1 + total) / (1 + documents[term])) for term in self.terms], np.float32
        )
        self._index(texts)

    @property
    def words(self) -> frozenset[str]:
        """The single words that are known."""
        return frozenset(term for term in self._place if " " not in term and "^" not in term)

    def row(self, text: str) -> tuple[NDArray[np.intp], Matrix]:
        """The places of a text's known terms, and their weights as a unit vector."""
        found = sorted({self._place[term] for term in _terms(text) if term in self._place})
        places = np.array(found, dtype=np.intp)
        weights = self._weight[places]
        return places, weights / max(float(np.linalg.norm(weights)), 1e-9)

    def alike(self, places: NDArray[np.intp], weights: Matrix) -> Matrix:
        """The cosine of a text's terms to those of every sentence; only shared terms cost."""
        found = np.zeros(self._count, dtype=np.float32)
        for place, weight in zip(places, weights, strict=True):
            start, end = self._starts[place], self._starts[place + 1]
            found[self._owners[start:end]] += weight * self._shares[start:end]
        return found

    def matrix(self) -> Any:
        """The sentences' terms as a sparse matrix, a unit row a sentence."""
        from scipy import sparse

        shape = (self._count, len(self.terms))
        return sparse.csc_matrix((self._shares, self._owners, self._starts), shape=shape).tocsr()

    def _index(self, texts: Sequence[str]) -> None:
        rows = [self.row(text) for text in texts]
        self._count = len(rows)
        places = np.concatenate([row[0] for row in rows]) if rows else np.zeros(0, np.intp)
        shares = np.concatenate([row[1] for row in rows]) if rows else np.zeros(0, np.float32)
        owners = np.repeat(np.arange(len(rows)), [len(row[0]) for row in rows])
        order = np.argsort(places, kind="stable")
        self._owners = owners[order].astype(np.int32)
        self._shares: Matrix = shares[order].astype(np.float32)
        self._starts = np.searchsorted(places[order], np.arange(len(self.terms) + 1))


def _terms(text: str) -> list[str]:
    words = _WORD.findall(text.lower())
    pairs = [f"{a} {b}" for a, b in pairwise(words)]
    return words + pairs + ([f"^{words[0]}"] if words else [])
