"""Logistic regression, for the judges that weigh features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

_SOFTNESS = 10.0
_ROUNDS = 100


def regression(features: Any, truth: NDArray[Any]) -> tuple[Matrix, Matrix]:
    """Weights, labels × features, and biases; two labels have two rows too.

    Args:
        features: rows × features, dense or sparse.
        truth: each row's label, from 0; every label has a row.
    """
    from sklearn.linear_model import LogisticRegression

    model: Any = LogisticRegression(C=_SOFTNESS, max_iter=_ROUNDS, tol=1e-3).fit(features, truth)
    weight, bias = model.coef_, model.intercept_
    if len(weight) == 1:
        weight, bias = np.vstack([-weight, weight]) / 2, np.hstack([-bias, bias]) / 2
    return weight.astype(np.float32), bias.astype(np.float32)
