"""What a variant's answers say beside its parent's, by the kind of model."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tools.training.optimizing.comparing import Loss, coded, paired_answers, paired_loss
from tools.training.optimizing.targets import EMBEDDING, LANGUAGE
from tools.training.optimizing.types import VariantResult


def predictions(folder: Path, name: str) -> Path:
    """Where a job keeps what a model said of the held-out rows."""
    return folder / f"predictions-{name}.json"


def loss_of(folder: Path, target: str, prepared: dict[str, Any]) -> Loss:
    """What a variant loses against its parent on the held-out rows.

    Args:
        folder: the job's folder, with the rows and every model's predictions.
        target: the variant's name.
        prepared: what the job's first step answered.
    """
    rows = folder / "rows.jsonl"
    parent, variant = predictions(folder, "parent"), predictions(folder, target)
    if prepared["kind"] == EMBEDDING:
        from tools.training.optimizing.retrieving import paired_search

        return paired_search(parent, variant)
    before, after = json.loads(parent.read_text()), json.loads(variant.read_text())
    if prepared["kind"] == LANGUAGE:
        from tools.training.optimizing.answering import read_chats

        right = [chat[-1]["content"] for chat in read_chats(rows)]
        return paired_answers(right, before, after)
    return paired_loss(_truth(rows, prepared), before, after)


def metrics_of(result: VariantResult, scores: Mapping[str, float]) -> dict[str, float]:
    """The figures of a variant that its version and its run keep, by name.

    Args:
        result: the variant beside its parent.
        scores: what else tells how well it answers; of an embedding everything that tells what its
            vectors find, of which `accuracy` is the first place.
    """
    names = (
        *("accuracy", "loss_points", "loss_low", "loss_high", "agreement", "size_bytes"),
        *("load_ms", "p50_ms", "p95_ms", "memory_mb", "peak_mb", "cost_ratio"),
    )
    found = {name: float(getattr(result, name)) for name in names}
    if result.exact_match is not None:
        found[result.metric] = found.pop("accuracy")
    more = {"exact_match": result.exact_match, "cosine": result.cosine}
    return {**found, **scores, **{n: value for n, value in more.items() if value is not None}}


def _truth(rows: Path, prepared: dict[str, Any]) -> list[int | str]:
    labels: list[str] = json.loads((Path(prepared["folder"]) / "labels.json").read_text())
    lines = rows.read_text(encoding="utf-8").splitlines()
    return [coded(json.loads(line)["label"], labels) for line in lines]
