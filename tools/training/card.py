"""The model card: `README.md` with YAML front matter, as the Hugging Face hub reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from tools.training.base_models import published

PIPELINES = {
    "classification": "text-classification",
    "multilabel": "text-classification",
    "sft": "text-generation",
    "embedding": "sentence-similarity",
}


def model_card(
    *,
    name: str,
    base_model: str,
    task: str,
    method: str,
    dataset: str,
    dataset_sha256: str,
    metrics: Mapping[str, float],
    parameters: Mapping[str, Any],
    labels: list[str] | None = None,
    facts: Mapping[str, object] | None = None,
    warnings: Sequence[str] = (),
) -> str:
    """The card of a trained model.

    Args:
        name: the model's name.
        base_model: what it was trained from.
        task: a key of `PIPELINES`.
        method: `lora`, `full`, ...
        dataset: the dataset with its version (`tickets@2`).
        dataset_sha256: SHA-256 of its rows.
        metrics: what was measured on the validation split, by name.
        parameters: the settings it was trained with.
        labels: the classes, if it has any.
        facts: further lines (`code version`, `run`).
        warnings: what who uses it should know.
    """
    base = published(base_model)
    pipeline = PIPELINES.get(task, "text-classification")
    measured = [{"type": k, "value": round(v, 6)} for k, v in metrics.items()]
    front: dict[str, Any] = {
        "base_model": base,
        "pipeline_tag": pipeline,
        "library_name": "peft" if method != "full" else "transformers",
        "tags": [task, method],
        "datasets": [dataset],
        "metrics": list(metrics),
        "model-index": [
            {
                "name": name,
                "results": [
                    {
                        "task": {"type": pipeline},
                        "dataset": {"name": dataset, "type": "private", "split": "validation"},
                        "metrics": measured,
                    }
                ],
            }
        ],
    }
    lines = [
        f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n",
        f"# {name}\n",
        f"{base}, trained with `{method}` for {task} on {dataset}.\n",
        *(f"**{warning}**\n" for warning in warnings),
        "## Measured on the validation split\n",
        _table(("metric", "value"), {k: f"{v:.4f}" for k, v in metrics.items()}),
        "The validation split chose the weights; a test split says how good they are.\n",
        *([f"## Labels\n\n{', '.join(labels)}\n"] if labels else []),
        "## Trained with\n",
        _table(("setting", "value"), parameters),
        "## Where it comes from\n",
        _table(("what", "value"), {"rows, SHA-256": dataset_sha256, **(facts or {})}),
    ]
    return "\n".join(lines)


def variant_card(
    *,
    name: str,
    parent: str,
    dataset: str,
    split: str,
    metrics: Mapping[str, float],
    settings: Mapping[str, Any],
    labels: list[str],
    warnings: Sequence[str] = (),
) -> str:
    """The card of a variant that was made of a trained model.

    Args:
        name: the model's name with the variant's.
        parent: the version that it was made of, `tickets v3`.
        dataset: what it was measured on, with its version.
        split: the part of it.
        metrics: what was measured, by name.
        settings: with what it was made.
        labels: the classes, if it has any.
        warnings: what who uses it should know.
    """
    front = {"tags": [settings["variant"]], "datasets": [dataset], "metrics": list(metrics)}
    lines = [
        f"---\n{yaml.safe_dump(front, sort_keys=False, allow_unicode=True)}---\n",
        f"# {name}\n",
        f"Made of {parent}, runs in `{settings['runtime']}`.\n",
        *(f"**{warning}**\n" for warning in warnings),
        f"## Measured on the {split} split of {dataset}\n",
        _table(("metric", "value"), {k: f"{v:.4f}" for k, v in metrics.items()}),
        *([f"## Labels\n\n{', '.join(labels)}\n"] if labels else []),
        "## Made with\n",
        _table(("setting", "value"), settings),
    ]
    return "\n".join(lines)


def _table(header: tuple[str, str], values: Mapping[str, object]) -> str:
    rows = [f"| {k} | {v} |" for k, v in values.items()]
    return "\n".join([f"| {header[0]} | {header[1]} |", "|---|---|", *rows, ""])
