"""What a version is shrunk and proved on: its kind, whether it can be, and its held-out rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import InvalidInput
from tools.training.optimizing import manifest as manifests
from tools.training.optimizing.targets import CLASSIFIER, EMBEDDING, LANGUAGE
from tools.training.optimizing.versions import ParentVersion
from tools.training.similarity.embedder import is_embedding

if TYPE_CHECKING:
    from tools.datasets.columns import Row
    from tools.kernel.kernel import Kernel

MOST_ROWS = 2000
MOST_ANSWERS = 200
_FEW_ROWS = 100


def is_language_model(folder: Path) -> bool:
    """True if the folder holds what a language model's training wrote."""
    return (folder / "language.json").is_file()


def kind_of(folder: Path) -> str:
    """`classifier`, `embedding` or `language-model`, of a training's folder or a variant's."""
    if manifests.is_variant(folder):
        return manifests.read(folder).kind
    if is_embedding(folder):
        return EMBEDDING
    return LANGUAGE if is_language_model(folder) else CLASSIFIER


def refuse_unfit(parent: ParentVersion, targets: Sequence[str] = ()) -> None:
    """Refuse a version of which nothing, or not what is asked, can be made.

    Raises:
        InvalidInput: with what would fit.
    """
    if manifests.is_variant(parent.folder):
        told = manifests.read(parent.folder)
        if told.runtime != "torch":
            raise InvalidInput(
                f"{parent} is a variant itself ({told.variant}), which cannot be shrunk further.",
                hint=f"Shrink v{told.parent['version']}, which it was made of.",
            )
    if is_language_model(parent.folder):
        _refuse_unfit_language_model(parent, targets)


def _refuse_unfit_language_model(parent: ParentVersion, targets: Sequence[str]) -> None:
    from tools.training.language.folder import read_facts
    from tools.training.optimizing.gguf_bases import base_of
    from tools.training.optimizing.gguf_files import adapter_config

    base_of(parent.folder)
    if read_facts(parent.folder)["method"] == "prompt":
        raise InvalidInput(
            f"{parent} has learnt virtual tokens, which no GGUF file holds.",
            hint="Train it with LoRA, QLoRA or in full.",
        )
    if "gguf-lora" in targets:
        adapter_config(parent.folder)


def rows_of(
    kernel: Kernel, parent: ParentVersion, tenant: str
) -> tuple[list[dict[str, Any]], str, list[str]]:
    """The held-out rows, their split, and what a reader must know of them.

    Returns:
        Rows of `text` and `label`, of `messages` for a language model, of `texts` (anchor,
        positive, perhaps a negative) for an embedding.

    Raises:
        InvalidInput: if the training saw all rows.
    """
    from tools.datasets.service import DatasetService

    every = kernel.get(DatasetService).rows(tenant, parent.dataset)
    kind = kind_of(parent.folder)
    labelled = kind == CLASSIFIER
    for split, used in (("test", ("train", "validation")), ("validation", ("train",))):
        seen = {key for row in every if row.split in used for key in _taught(row, kind)}
        rows = [
            line_of(row, kind)
            for row in every
            if row.split == split
            and (not labelled or row.labels is not None or row.label in parent.labels)
            and not seen & _asked(row, kind)
        ]
        if rows:
            most = MOST_ANSWERS if kind == LANGUAGE else MOST_ROWS
            return rows[:most], split, _warnings(len(rows), most, split)
    raise InvalidInput(
        f"{parent.dataset} has no held-out rows to prove a variant of {parent} on.",
        hint="Add a test split to the dataset, and train on that version.",
    )


def write_rows(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    """Write rows as JSON lines."""
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def parent_size(folder: Path) -> int:
    """Bytes that serving the parent opens: with the base model where it rests on one."""
    from tools.training import base_models
    from tools.training.export import read_facts

    if is_language_model(folder):
        return _language_size(folder)
    if is_embedding(folder):
        return (folder / "model.safetensors").stat().st_size
    own = folder / "model.safetensors"
    base = base_models.folder
    weights = own if own.is_file() else base(read_facts(folder)["base_model"]) / own.name
    rest = [folder / "head.safetensors", *(folder / "adapter").rglob("*")]
    return sum(path.stat().st_size for path in (weights, *rest) if path.is_file())


def _language_size(folder: Path) -> int:
    from tools.training.language.folder import base_folder, read_facts

    whole = folder / "model"
    where = [whole] if whole.is_dir() else [base_folder(read_facts(folder)), folder / "adapter"]
    files = [file for each in where for file in each.glob("*.safetensors")]
    return sum(file.stat().st_size for file in files)


def line_of(row: Row, kind: str) -> dict[str, Any]:
    """What is written of a row: `text` and `label`, `messages`, or the `texts` of a pair."""
    from tools.datasets.kinds import alike, conversation

    if kind == LANGUAGE:
        return {"messages": conversation(row)}
    if kind == EMBEDDING:
        return {"texts": [*alike(row)]}
    return {"text": row.text, "label": row.label if row.labels is None else [*row.labels]}


def _warnings(found: int, most: int, split: str) -> list[str]:
    told: list[str] = []
    if split != "test":
        told.append("Measured on the validation split, which chose the parent's weights.")
    if found < _FEW_ROWS:
        told.append(f"Only {found} held-out rows: the intervals are wide.")
    if found > most:
        told.append(f"Measured on the first {most} of {found} held-out rows.")
    return told


def _taught(row: Row, kind: str) -> set[str | tuple[str, str]]:
    """What a row that was trained on has shown: its text, and a pair the other way round."""
    if kind != EMBEDDING:
        return {_plain(row.text)}
    anchor, positive = _pair(row)
    return {anchor, (positive, anchor)}


def _asked(row: Row, kind: str) -> set[str | tuple[str, str]]:
    """What must not have been shown for a row to be held out."""
    return {_plain(row.text)} if kind != EMBEDDING else {_pair(row)[0], _pair(row)}


def _pair(row: Row) -> tuple[str, str]:
    from tools.datasets.kinds import alike

    anchor, positive, *_ = alike(row)
    return _plain(anchor), _plain(positive)


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
