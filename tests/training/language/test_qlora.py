"""QLoRA on the real language model: support tickets are sorted by a base held in four bits."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn import functional

from tests.training.language.smollm2 import fetched
from tools.training.language.bases import load_model, load_tokenizer, ready
from tools.training.language.child import train
from tools.training.language.rows import token_row
from tools.training.language.spec import LanguageSpec
from tools.training.preparing import precision_of

TICKETS = Path(__file__).parents[3] / "tools" / "datasets" / "bundled" / "tickets"
_LONGEST = 260


def chats(split: str, count: int) -> list[list[dict[str, str]]]:
    """Some short tickets of a split, each with its queue as the answer."""
    lines = (TICKETS / f"{split}.jsonl").read_text().splitlines()
    lines = [line for line in lines if len(line) <= _LONGEST]
    random.Random(1).shuffle(lines)
    rows = [json.loads(line) for line in lines[:count]]
    return [
        [
            {"role": "user", "content": f"Which queue is this for? {row['text']}"},
            {"role": "assistant", "content": str(row["label"])},
        ]
        for row in rows
    ]


def write(folder: Path, splits: dict[str, list[list[dict[str, str]]]]) -> Path:
    """The splits as a training reads them."""
    folder.mkdir()
    for name, rows in splits.items():
        lines = [json.dumps({"messages": chat}) + "\n" for chat in rows]
        (folder / f"{name}.jsonl").write_text("".join(lines))
    return folder


def answer_loss(model: Any, tokenizer: Any, unseen: list[list[dict[str, str]]]) -> float:
    """The mean loss of an answer's token in nats."""
    total, count = 0.0, 0
    for chat in unseen:
        row = token_row(tokenizer, chat, 128)
        wanted = torch.tensor(
            [i if on else -100 for i, on in zip(row.ids, row.learnt, strict=True)]
        )
        with torch.inference_mode():
            logits = model(torch.tensor([row.ids])).logits[0].float()
        total += functional.cross_entropy(logits[:-1], wanted[1:], reduction="sum").item()
        count += int((wanted[1:] >= 0).sum())
    return total / count


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_base_in_four_bits_learns_queues_and_its_adapter_loads_in_plain_peft(tmp_path: Path):
    from peft import PeftModel

    asset = fetched()
    data = write(tmp_path / "data", {"train": chats("train", 96), "validation": chats("test", 12)})
    told: dict[str, Any] = {
        "base_model": "smollm2",
        "base_folder": str(asset),
        "data": str(data),
        "output": str(tmp_path / "language-model"),
        "checkpoint": str(tmp_path / "checkpoint.pt"),
        "method": "qlora",
        "epochs": 2,
        "learning_rate": 1e-3,
        "rank": 8,
        "batch_size": 8,
        "seed": 0,
        "max_length": 128,
        "precision": precision_of("auto"),
        "judged": 12,
    }
    measured = train(LanguageSpec.from_dict(told), lambda share, line, figures: None)
    found = measured["metrics"]
    assert measured["final_loss"] < measured["initial_loss"] / 2
    assert found["exact_match"] > found["exact_match_before"] + 0.1
    base = load_model(ready(asset), torch.float32)
    tokenizer = load_tokenizer(ready(asset))
    unseen = chats("validation", 16)
    before = answer_loss(base, tokenizer, unseen)
    adapted = PeftModel.from_pretrained(base, str(tmp_path / "language-model" / "adapter"))
    assert answer_loss(adapted.eval(), tokenizer, unseen) < before / 2
