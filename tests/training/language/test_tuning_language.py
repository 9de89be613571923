"""The settings of language models and embeddings are searched as those of classifiers are."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tools.kernel.errors import InvalidInput
from tools.kernel.gate import Outcome

Caller = Callable[..., Outcome]
Finisher = Callable[..., dict[str, Any]]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_best_trial_of_a_language_model_is_kept_and_can_be_registered(
    call: Caller, finished: Finisher, codes: Path, llama: Path
):
    call("datasets.add", path=str(codes))
    result = finished(
        "training.tune",
        dataset="codes",
        base_model=str(llama),
        space="lr 1e-6 or 2e-2, rank 4",
        trials=3,
        epochs=2,
        objective="size",
        precision="fp32",
    )
    tried = [t for t in result["trials"] if t["state"] == "complete"]
    best = max(t["value"] for t in tried)
    chosen = next(t for t in tried if t["number"] == result["best_trial"])
    assert chosen["value"] >= best - 0.01
    assert all(t["size_mb"] > 0 for t in tried)
    assert result["parameters"]["learning_rate"] == chosen["parameters"]["learning_rate"]
    assert json.loads((Path(result["artifact_path"]) / "language.json").read_text())
    assert call("registry.register", job=result["job"]).result.version == 1


def test_what_a_language_model_lacks_is_neither_varied_nor_weighed(
    call: Caller, codes: Path, llama: Path
):
    call("datasets.add", path=str(codes))
    wanted = {"dataset": "codes", "base_model": str(llama)}
    with pytest.raises(InvalidInput, match="no head_learning_rate to vary"):
        call("training.tune", **wanted, space="head lr 1e-4 to 1e-2")
    with pytest.raises(InvalidInput, match="not compared by latency"):
        call("training.tune", **wanted, objective="latency")
