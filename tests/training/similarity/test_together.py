"""Several processes that train one sentence encoder give what one process gives."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tests.training.similarity.test_similarity import spec_on
from tests.training.test_together import free_port, result, started

CHILD = "tools.training.similarity.child"
FIGURES = ("initial_loss", "final_loss", "validation_accuracy", "validation_macro_f1")
WITHOUT_EFFECT = "key.bias"
"""Softmax takes it out again: its gradient is rounding, and Adam makes steps of that."""


def weights(folder: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    found = load_file(folder / "embedding" / "model.safetensors")
    return {name: value for name, value in found.items() if not name.endswith(WITHOUT_EFFECT)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "triplets", "told"),
    [
        (2, False, {"method": "full", "learning_rate": 3e-3}),
        (2, True, {"method": "lora", "learning_rate": 1e-2}),
        (3, False, {"method": "full", "learning_rate": 3e-3}),
    ],
)
def test_processes_that_each_encode_a_part_give_what_one_gives(
    tmp_path: Path, base: Path, size: int, triplets: bool, told: dict[str, Any]
):
    # 121 rows: the last batch of an epoch is one pair, which leaves nothing to a third process.
    made = spec_on(base, tmp_path, triplets=triplets, rows=121, batch_size=8, epochs=3, **told)
    spec = asdict(made)
    alone = result(started(tmp_path / "alone", spec, CHILD))
    meeting = f"127.0.0.1:{free_port()}"
    parts = [
        started(
            tmp_path / f"part-{rank}",
            {
                **spec,
                "checkpoint": str(tmp_path / f"part-{rank}" / "checkpoint.pt"),
                "group": {"rank": rank, "size": size, "meeting": meeting},
            },
            CHILD,
        )
        for rank in range(size)
    ]
    first, *others = (result(process) for process in parts)
    assert others == [{}] * (size - 1)  # the first one speaks, and writes
    for figure in FIGURES:
        assert first[figure] == pytest.approx(alone[figure], abs=1e-4)
    assert first["metrics"]["mrr"] == pytest.approx(alone["metrics"]["mrr"], abs=1e-4)
    assert first["final_loss"] < first["initial_loss"] - 0.05
    ours, theirs = weights(tmp_path / "part-0"), weights(tmp_path / "alone")
    assert ours.keys() == theirs.keys()
    assert all(ours[name].allclose(theirs[name], atol=1e-4) for name in ours)
    assert [path.parent.name for path in tmp_path.glob("part-*/checkpoint.pt")] == ["part-0"]
