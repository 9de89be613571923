"""Classes as numbers: one a text, or, where a text may have several labels, one a set of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tools.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from tools.evaluation.statistics import Floats, Ints
    from tools.training.export import Classifier

THRESHOLD = 0.5
BETWEEN = " | "


class Coding:
    """Turns labels and probabilities into numbers that are equal where the answer is right.

    Args:
        classifier: whose labels.
    """

    def __init__(self, classifier: Classifier) -> None:
        self.labels = [*classifier.labels]
        self.several = bool(getattr(classifier, "multilabel", False))
        self._places = {label: place for place, label in enumerate(self.labels)}
        self._sets: dict[tuple[int, ...], int] = {}

    def truth(self, rows: Sequence[dict[str, Any]]) -> Ints:
        """The number of each row's class, or of its set of labels.

        Raises:
            InvalidInput: if a label is not known.
        """
        if self.several:
            return self._coded(self.matrix(rows))
        return np.array([self._place(row["label"]) for row in rows], dtype=np.int64)

    def predicted(self, probabilities: Floats) -> Ints:
        """The number of the likeliest class, or of the set of labels that are likelier than not."""
        if self.several:
            return self._coded(probabilities > THRESHOLD)
        return probabilities.argmax(axis=1)

    def matrix(self, rows: Sequence[dict[str, Any]]) -> np.ndarray:
        """Which row has which label: rows × labels."""
        found = np.zeros((len(rows), len(self.labels)), dtype=bool)
        for number, row in enumerate(rows):
            labels = row.get("labels")
            for label in [row["label"]] if labels is None else labels:
                found[number, self._place(label)] = True
        return found

    def names(self, matrix: np.ndarray) -> list[str]:
        """Sets of labels in words."""
        return [BETWEEN.join(self.labels[i] for i in row.nonzero()[0]) or "none" for row in matrix]

    def _place(self, label: str) -> int:
        if label not in self._places:
            raise InvalidInput(f"The model does not know the label {label!r}.")
        return self._places[label]

    def _coded(self, matrix: np.ndarray) -> Ints:
        keys = [tuple(row.nonzero()[0].tolist()) for row in matrix]
        return np.array([self._sets.setdefault(k, len(self._sets)) for k in keys], dtype=np.int64)
