"""What is kept of a variant beside its files: its rows as it judged them, settings and a card.

The rows are what the promotion gate judges a variant by until somebody evaluates it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.training.card import variant_card
from tools.training.optimizing.manifest import Manifest
from tools.training.optimizing.proving import predictions
from tools.training.optimizing.targets import CLASSIFIER, EMBEDDING
from tools.training.optimizing.types import OptimizeModel
from tools.training.optimizing.versions import ParentVersion

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

HELD_OUT = "held_out.json"


def held_out_rows(job: Path, target: str, prepared: dict[str, Any]) -> dict[str, Any]:
    """The held-out rows with what a variant said of each; none of a language model.

    Args:
        job: the job's folder, with the rows and every model's predictions.
        target: the variant's name.
        prepared: what the job's first step answered.

    Returns:
        `dataset`, `split` and `rows` of `text`, `label` and `predicted`; of an embedding these are
        what was asked, its counterpart and what was found.
    """
    told = {"dataset": prepared["dataset"], "split": prepared["split"], "rows": []}
    if prepared["kind"] == EMBEDDING:
        from tools.training.optimizing.retrieving import said_of_rows

        told["rows"] = said_of_rows(job / "rows.jsonl", predictions(job, target))
    if prepared["kind"] != CLASSIFIER:
        return told
    labels: list[str] = json.loads((Path(prepared["folder"]) / "labels.json").read_text())
    predicted = json.loads(predictions(job, target).read_text())
    rows = _lines(job / "rows.jsonl")
    told["rows"] = [
        {"text": row["text"], "label": _one(row["label"], labels), "predicted": _named(p, labels)}
        for row, p in zip(rows, predicted, strict=True)
    ]
    return told


def majority_accuracy(job: Path, prepared: dict[str, Any]) -> dict[str, float]:
    """Accuracy of always answering the commonest class of the training rows, of classifiers."""
    if prepared["kind"] != CLASSIFIER:
        return {}
    labels: list[str] = json.loads((Path(prepared["folder"]) / "labels.json").read_text())
    counts = Counter(_one(row["label"], labels) for row in _lines(job / "train.jsonl"))
    if not counts:
        return {}
    commonest = min(counts, key=lambda label: (-counts[label], label))
    rows = [_one(row["label"], labels) for row in _lines(job / "rows.jsonl")]
    return {"baseline_majority": sum(label == commonest for label in rows) / len(rows)}


def settings_of(
    args: OptimizeModel, prepared: dict[str, Any], told: Manifest, threads: int
) -> dict[str, Any]:
    """With what a variant was made and measured, by name."""
    asked = {
        name: value
        for name in (
            *("profile", "max_loss_points", "max_latency_ms", "max_size_mb", "max_size_ratio"),
            "layers",
        )
        if (value := getattr(args, name)) is not None
    }
    return {
        "variant": told.variant,
        "runtime": told.runtime,
        "parent": f"{args.model} v{args.version}",
        "parent_sha256": prepared["content_sha256"],
        "dataset": prepared["dataset"],
        "split": prepared["split"],
        "rows": prepared["rows"],
        "max_length": told.max_length,
        "threads": threads,
        **asked,
    }


def beside(kernel: Kernel) -> int:
    """How many other jobs run while one measures."""
    return max(0, kernel.jobs.counts().get("running", 0) - 1)


def told_of_devices(kind: str) -> list[str]:
    """A warning where devices do not serve what is recommended for them; none else."""
    if kind != EMBEDDING:
        return []
    return [
        "Devices do not serve embeddings: what is recommended for a kind of device is for programs "
        "of your own that run there."
    ]


def told_of_others(parent: dict[str, Any], measured: Mapping[str, int]) -> list[str]:
    """A warning where latency was measured while other jobs ran; none else.

    Args:
        parent: what was measured of the parent.
        measured: for every variant, how many other jobs ran.
    """
    every = {"the parent": int(parent.get("beside", 0)), **measured}
    disturbed = [name for name, others in every.items() if others]
    if not disturbed:
        return []
    return [
        f"Latency and memory of {', '.join(disturbed)} were measured beside up to "
        f"{max(every.values())} other jobs, which did not come to stand still in time: "
        "differences between them may be of those."
    ]


def write_card(
    folder: Path,
    parent: ParentVersion,
    settings: dict[str, Any],
    metrics: dict[str, float],
    warnings: Sequence[str],
) -> None:
    """Write the variant's `README.md`."""
    card = variant_card(
        name=f"{parent.model} {settings['variant']}",
        parent=str(parent),
        dataset=str(settings["dataset"]),
        split=str(settings["split"]),
        metrics=metrics,
        settings=settings,
        labels=[*parent.labels],
        warnings=warnings,
    )
    (folder / "README.md").write_text(card, encoding="utf-8")


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def _one(label: str | list[str], labels: Sequence[str]) -> str:
    """One label, or several in the order of the outputs."""
    if isinstance(label, str):
        return label
    return ", ".join(sorted(label, key=lambda name: labels.index(name) if name in labels else -1))


def _named(predicted: int | str, labels: Sequence[str]) -> str:
    """The label at a place, or those at several (`0,2`)."""
    several = str(predicted).split(",")
    return ", ".join(labels[int(place)] for place in several if place)
