"""How far two graders agree beyond chance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import numpy as np

from tools.evaluation.language_types import Agreement
from tools.evaluation.resampling import bootstrap


def agreement(judge: Sequence[int], person: Sequence[int]) -> Agreement:
    """Cohen's kappa of two graders of the same rows, plain and weighted by squared distance.

    Cohen 1960 and 1968; computed by scikit-learn, the interval by resampling rows. Where both give
    one and the same grade to every row, agreement beyond chance is not defined: it counts as 0.

    Args:
        judge: the judge's grades.
        person: the people's grades, in the same order.
    """
    first, second = np.asarray(judge), np.asarray(person)

    def weighted(chosen: np.ndarray) -> float:
        return _kappa(first[chosen], second[chosen], "quadratic")

    interval = bootstrap(len(first), weighted, resamples=300)
    return Agreement(
        rows=len(first),
        same=float((first == second).mean()),
        kappa=_kappa(first, second, None),
        weighted_kappa=interval.value,
        low=interval.low,
        high=interval.high,
    )


def _kappa(first: np.ndarray, second: np.ndarray, weights: str | None) -> float:
    from sklearn.metrics import cohen_kappa_score

    if len({*first.tolist(), *second.tolist()}) < 2:
        return 0.0
    return float(cohen_kappa_score(first, second, weights=cast("Any", weights)))
