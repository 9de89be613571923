"""An embedding's held-out rows as a search: what its vectors find, and what a variant's do not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tools.kernel.child import emit
from tools.training.optimizing.choosing import RECALL_AT_1
from tools.training.optimizing.comparing import Loss, paired_loss, resampled
from tools.training.similarity.embedder import found_by
from tools.training.similarity.finding import Search, by_query, search_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from tools.training.optimizing.vector_runners import VectorVariant

    Vector = npt.NDArray[np.float32]

_BATCH = 16


def read_search(path: Path) -> Search:
    """The search that a file of JSON lines of `texts` makes."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return search_of([json.loads(line)["texts"] for line in lines])


def embedded(model: VectorVariant, search: Search, spec: dict[str, Any]) -> dict[str, Vector]:
    """The vector of every text that is asked or can be found; reports progress.

    Args:
        model: what is measured.
        search: what is searched for what.
        spec: of `measure`.
    """
    begin, end = spec.get("span", (0.0, 1.0))
    texts = list(dict.fromkeys([*search.queries, *search.candidates]))
    vectors: dict[str, Vector] = {}
    for start in range(0, len(texts), _BATCH):
        chosen = texts[start : start + _BATCH]
        vectors |= zip(chosen, model.embed(chosen).astype(np.float32), strict=True)
        share = begin + (end - begin) * len(vectors) / len(texts)
        emit(progress=share, message=spec.get("message", "measuring"))
    return vectors


def found(vectors: dict[str, Vector], search: Search, spec: dict[str, Any]) -> dict[str, Any]:
    """Search by the vectors; keeps them and what was found for `paired_search`.

    Returns:
        `metric`, `score` (how many queries found their counterpart at once), `rows`, and `scores`:
        all that `finding.by_query` tells, by name.
    """
    said = Path(spec["predictions"])
    places = found_by(lambda texts: np.stack([vectors[text] for text in texts]), search)
    right = places.places == 1
    said.write_text(json.dumps({"right": right.tolist(), "nearest": places.nearest.tolist()}))
    np.save(_vectors(said), np.stack([*vectors.values()]))
    scores = {name: float(values.mean()) for name, values in by_query(places).items()}
    return {"metric": RECALL_AT_1, "score": int(right.sum()), "rows": len(right), "scores": scores}


def said_of_rows(rows: Path, said: Path) -> list[dict[str, str]]:
    """The held-out rows with the text that each query found: its own positive where it is right.

    Args:
        rows: the file of JSON lines of `texts`.
        said: what `found` kept of a model.
    """
    lines = rows.read_text(encoding="utf-8").splitlines()
    texts: list[list[str]] = [json.loads(line)["texts"] for line in lines]
    candidates, told = search_of(texts).candidates, json.loads(said.read_text())
    return [
        {"text": row[0], "label": row[1], "predicted": row[1] if right else candidates[nearest]}
        for row, right, nearest in zip(texts, told["right"], told["nearest"], strict=True)
    ]


def paired_search(parent: Path, variant: Path) -> Loss:
    """What a variant's vectors find less often at once, in points, with its paired 95 % interval.

    Each end is that of a bootstrap over the queries or, where it lies further out, that of the
    score interval: resamples of queries of which hardly one differs are all alike.

    Args:
        parent: what `found` kept of the parent.
        variant: what it kept of the variant.

    Returns:
        The loss; they agree on a query where both found the same candidate first.
    """
    before, after = (json.loads(path.read_text()) for path in (parent, variant))
    was, now = (np.array(told["right"], dtype=np.int64) for told in (before, after))
    found = paired_loss([1] * len(was), was.tolist(), now.tolist())
    low, high = resampled(was - now)
    first, second = (np.load(_vectors(path)).astype(np.float64) for path in (parent, variant))
    return Loss(
        points=found.points,
        low=min(found.low, low),
        high=max(found.high, high),
        agreement=float(np.mean(np.array(before["nearest"]) == np.array(after["nearest"]))),
        cosine=float((first * second).sum(axis=1).mean()),
    )


def _vectors(said: Path) -> Path:
    return said.with_suffix(".npy")
