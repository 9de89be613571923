"""From a dataset and arguments to what a training child needs; refuses what cannot be trained."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Container, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import InvalidInput
from tools.training.ending import limit_told, seconds_of
from tools.training.enough import require_learnable, require_rows
from tools.training.outcome import cut_warning
from tools.training.particular import or_else, share_of
from tools.training.spec import (
    DEFAULTS,
    HEAD_DROPOUT,
    LABEL_SMOOTHING,
    TrainingSpec,
    lora_told,
)
from tools.training.targeting import targets_of
from tools.training.types import StartTraining

if TYPE_CHECKING:
    from tools.datasets.columns import Row
    from tools.datasets.service import Dataset

MAX_CLASSES = 1000
LEAST_ROWS = 8


def model_slug(name: str) -> str:
    """A name for the registry: `Ticket Router` becomes `ticket-router`.

    Raises:
        InvalidInput: if no letter or digit is left.
    """
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().casefold()
    made = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")
    if not made:
        raise InvalidInput(f"{name!r} has no Latin letter or digit to make a model's name of.")
    return made[:64].strip("-")


def check_trainable(dataset: Dataset) -> list[str]:
    """Refuse a dataset from which no classifier can be learnt; returns warnings.

    Raises:
        InvalidInput: one class only, too many, or no rows to train or to validate on.
    """
    profile, what = dataset.profile, f"{dataset.name} v{dataset.version}"
    if profile.kind not in ("classification", "multilabel"):
        raise InvalidInput(
            f"{what} holds {profile.kind.replace('_', '/')} rows, which teach no classes.",
            hint="A classifier needs a text and a label column.",
        )
    require_learnable(dataset)
    if len(profile.classes) < 2:
        raise InvalidInput(f"{what} has one class only; a classifier needs at least two.")
    if len(profile.classes) > MAX_CLASSES:
        raise InvalidInput(
            f"{what} has {len(profile.classes)} classes, at most {MAX_CLASSES} can be trained.",
            hint="Is the label column the right one?",
        )
    require_rows(dataset, LEAST_ROWS)
    few = profile.splits["validation"] < 30
    return [*profile.warnings, *(["The validation split is small; its accuracy is rough."] * few)]


def check_length(base_folder: Path, max_length: int) -> None:
    """Refuse texts longer than the base model has positions for.

    Raises:
        InvalidInput: if `max_length` is too great, or the model is no BERT encoder.
    """
    try:
        config: dict[str, Any] = json.loads((base_folder / "config.json").read_text())
    except (OSError, ValueError):
        raise InvalidInput(f"{base_folder} has no readable config.json.") from None
    kind = config.get("model_type")
    if kind != "bert":
        raise InvalidInput(
            f"{base_folder} is a {kind} model; classifiers are trained on BERT encoders.",
            hint="minilm is one.",
        )
    positions = config.get("max_position_embeddings", 512)
    if max_length > positions:
        raise InvalidInput(f"max_length is {max_length}, the base model reads {positions} tokens.")


def cut_texts(texts: Sequence[str], max_length: int) -> str:
    """How many texts `max_length` cuts, by the bundled encoder's tokens; empty if none."""
    from tools.datasets.lengths import token_counts

    if all(len(text) <= max_length - 2 for text in texts):  # two tokens mark start and end
        return ""
    return cut_warning(token_counts(texts) or (), max_length)


def write_data(folder: Path, rows: list[Row]) -> list[str]:
    """Write train.jsonl and validation.jsonl; returns the labels of the train split, sorted."""
    folder.mkdir(parents=True, exist_ok=True)
    known = {label for row in rows if row.split == "train" for label in _labels(row)}
    for split in ("train", "validation"):
        lines = [
            json.dumps({"text": row.text, "label": _answer(row, known)}, ensure_ascii=False)
            for row in rows
            if row.split == split and (row.labels is not None or row.label in known)
        ]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return sorted(known)


def _labels(row: Row) -> Sequence[str]:
    return [row.label] if row.labels is None else row.labels


def _answer(row: Row, known: Container[str]) -> str | list[str]:
    return row.label if row.labels is None else [label for label in row.labels if label in known]


def make_spec(
    args: StartTraining,
    base_folder: Path,
    folder: Path,
    labels: list[str],
    threads: int,
    task: str = "classification",
) -> TrainingSpec:
    """The spec of a training whose files lie in `folder`."""
    defaults = DEFAULTS[args.method]
    rate = args.learning_rate or defaults.learning_rate
    of_head = rate if args.method == "head" else defaults.head_learning_rate
    return TrainingSpec(
        base_model=args.base_model,
        base_folder=str(base_folder),
        data=str(folder / "data"),
        labels=labels,
        output=str(folder / "classifier"),
        checkpoint=str(folder / "checkpoint.pt"),
        method=args.method,
        epochs=args.epochs or defaults.epochs,
        learning_rate=rate,
        head_learning_rate=args.head_learning_rate or of_head,
        rank=args.rank,
        batch_size=args.batch_size,
        seed=args.seed,
        max_length=args.max_length,
        trained_share=share_of(args),
        head_dropout=or_else(args.head_dropout, HEAD_DROPOUT),
        label_smoothing=or_else(args.label_smoothing, LABEL_SMOOTHING),
        lora_alpha=args.lora_alpha,
        lora_dropout=args.lora_dropout or 0.0,
        target_modules=targets_of(args, "classification"),
        threads=threads,
        task=task,
        warmup=args.warmup,
        weight_decay=args.weight_decay,
        patience=args.patience,
        gradient_accumulation=args.gradient_accumulation,
        scheduler=args.scheduler,
        gradient_checkpointing=args.gradient_checkpointing,
        precision=precision_of(args.precision),
        dora=args.dora,
        rslora=args.rslora,
        max_seconds=seconds_of(args.max_minutes),
        keep=args.keep,
    )


def precision_of(asked: str) -> str:
    """`fp32` or `bf16`; `auto` takes bf16 where the processor multiplies it natively."""
    if asked != "auto":
        return asked
    import torch

    if torch.cuda.is_available():
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    # There is no public name for it; without AMX tiles bf16 is emulated and slower.
    tiles = torch.cpu._is_amx_tile_supported()  # pyright: ignore[reportPrivateUsage]
    return "bf16" if tiles else "fp32"


def parameters_of(spec: TrainingSpec) -> dict[str, Any]:
    """The settings that a result and its MLflow run name."""
    names = (
        *("method", "epochs", "learning_rate", "head_learning_rate", "rank", "batch_size"),
        *("seed", "max_length", "trained_share", "warmup", "weight_decay", "head_dropout"),
        *("label_smoothing", "patience", "threads", "task", "gradient_accumulation"),
        *("scheduler", "gradient_checkpointing", "precision", "dora", "rslora"),
        "keep",
    )
    return {name: getattr(spec, name) for name in names} | lora_told(spec) | limit_told(spec)
