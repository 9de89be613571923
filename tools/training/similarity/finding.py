"""Which candidate each query finds by its vector, and the scores of retrieval that follow.

A query is a row's anchor; the candidates are all rows' positives and negatives, each text once.
Figures are computed from two matrices of vectors, whatever made them, so that a trained encoder,
its base and a shrunk variant of it are judged alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tools.kernel.errors import OperationFailed

if TYPE_CHECKING:
    import numpy.typing as npt

    Vectors = npt.NDArray[np.float32] | npt.NDArray[np.float64]
    Floats = npt.NDArray[np.float64]
    Ints = npt.NDArray[np.int64]

CUT = 10
SHOWN = ("recall_at_1", "recall_at_5", "recall_at_10", "mrr", "ndcg_at_10", "triplet_accuracy")
"""Every score of retrieval; the last one only where rows have negatives."""
_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched for what.

    Attributes:
        queries: one a row.
        candidates: the texts that can be found, each once whatever its case and spacing.
        right: of each query the candidates that are right: the positives of all rows that ask it.
        own: of each query the candidate that is the query itself, -1 where there is none; it cannot
            be found unless it is right.
        negatives: of each row the candidate that is its negative, -1 where it has none.
    """

    queries: tuple[str, ...]
    candidates: tuple[str, ...]
    right: tuple[frozenset[int], ...]
    own: tuple[int, ...]
    negatives: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """What the queries found, a number a query.

    Attributes:
        places: the place of the nearest right candidate, from 1; one that is as near as a wrong one
            stands behind it, so that vectors that are all alike find nothing.
        nearest: the candidate that is found first.
        nearness: its cosine.
        right_nearness: the cosine of the nearest right candidate.
        won: 1 where the right candidate is nearer than the row's negative, 0 where it is not; NaN
            without a negative.
    """

    places: Ints
    nearest: Ints
    nearness: Floats
    right_nearness: Floats
    won: Floats


def search_of(rows: Sequence[Sequence[str]]) -> Search:
    """The search that rows make.

    Args:
        rows: of each the anchor, the positive, and perhaps a negative.
    """
    places: dict[str, int] = {}
    texts: list[str] = []
    for text in (text for row in rows for text in row[1:]):
        if places.setdefault(_plain(text), len(texts)) == len(texts):
            texts.append(text)
    right: dict[str, set[int]] = {}
    for row in rows:
        right.setdefault(_plain(row[0]), set()).add(places[_plain(row[1])])
    return Search(
        queries=tuple(row[0] for row in rows),
        candidates=tuple(texts),
        right=tuple(frozenset(right[_plain(row[0])]) for row in rows),
        own=tuple(places.get(_plain(row[0]), -1) for row in rows),
        negatives=tuple(places[_plain(row[2])] if len(row) > 2 else -1 for row in rows),
    )


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())


def find(search: Search, queries: Vectors, candidates: Vectors) -> Found:
    """Let every query find its nearest candidates by the cosine.

    Args:
        search: what is searched for what.
        queries: a vector of length 1 for each query.
        candidates: a vector of length 1 for each candidate.

    Raises:
        OperationFailed: if some are no finite numbers.
    """
    refuse_no_numbers(queries, candidates)
    parts = [
        _part(search, start, queries[start : start + _AT_ONCE], candidates)
        for start in range(0, len(queries), _AT_ONCE)
    ]
    return Found(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def refuse_no_numbers(*vectors: Vectors) -> None:
    """Refuse vectors of which some are no finite numbers: nothing follows from them.

    Raises:
        OperationFailed: saying of how many texts.
    """
    broken = sum(int((~np.isfinite(found)).any(axis=1).sum()) for found in vectors)
    if broken:
        raise OperationFailed(
            f"The model gives no finite vectors for {broken} of {sum(map(len, vectors))} texts: "
            "its weights are no numbers any more (NaN).",
            hint="The training diverged; train it again at a lower learning rate.",
        )


def _part(
    search: Search, start: int, queries: Vectors, candidates: Vectors
) -> tuple[Ints, Ints, Floats, Floats, Floats]:
    """The columns of `Found` for some of the queries."""
    near = queries.astype(np.float64) @ candidates.astype(np.float64).T
    rows = np.arange(len(near))
    right = np.zeros(near.shape, dtype=bool)
    for row in rows:
        right[row, [*search.right[start + row]]] = True
    own = np.array(search.own[start : start + len(near)])
    barred = (own >= 0) & ~right[rows, own]
    near[rows[barred], own[barred]] = -np.inf
    best = np.where(right, near, -np.inf).max(axis=1)
    wrong = np.where(right, -np.inf, near)
    places = (wrong >= best[:, None]).sum(axis=1) + 1
    nearest = np.where(places == 1, np.where(right, near, -np.inf).argmax(axis=1), wrong.argmax(1))
    negatives = np.array(search.negatives[start : start + len(near)])
    won = np.where(negatives < 0, np.nan, (best > near[rows, negatives]).astype(np.float64))
    return places, nearest, near[rows, nearest], best, won


def by_query(found: Found) -> dict[str, Floats]:
    """The scores of every query, those of `SHOWN`; their means are the scores of a model.

    `recall_at_k` is 1 where a right candidate is among the first k, `mrr` is 1 / its place, and
    `ndcg_at_10` is 1 / log2(1 + place) within the first ten (Järvelin and Kekäläinen, 2002, with
    one relevant candidate: one that is found is enough). `triplet_accuracy` has one number for each
    row that has a negative, and is left out where none has.
    """
    places = found.places.astype(np.float64)
    scores: dict[str, Floats] = {
        f"recall_at_{k}": (places <= k).astype(np.float64) for k in (1, 5, CUT)
    }
    scores["mrr"] = 1 / places
    scores[f"ndcg_at_{CUT}"] = (places <= CUT) / np.log2(1 + places)
    judged = found.won[~np.isnan(found.won)]
    if len(judged):
        scores["triplet_accuracy"] = judged
    return scores
