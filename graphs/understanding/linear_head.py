"""The router's linear judge: logistic regression on a sentence's meaning and its words.

Fitting it to some thousand sentences takes seconds, so what was fitted last ships with the package
(`python -m graphs.understanding.build_vectors`). Where the sentences have changed since, the fit
starts from there and takes a few steps: a stale file costs time and little else.
"""

from __future__ import annotations

import io
import warnings
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from graphs.understanding.training_rows import Rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.float32]

FILE = "head.npz"
_STRENGTH = 10.0
_STEPS = 1000
_STEPS_FROM_SHIPPED = 8


class LinearHead:
    """Weights of the meaning's dimensions and of the terms, a column a label.

    Args:
        meaning: dimensions of the embedding × labels.
        terms: terms × labels.
        bias: one number a label.
    """

    def __init__(self, meaning: Matrix, terms: Matrix, bias: Matrix) -> None:
        self.meaning, self.terms, self.bias = meaning, terms, bias

    def outputs(self, meaning: Matrix, places: NDArray[np.intp], weights: Matrix) -> Matrix:
        """The labels' outputs for one text: its vector, and its terms with their weights."""
        said = meaning @ self.meaning + weights @ self.terms[places]
        return np.asarray(said + self.bias, np.float32)


def learn_head(rows: Rows) -> LinearHead:
    """The head for sentences: the one that ships if it was fitted to just these, else a new one."""
    shipped = _shipped()
    if shipped is None:
        return fit_head(rows)
    if shipped["mark"].item() == rows.fingerprint():
        return LinearHead(shipped["meaning"], shipped["terms"], shipped["bias"])
    return fit_head(rows, _carried_over(shipped, rows))


def fit_head(rows: Rows, start: tuple[Matrix, Matrix] | None = None) -> LinearHead:
    """Fit on the sentences, from nothing or from weights (labels × features) and biases."""
    from scipy import sparse
    from sklearn.linear_model import LogisticRegression

    features = sparse.hstack([sparse.csr_matrix(rows.vectors), rows.terms.matrix()]).tocsr()
    steps = _STEPS if start is None else _STEPS_FROM_SHIPPED
    model = LogisticRegression(C=_STRENGTH, max_iter=steps, tol=1e-4, warm_start=True)
    if start is not None:
        model.coef_, model.intercept_ = start
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a fit of few steps says that it could take more
        model.fit(features, rows.truth)
    weights = np.asarray(model.coef_, np.float32).T
    width = rows.vectors.shape[1]
    bias = np.asarray(model.intercept_, np.float32)
    return LinearHead(weights[:width].copy(), weights[width:].copy(), bias)


def write_head(rows: Rows, path: Path) -> None:
    """Fit anew, and write what `learn_head` reads."""
    head = fit_head(rows)
    np.savez_compressed(
        path,
        mark=np.array(rows.fingerprint()),
        meaning=head.meaning.astype(np.float16),
        terms=head.terms.astype(np.float16),
        bias=head.bias,
        names=np.array("\n".join(rows.terms.terms)),
        labels=np.array("\n".join(rows.labels)),
    )


def _shipped() -> dict[str, Any] | None:
    file = files("graphs.understanding") / "data" / FILE
    if not file.is_file():
        return None
    with np.load(io.BytesIO(file.read_bytes())) as content:
        found = {name: content[name] for name in content.files}
    return found | {name: found[name].astype(np.float32) for name in ("meaning", "terms", "bias")}


def _carried_over(shipped: dict[str, Any], rows: Rows) -> tuple[Matrix, Matrix] | None:
    """Shipped weights in the places that terms and labels have now; nothing for new ones."""
    width, terms = rows.vectors.shape[1], rows.terms.terms
    old_labels = {name: i for i, name in enumerate(shipped["labels"].item().split("\n"))}
    old_terms = {name: i for i, name in enumerate(shipped["names"].item().split("\n"))}
    kept = [(width + now, old_terms[name]) for now, name in enumerate(terms) if name in old_terms]
    weights = np.zeros((len(rows.labels), width + len(terms)), np.float32)
    bias = np.zeros(len(rows.labels), np.float32)
    for now, name in enumerate(rows.labels):
        old = old_labels.get(name)
        if old is None:
            continue
        weights[now, :width] = shipped["meaning"][:, old]
        weights[now, [place for place, _ in kept]] = shipped["terms"][[p for _, p in kept], old]
        bias[now] = shipped["bias"][old]
    return weights, bias
