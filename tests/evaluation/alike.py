"""Real embeddings, tiny: a random one-layer encoder, and one that cannot tell words apart."""

from __future__ import annotations

import json
from itertools import combinations
from pathlib import Path

from tests.evaluation import tiny

LEAKED = 2
"""Test rows whose anchor the training split has too."""
_WORDS = [word for words in tiny.WORDS.values() for word in words]
_FILLER = ("the", "my", "is", "was", "please", "why", "again", "today", "help", "still")
ROWS = 60


def pairs(split: str, filler: int) -> list[dict[str, str]]:
    """Rows whose two texts have two words in common; no two rows have the same two."""
    made: list[dict[str, str]] = []
    for number, (first, second) in enumerate(list(combinations(_WORDS, 2))[:ROWS]):
        anchor = f"{_FILLER[filler]} {first} {second}"
        positive = f"{second} {_FILLER[filler + 1]} {first}"
        channel = ("mail", "chat")[number % 2]
        made.append({"anchor": anchor, "positive": positive, "split": split, "channel": channel})
    return made


def write_rows(path: Path, *, triplets: bool = False) -> Path:
    """A dataset's file: rows to train and to test on, of the latter some that leak."""
    train, test = pairs("train", 0), pairs("test", 4)
    leaks = [{**row, "anchor": row["anchor"].upper(), "split": "test"} for row in train[:LEAKED]]
    rows = [*train, *test, *leaks]
    if triplets:
        rows = [{**row, "negative": f"{row['anchor']} not"} for row in rows]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def write_embedding(folder: Path, base: Path, *, blind: bool = False) -> Path:
    """An embedding's folder: the base itself, or one to which all words but the filler are one.

    Args:
        folder: the folder to make.
        base: the base model's folder.
        blind: whether it cannot tell the words that count.
    """
    from safetensors.torch import load_file, save_file

    folder.mkdir(parents=True)
    weights = load_file(base / "model.safetensors")
    if blind:
        words = weights["embeddings.word_embeddings.weight"]
        words[2 + len(_FILLER) :] = words[1]
    save_file(weights, folder / "model.safetensors")
    for name in ("tokenizer.json", "config.json"):
        (folder / name).write_bytes((base / name).read_bytes())
    facts = {"format": 1, "task": "embedding", "max_length": 16, "pooling": "mean"}
    (folder / "embedding.json").write_text(json.dumps({**facts, "base_model": str(base)}))
    return folder
