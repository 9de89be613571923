"""The computing process of drift: `python -m tools.evaluation.drift_worker spec.json`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from edge.inputs import InputCounts
from tools.evaluation.worker import predict, read_rows
from tools.kernel.child import child_main, emit

LENGTH_BINS = 8
MOST_EMBEDDED = 300


def carry_out(spec: dict[str, Any]) -> dict[str, Any]:
    """Do the task that a spec names."""
    tasks = {"profile": profile, "live": live}
    return tasks[spec["task"]](spec)


def profile(spec: dict[str, Any]) -> dict[str, Any]:
    """What a classifier answers on its reference rows, and how these look.

    Args:
        spec: `folder` of the classifier, `rows` (JSON lines), `embeddings`: the file to write.

    Returns:
        The fields of a `Profile`, and `right`: rows predicted right.
    """
    answered = _answers(spec)
    words: list[int] = answered.pop("words")
    told = InputCounts.of(row["text"] for row in read_rows(Path(spec["rows"]))).told()
    edges = np.unique(np.quantile(words, np.linspace(0, 1, LENGTH_BINS + 1)[1:-1])).tolist()
    return {**answered, "edges": edges, "lengths": _binned(words, edges), "inputs": told}


def live(spec: dict[str, Any]) -> dict[str, Any]:
    """The same of live rows, at the reference's length bins.

    Args:
        spec: as for `profile`, and `edges`.
    """
    answered = _answers(spec)
    return {**answered, "lengths": _binned(answered.pop("words"), spec["edges"])}


def _answers(spec: dict[str, Any]) -> dict[str, Any]:
    from tools.training.export import load_classifier

    rows = read_rows(Path(spec["rows"]))
    texts = [row["text"] for row in rows]
    classifier = load_classifier(Path(spec["folder"]))
    found = predict(classifier, texts, 0.05, 0.5, "predicting")
    labels = [classifier.labels[i] for i in found.argmax(axis=1)]
    _embed(texts, Path(spec["embeddings"]))
    return {
        "rows": len(rows),
        "labels": dict(Counter(labels)),
        "confidence": float(found.max(axis=1).mean()),
        "embeddings": spec["embeddings"],
        "right": sum(a == row["label"] for a, row in zip(labels, rows, strict=True)),
        "words": [len(text.split()) for text in texts],
    }


def _embed(texts: Sequence[str], path: Path) -> None:
    """Write mean, covariance and the embeddings of a spread sample of the texts."""
    from tools.kernel.embedding import get_embedder

    step = max(1, -(-len(texts) // MOST_EMBEDDED))
    emit(progress=0.55, message="embedding")
    found = get_embedder().embed(texts[::step], 128).astype(np.float64)
    np.savez_compressed(
        path, sample=found, mean=found.mean(axis=0), covariance=np.cov(found, rowvar=False)
    )


def _binned(words: Sequence[int], edges: Sequence[float]) -> list[int]:
    places = np.searchsorted(np.asarray(edges), words, side="left")
    return np.bincount(places, minlength=len(edges) + 1).tolist()


if __name__ == "__main__":
    child_main(carry_out)
