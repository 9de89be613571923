"""Several processes that train one language model give what one process gives."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.training.language.conftest import questions, write_rows
from tests.training.test_together import free_port, result
from tools.kernel.child import quiet_environment, start_child


def write_data(folder: Path) -> Path:
    folder.mkdir()
    chats = [
        {
            "messages": [
                {"role": "user", "content": row["prompt"]},
                {"role": "assistant", "content": row["completion"]},
            ]
        }
        for row in questions(57)  # the last batch of an epoch has one row
    ]
    write_rows(folder / "train.jsonl", chats[:41])
    write_rows(folder / "validation.jsonl", chats[41:])
    return folder


def started(folder: Path, base: Path, data: Path, **told: Any) -> Any:
    """A training in a process of its own, with its own folder."""
    folder.mkdir()
    spec = {
        "base_model": str(base),
        "base_folder": str(base),
        "data": str(data),
        "output": str(folder / "language-model"),
        "checkpoint": str(folder / "checkpoint.pt"),
        "epochs": 2,
        "learning_rate": 5e-3,
        "rank": 4,
        "batch_size": 8,
        "seed": 0,
        "max_length": 128,
        "precision": "fp32",
        "judged": 8,
        **told,
    }
    path = folder / "spec.json"
    path.write_text(json.dumps(spec))
    environment = {**os.environ, **quiet_environment(1)}
    return start_child("tools.training.language.child", path, folder / "log", environment)


def adapter(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    (found,) = folder.rglob("adapter_model.safetensors")
    return load_file(found)


@pytest.mark.slow
@pytest.mark.parametrize("told", [{}, {"gradient_accumulation": 2}])
def test_two_processes_give_what_one_gives(
    tmp_path: Path, llama: Path, told: dict[str, Any]
) -> None:
    data = write_data(tmp_path / "data")
    alone = result(started(tmp_path / "alone", llama, data, method="lora", **told))
    meeting = f"127.0.0.1:{free_port()}"
    pair = [
        started(
            tmp_path / f"part-{rank}",
            llama,
            data,
            method="lora",
            group={"rank": rank, "size": 2, "meeting": meeting},
            **told,
        )
        for rank in range(2)
    ]
    first, second = (result(process) for process in pair)
    assert second == {}  # the first one speaks, and writes
    for figure in ("initial_loss", "final_loss"):
        assert first[figure] == pytest.approx(alone[figure], abs=1e-4)
    assert first["final_loss"] < first["initial_loss"] - 0.05
    ours, theirs = adapter(tmp_path / "part-0"), adapter(tmp_path / "alone")
    assert ours.keys() == theirs.keys()
    assert all(ours[name].allclose(theirs[name], atol=1e-4) for name in ours)
    assert not list((tmp_path / "part-1").rglob("checkpoint.pt"))
