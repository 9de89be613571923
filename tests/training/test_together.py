"""Several processes that train one classifier give what one process gives."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import rows
from tools.kernel.child import event_of, quiet_environment, start_child
from tools.training.preparing import make_spec, write_data
from tools.training.spec import TrainingSpec
from tools.training.types import StartTraining


class Line:
    """A row of a dataset, as far as `write_data` looks."""

    labels = None

    def __init__(self, text: str, label: str, split: str) -> None:
        self.text, self.label, self.split = text, label, split


def spec_in(folder: Path, base: Path, **told: Any) -> dict[str, Any]:
    lines = [
        Line(row["text"], row["label"], "validation" if i % 5 == 0 else "train")
        for i, row in enumerate(rows(121))  # the last batch of an epoch has one row
    ]
    labels = write_data(folder / "data", lines)  # pyright: ignore[reportArgumentType]
    args = StartTraining.model_validate({"dataset": "colours", "seed": 3, **told})
    made = make_spec(args, base, folder, labels, 1)
    return {name: getattr(made, name) for name in TrainingSpec.__dataclass_fields__}


def started(folder: Path, spec: dict[str, Any], module: str = "tools.training.child") -> Any:
    """A training in a process of its own, which writes into its own folder."""
    folder.mkdir(exist_ok=True)
    told = folder / "spec.json"
    output = folder / Path(spec["output"]).name
    told.write_text(json.dumps({**spec, "output": str(output)}))
    environment = {**os.environ, **quiet_environment(1)}
    return start_child(module, told, folder / "log", environment)


def result(process: Any) -> dict[str, Any]:
    with process:
        events = [event_of(line) for line in process.stdout]
    return next(event["result"] for event in events if event and "result" in event)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.parametrize(
    "told",
    [
        {"method": "full", "epochs": 3, "batch_size": 8},
        {"method": "lora", "epochs": 3, "batch_size": 8, "gradient_accumulation": 2},
    ],
)
@pytest.mark.slow
def test_two_processes_give_what_one_gives(tmp_path: Path, base: Path, told: dict[str, Any]):
    from safetensors.torch import load_file

    spec = spec_in(tmp_path, base, **told)
    alone = result(started(tmp_path / "alone", {**spec, "checkpoint": str(tmp_path / "alone.pt")}))
    meeting = f"127.0.0.1:{free_port()}"
    pair = [
        started(
            tmp_path / f"part-{rank}",
            {**spec, "group": {"rank": rank, "size": 2, "meeting": meeting}},
        )
        for rank in range(2)
    ]
    first, second = (result(process) for process in pair)
    for figure in ("initial_loss", "final_loss", "validation_accuracy", "validation_macro_f1"):
        assert first[figure] == pytest.approx(alone[figure], abs=1e-4)
        assert second[figure] == first[figure]
    heads = [
        load_file(tmp_path / name / "classifier" / "head.safetensors")["weight"]
        for name in ("alone", "part-0", "part-1")
    ]
    assert heads[1].equal(heads[2])
    assert heads[1].allclose(heads[0], atol=1e-4)
