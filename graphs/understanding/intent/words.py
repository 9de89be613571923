"""The judge that reads words: logistic regression on a sentence's words and word pairs.

Where rows are few, a vector blurs what one word tells: "pause" and "resume" lie together. A word is
a run of letters, digits and underscores of any script.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from graphs.understanding.intent.regression import regression

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

_WORD = re.compile(r"\w+")


class Words:
    """Fitted once, then only read: threads may share it.

    Args:
        arrays: `terms` (one text, a term a line), `rarity` (one number a term), `word_weight`
            (terms × labels) and `word_bias` (one number a label), as `fit` makes them.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._terms = [term for term in str(arrays["terms"].item()).split("\n") if term]
        self._place = {term: number for number, term in enumerate(self._terms)}
        self._rarity = arrays["rarity"].astype(np.float32)
        self._weight = arrays["word_weight"].astype(np.float32)
        self._bias = arrays["word_bias"].astype(np.float32)

    @classmethod
    def fit(cls, texts: Sequence[str], truth: NDArray[Any]) -> Words:
        """Fit on texts with their labels.

        Args:
            texts: rows, and the names of labels if those help.
            truth: each text's label, from 0; every label has a text.
        """
        counts = Counter(term for text in texts for term in _terms(text))
        rarity = [math.log((1 + len(texts)) / (1 + count)) + 1 for count in counts.values()]
        silent = cls.silent(int(truth.max()) + 1).arrays()
        words = {"terms": np.array("\n".join(counts)), "rarity": np.array(rarity, np.float32)}
        weight, bias = regression(cls({**silent, **words})._matrix(texts), truth)
        return cls({**words, "word_weight": weight.T, "word_bias": bias})

    @classmethod
    def silent(cls, labels: int) -> Words:
        """A judge that knows no word and prefers no label.

        Args:
            labels: how many there are.
        """
        none = np.zeros(0, np.float32)
        weight, bias = np.zeros((0, labels), np.float32), np.zeros(labels, np.float32)
        return cls(
            {"terms": np.array(""), "rarity": none, "word_weight": weight, "word_bias": bias}
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `Words(...)` takes, small enough to keep: the weights in half precision."""
        return {
            "terms": np.array("\n".join(self._terms)),
            "rarity": self._rarity,
            "word_weight": self._weight.astype(np.float16),
            "word_bias": self._bias,
        }

    def outputs(self, texts: Sequence[str]) -> Matrix:
        """The labels' outputs, texts × labels."""
        rows = [self._row(text) for text in texts]
        said = np.array([shares @ self._weight[places] for places, shares in rows], np.float32)
        return said + self._bias

    def _row(self, text: str) -> tuple[NDArray[np.intp], Matrix]:
        """The places of a text's known terms, and their shares as a unit vector."""
        found = sorted({self._place[term] for term in _terms(text) if term in self._place})
        places = np.array(found, dtype=np.intp)
        shares = self._rarity[places]
        return places, shares / max(float(np.linalg.norm(shares)), 1e-9)

    def _matrix(self, texts: Sequence[str]) -> Any:
        from scipy import sparse

        rows = [self._row(text) for text in texts]
        ends = np.cumsum([0, *(len(places) for places, _ in rows)])
        places = np.concatenate([places for places, _ in rows])
        shares = np.concatenate([shares for _, shares in rows])
        return sparse.csr_matrix((shares, places, ends), shape=(len(texts), len(self._terms)))


def _terms(text: str) -> set[str]:
    words = _WORD.findall(text.lower())
    return {*words, *(f"{first} {second}" for first, second in pairwise(words))}
