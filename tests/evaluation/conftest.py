"""A small dataset with leaks, and models trained on some of its rows."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.evaluation import tiny
from tests.registry.trained import add_training
from tools.kernel.gate import Outcome
from tools.kernel.kernel import Kernel

Calls = Callable[..., Outcome]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tiny.write_base(tmp_path / "base")


@pytest.fixture
def tickets(tmp_path: Path, call: Calls) -> str:
    """A dataset of 240 training and 120 test rows; two more test rows leak."""
    train = tiny.sentences(240)
    test = [*tiny.sentences(120, start=1000), *((t.upper(), a) for t, a in train[: tiny.LEAKED])]
    rows = [{"text": t, "label": a, "split": "train"} for t, a in train]
    rows += [{"text": t, "label": a, "split": "test", "channel": t.split()[0]} for t, a in test]
    path = tmp_path / "mails.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return call("datasets.add", path=str(path)).result.name


@pytest.fixture
def train(kernel: Kernel, tickets: str, base: Path, tmp_path: Path) -> Callable[[int], int]:
    """Train on the first rows of the dataset; answers with the job's number."""

    def run(rows: int) -> int:
        files = tiny.write_classifier(tmp_path / f"on-{rows}", base, tiny.sentences(rows))
        return add_training(
            kernel,
            files=files,
            name="mail-sorter",
            dataset=tickets,
            base_model=str(base),
            parameters={"seed": 5, "max_length": 16},
        )

    return run
