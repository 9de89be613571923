"""Retrieval by vectors with intervals, and whether two embeddings differ on the same queries.

What is found is worked out in `tools.training.similarity.finding`, from two matrices of vectors.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tools.evaluation import statistics
from tools.evaluation.resampling import bootstrap, paired_p_value, widened
from tools.evaluation.statistics import Interval
from tools.training.intervals import paired_difference, wilson
from tools.training.similarity.finding import by_query

if TYPE_CHECKING:
    from tools.evaluation.statistics import Floats
    from tools.training.similarity.finding import Found

_FEW = 10
"""Below so many queries that differ, resamples of none of them say too little."""


@dataclass(frozen=True, slots=True)
class Paired:
    """Two embeddings on the same queries.

    Attributes:
        only_first: queries whose right counterpart only the first finds at once.
        only_second: the same of the second.
        p_value: of the exact McNemar test on these two.
        mrr: the first's mean reciprocal rank minus the second's, with its interval.
        mrr_p_value: that it is 0, by flipping signs.
    """

    only_first: int
    only_second: int
    p_value: float
    mrr: Interval
    mrr_p_value: float


def intervals(found: Found) -> dict[str, Interval]:
    """Every score of `finding.SHOWN` with its 95 % interval over the queries.

    Shares have that of `statistics.accuracy_interval`. The others have the bootstrap's, widened to
    what Wilson's leaves open for a share of the same mean, since resamples of queries that all find
    their counterpart at once do not differ.
    """
    return {name: _interval(name, scores) for name, scores in by_query(found).items()}


def _interval(name: str, scores: Floats) -> Interval:
    total = float(scores.sum())
    if name.startswith("recall_at_") or name == "triplet_accuracy":
        return statistics.accuracy_interval(round(total), len(scores))
    drawn = bootstrap(len(scores), lambda chosen: float(scores[chosen].mean()))
    if 0 < drawn.low < drawn.high < 1:
        return drawn
    return widened(drawn, Interval(drawn.value, *wilson(total, len(scores))))


def figures(found: Found) -> dict[str, float]:
    """Every score, and its interval's ends as `_low` and `_high`."""
    told: dict[str, float] = {}
    for name, ends in intervals(found).items():
        told |= {name: ends.value, f"{name}_low": ends.low, f"{name}_high": ends.high}
    return told


def paired(first: Found, second: Found) -> Paired:
    """Hold two embeddings against each other, query by query.

    Args:
        first: what the first found.
        second: what the second found of the same search.
    """
    hits, others = first.places == 1, second.places == 1
    only_first, only_second = int((hits & ~others).sum()), int((others & ~hits).sum())
    differences = 1 / first.places - 1 / second.places
    return Paired(
        only_first=only_first,
        only_second=only_second,
        p_value=statistics.mcnemar(only_first, only_second),
        mrr=_difference(differences),
        mrr_p_value=paired_p_value(differences),
    )


def _difference(differences: Floats) -> Interval:
    """The mean with the paired bootstrap's interval; Tango's where few queries differ."""
    drawn = bootstrap(len(differences), lambda chosen: float(differences[chosen].mean()))
    if np.count_nonzero(differences) >= _FEW:
        return drawn
    gained, lost = float(differences.clip(0).sum()), float((-differences).clip(0).sum())
    return widened(drawn, Interval(drawn.value, *paired_difference(gained, lost, len(differences))))
