"""The computing process of embeddings' evaluations: `python -m tools.evaluation.retrieval_worker`.

The tasks of `tools.evaluation.worker`, for models that find texts in place of naming classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tools.evaluation.perturb import KINDS
from tools.evaluation.predictions import Predicted, write_predictions
from tools.evaluation.resampling import paired_p_value
from tools.evaluation.retrieval import figures, paired
from tools.evaluation.robustness import perturbed
from tools.evaluation.worker import WORST_SLICES, costs, read_rows, time_single_rows
from tools.kernel.child import child_main, emit
from tools.kernel.stillness import alone
from tools.training.similarity.embedder import found_by, load_embedder, untrained_embedder
from tools.training.similarity.finding import by_query, search_of

if TYPE_CHECKING:
    from tools.evaluation.statistics import Ints
    from tools.training.similarity.embedder import Embed, Embedder
    from tools.training.similarity.finding import Found, Search

Row = dict[str, Any]


def carry_out(spec: dict[str, Any]) -> dict[str, Any]:
    """Do the task that a spec names."""
    tasks = {"measure": measure, "compare": compare, "perturb": perturb_rows, "label": label_rows}
    return tasks[spec["task"]](spec)


def measure(spec: dict[str, Any]) -> dict[str, Any]:
    """Let the queries find their texts with one embedding, and with the encoder as published.

    Args:
        spec: as that of `worker.measure`.

    Returns:
        The measured fields of an `EvaluationResult`, and `alone` (`tools.kernel.stillness`).
    """
    from tools.evaluation.charts import draw_retrieval

    rows, search = _read(spec)
    embedder = load_embedder(Path(spec["folder"]))
    found = found_by(_telling(embedder, 0.05, 0.5, "embedding"), search)
    with alone() as timed:
        seconds = time_single_rows(embedder.embed, search.queries)
    taken = costs(seconds, spec["hourly_rate"])
    base = untrained_embedder(spec["base_model"], int(spec["parameters"]["max_length"]))
    before = found_by(_telling(base, 0.55, 0.95, "embedding with the untrained model"), search)
    draw_retrieval(found, before, spec["title"], Path(spec["plot"]))
    told = figures(found)
    return {
        "task": "embedding",
        "rows": len(rows),
        "candidates": len(search.candidates),
        **{f"accuracy{end}": told[f"recall_at_1{end}"] for end in ("", "_low", "_high")},
        **told,
        **taken,
        "alone": timed.alone,
        "baseline_untrained": float((before.places == 1).mean()),
        "mrr_untrained": float((1 / before.places).mean()),
        "gain_p_value": paired_p_value(1 / found.places - 1 / before.places),
        **_kept(rows, search, found, Path(spec["predictions"])),
    }


def _read(spec: dict[str, Any]) -> tuple[list[Row], Search]:
    rows = read_rows(Path(spec["rows"]))
    return rows, search_of([row["texts"] for row in rows])


def _telling(embedder: Embedder, start: float, end: float, message: str) -> Embed:
    """An embedder's `embed` that reports progress between two shares."""

    def told(share: float) -> None:
        emit(progress=start + (end - start) * share, message=message)

    return lambda texts: embedder.embed(texts, told)


def _kept(rows: Sequence[Row], search: Search, found: Found, path: Path) -> dict[str, Any]:
    """Write what every query found, and the slices that follow from it."""
    from tools.evaluation.slices import slice_scores

    made = [
        Predicted(row["texts"][0], row["texts"][1], name, float(near), row["extra"])
        for row, name, near in zip(rows, _named(rows, search, found), found.nearness, strict=True)
    ]
    write_predictions(path, made)
    return {"worst_slices": [s.model_dump() for s in slice_scores(made)[:WORST_SLICES]]}


def _named(rows: Sequence[Row], search: Search, found: Found) -> list[str]:
    """The text that each query found; its row's own positive where it found any right one."""
    return [
        row["texts"][1] if place == 1 else search.candidates[nearest]
        for row, place, nearest in zip(rows, found.places, found.nearest, strict=True)
    ]


def compare(spec: dict[str, Any]) -> dict[str, Any]:
    """Let the same queries find their texts with two embeddings.

    Args:
        spec: `folders` of the two, and `rows` (JSON lines).

    Returns:
        `first`, `second`, `only_first`, `only_second`: numbers of queries that find a right text at
        once; `ranks`: the ranks of a `ComparisonResult`.
    """
    _, search = _read(spec)
    first, second = (
        found_by(
            _telling(load_embedder(Path(folder)), at, at + 0.45, f"model {number} of 2"), search
        )
        for number, at, folder in zip((1, 2), (0.05, 0.5), spec["folders"], strict=True)
    )
    told = paired(first, second)
    return {
        "first": int((first.places == 1).sum()),
        "second": int((second.places == 1).sum()),
        "only_first": told.only_first,
        "only_second": told.only_second,
        "ranks": {
            "mrr": float((1 / first.places).mean()),
            "other_mrr": float((1 / second.places).mean()),
            "mrr_difference": told.mrr.value,
            "mrr_low": told.mrr.low,
            "mrr_high": told.mrr.high,
            "mrr_p_value": told.mrr_p_value,
        },
    }


def label_rows(spec: dict[str, Any]) -> dict[str, Any]:
    """Let queries find their texts with one embedding, for a comparison of many.

    Args:
        spec: `folder` of the embedding, `rows` (JSON lines), the `hourly_rate` of compute, and how
            many queries count, `most` of every `step`-th; what they can find is of all rows.

    Returns:
        The fields of a `contenders.Said` but for its name and kind.
    """
    rows, search = _read(spec)
    embedder = load_embedder(Path(spec["folder"]))
    found = found_by(_telling(embedder, 0.05, 0.7, "embedding"), search)
    with alone() as timed:
        seconds = time_single_rows(embedder.embed, search.queries)
    taken = costs(seconds, spec["hourly_rate"])
    chosen = slice(None, spec["step"] * spec["most"], spec["step"])
    scores = by_query(found)
    return {
        "labels": _named(rows, search, found)[chosen],
        "seconds": seconds,
        "cost_per_1000": taken["cost_per_1000"],
        "memory_mb": taken["memory_mb"],
        "alone": timed.alone,
        "ranks": {name: float(scores[name][chosen].mean()) for name in ("recall_at_5", "mrr")},
    }


def perturb_rows(spec: dict[str, Any]) -> dict[str, Any]:
    """Let queries find their texts as they are and with small changes; the texts stay as they are.

    Args:
        spec: `folder` of the embedding, and `rows` (JSON lines).

    Returns:
        The measured fields of a `Robustness`.
    """
    rows, search = _read(spec)
    embedder = load_embedder(Path(spec["folder"]))

    def answers(queries: Sequence[str], number: int, what: str) -> Ints:
        start = 0.05 + 0.9 * number / (len(KINDS) + 1)
        embed = _telling(embedder, start, start + 0.9 / (len(KINDS) + 1), what)
        found = found_by(embed, replace(search, queries=tuple(queries)))
        return np.where(found.places == 1, -1, found.nearest)

    plain = answers(search.queries, 0, "the queries as they are")
    truth = np.full(len(rows), -1)
    kinds = [
        perturbed(kind, search.queries, truth, plain, lambda q, n=n, k=kind: answers(q, n, k))
        for n, kind in enumerate(KINDS, 1)
    ]
    kinds.sort(key=lambda k: -k.drop)
    return {
        "rows": len(rows),
        "accuracy": float((plain == truth).mean()),
        "kinds": [k.model_dump() for k in kinds],
    }


if __name__ == "__main__":
    child_main(carry_out)
