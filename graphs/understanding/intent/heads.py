"""Judges of a sentence's vector, and how their common opinion becomes a probability.

Judges that count alike: the nearest rows of each label, logistic regression, and where rows are few
the one that reads words (`words`). The nearest label centroid is asked when it comes to abstaining.
The router of Pilothouse's own commands (`graphs.understanding.router`) takes the neighbours' vote
from here; its linear head sees words too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphs.understanding.intent.regression import regression

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

_WIDTH = 0.03
_FIRM = 0.05
_TINY = 1e-9
_MOST_ROWS = 10_000
"""Neighbours that are looked at: reading more of them from memory takes longer than the encoder."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the judges say of some sentences.

    Attributes:
        chances: their common opinion as probabilities, rows × labels, not calibrated.
        centroid: cosine to the nearest centroid.
        nearest: cosine to the nearest row.
    """

    chances: Matrix
    centroid: Matrix
    nearest: Matrix


class Heads:
    """Fitted once, then only read: threads may share it.

    Args:
        arrays: `weight`, `bias`, `centroids`, `rows`, `truth`, as `fit` makes them; rows of a label
            stand together.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._weight = arrays["weight"].astype(np.float32)
        self._bias = arrays["bias"].astype(np.float32)
        self._centroids = arrays["centroids"].astype(np.float32)
        self._columns = np.ascontiguousarray(arrays["rows"].astype(np.float32).T)  # twice as quick
        self._truth = arrays["truth"].astype(np.int32)
        self._starts = np.searchsorted(self._truth, np.arange(len(self._centroids)))

    @classmethod
    def fit(cls, rows: Matrix, truth: NDArray[Any], names: Matrix | None) -> Heads:
        """Fit on unit vectors of rows, with their labels, and of the labels' names if those help.

        Args:
            rows: one unit vector a row.
            truth: each row's label, from 0; every label has a row.
            names: one unit vector a label, or None.
        """
        classes = int(truth.max()) + 1
        if names is not None:
            rows = np.vstack([rows, names])
            truth = np.concatenate([truth, np.arange(classes)])
        order = np.argsort(truth, kind="stable")
        rows, truth = rows[order], truth[order]
        member = (truth[:, None] == np.arange(classes)).astype(np.float32)
        centroids = member.T @ rows
        centroids /= np.maximum(np.linalg.norm(centroids, axis=1, keepdims=True), _TINY)
        weight, bias = regression(rows, truth)
        arrays = {"weight": weight, "bias": bias, "centroids": centroids}
        kept = _spared(truth)
        return cls({**arrays, "rows": rows[kept], "truth": truth[kept]})

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `Heads(...)` takes, small enough to keep: the rows in half precision."""
        return {
            "weight": self._weight,
            "bias": self._bias,
            "centroids": self._centroids,
            "rows": self._columns.T.astype(np.float16),
            "truth": self._truth,
        }

    def judge(self, vectors: Matrix, said: Matrix) -> Opinion:
        """The judges' opinion of sentences.

        Args:
            vectors: a unit vector a sentence.
            said: what the judge of words says of each, sentences × labels.
        """
        near = vectors @ self._columns
        best = near.max(1)
        linear = vectors @ self._weight.T + self._bias
        scores = nearest(near, self._starts, _WIDTH) / _FIRM + linear + said
        chances = softmax(scores / 2.0).astype(np.float32)
        return Opinion(chances, (vectors @ self._centroids.T).max(1), best)


def _spared(truth: NDArray[Any]) -> NDArray[Any]:
    """The rows that are kept as neighbours: every label's share of `_MOST_ROWS`, or all it has.

    Args:
        truth: each row's label; rows of a label stand together.
    """
    classes = int(truth.max()) + 1
    share = max(1, _MOST_ROWS // classes)
    kept: list[NDArray[Any]] = []
    for label in range(classes):
        own = np.flatnonzero(truth == label)
        places = np.linspace(0, len(own) - 1, min(share, len(own))).round().astype(int)
        kept.append(own[places])
    return np.concatenate(kept)


def nearest(similar: NDArray[Any], starts: NDArray[Any], width: float) -> NDArray[Any]:
    """How near each label's rows are, sentences × labels: a soft maximum of their similarities.

    `softmax(nearest(…) / width)` is the vote of a kernel over the neighbours.

    Args:
        similar: of sentences to rows, sentences × rows; rows of a label stand together.
        starts: where each label's rows begin; every label has one.
        width: a row this much less alike counts for a third.
    """
    votes = np.add.reduceat(np.exp((similar - 1.0) / width), starts, axis=1)
    return 1.0 + width * np.log(votes + 1e-30)


def softmax(scores: Any) -> Any:
    """Rows of scores as rows of probabilities."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def fit_sharpness(scores: Any, truth: NDArray[Any], least: float, most: float) -> float:
    """The factor under which rows that the judges had not seen are likeliest (Guo et al., 2017).

    Args:
        scores: rows × labels.
        truth: each row's label.
        least: the smallest factor tried.
        most: the largest.
    """

    def loss(factor: float) -> float:
        given = softmax(scores * factor)[np.arange(len(truth)), truth]
        return float(-np.log(given + _TINY).mean())

    return min((float(f) for f in np.geomspace(least, most, 60)), key=loss)
