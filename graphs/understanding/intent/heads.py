"""Three judges of a sentence's vector, and how their common opinion becomes a probability.

A linear head (logistic regression), the nearest label centroid, and the nearest rows. Each errs in
its own way: their average beats the best of them, most of all with few rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

_WIDTH = 0.05
_STRENGTH = 30.0
_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the judges say of some sentences.

    Attributes:
        chances: the average of their probabilities, rows × labels, not calibrated.
        energy: log-sum-exp of the linear head's outputs.
        centroid: cosine to the nearest centroid.
        nearest: cosine to the nearest row.
    """

    chances: Matrix
    energy: Matrix
    centroid: Matrix
    nearest: Matrix


class Heads:
    """Fitted once, then only read: threads may share it.

    Args:
        arrays: `weight`, `bias`, `centroids`, `rows`, `truth`, as `fit` makes them.
    """

    def __init__(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._weight = arrays["weight"].astype(np.float32)
        self._bias = arrays["bias"].astype(np.float32)
        self._centroids = arrays["centroids"].astype(np.float32)
        self._rows = arrays["rows"].astype(np.float32)
        truth = arrays["truth"]
        order = np.argsort(truth, kind="stable")
        self._rows = np.ascontiguousarray(self._rows[order])
        self._truth = truth[order].astype(np.int32)
        self._starts = np.searchsorted(self._truth, np.arange(len(self._centroids)))

    @classmethod
    def fit(cls, rows: Matrix, truth: NDArray[Any], names: Matrix | None) -> Heads:
        """Fit on unit vectors of rows, with their labels, and of the labels' names if those help.

        Args:
            rows: one unit vector a row.
            truth: each row's label, from 0; every label has a row.
            names: one unit vector a label, or None.
        """
        from sklearn.linear_model import LogisticRegression

        classes = int(truth.max()) + 1
        if names is not None:
            rows = np.vstack([rows, names])
            truth = np.concatenate([truth, np.arange(classes)])
        linear = LogisticRegression(C=_STRENGTH, max_iter=300, tol=1e-3).fit(rows, truth)
        weight, bias = linear.coef_, linear.intercept_
        if classes == 2:  # scikit-learn keeps one row for two labels
            weight, bias = np.vstack([-weight / 2, weight / 2]), np.array([-bias[0], bias[0]]) / 2
        member = (truth[:, None] == np.arange(classes)).astype(np.float32)
        centroids = member.T @ rows
        centroids /= np.maximum(np.linalg.norm(centroids, axis=1, keepdims=True), _TINY)
        return cls(
            {"weight": weight, "bias": bias, "centroids": centroids, "rows": rows, "truth": truth}
        )

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `Heads(...)` takes, small enough to keep: the rows in half precision."""
        return {
            "weight": self._weight,
            "bias": self._bias,
            "centroids": self._centroids,
            "rows": self._rows.astype(np.float16),
            "truth": self._truth,
        }

    def judge(self, vectors: Matrix) -> Opinion:
        """The judges' opinion of unit vectors."""
        linear = vectors @ self._weight.T + self._bias
        central = vectors @ self._centroids.T
        near = vectors @ self._rows.T
        by_label = np.maximum(
            np.add.reduceat(np.exp((near - 1.0) / _WIDTH), self._starts, axis=1), _TINY
        )
        chances = (
            softmax(linear) + softmax(central / _WIDTH) + by_label / by_label.sum(1, keepdims=True)
        ) / 3.0
        top = linear.max(1)
        return Opinion(
            chances.astype(np.float32),
            top + np.log(np.exp(linear - top[:, None]).sum(1)),
            central.max(1),
            near.max(1),
        )


def softmax(scores: Any) -> Any:
    """Rows of scores as rows of probabilities."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True))
    return raised / raised.sum(axis=1, keepdims=True)


def sharpen(chances: Matrix, sharpness: float) -> Matrix:
    """Probabilities raised to a power and made to sum to 1 again: temperature scaling."""
    return softmax(np.log(chances + _TINY) * sharpness)


def fit_sharpness(chances: Matrix, truth: NDArray[Any]) -> float:
    """The power under which held-out rows are likeliest (Guo et al., 2017)."""

    def loss(power: float) -> float:
        given = sharpen(chances, power)[np.arange(len(truth)), truth]
        return float(-np.log(given + _TINY).mean())

    return min((float(p) for p in np.geomspace(0.25, 8.0, 60)), key=loss)
