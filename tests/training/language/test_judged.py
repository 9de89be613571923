"""A registered language model is judged through the gate: its own answers, and by lm-eval."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.training.language.conftest import questions, write_rows
from tools.kernel.gate import Outcome

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]
Caller = Callable[..., Outcome]
Finisher = Callable[..., dict[str, Any]]
CHOICES = {"train": 200, "validation": 32, "test": 24}


@pytest.fixture
def registered(call: Caller, finished: Finisher, llama: Path, tmp_path: Path) -> str:
    """A tiny Llama that was trained on towns' codes and registered."""
    rows: list[dict[str, Any]] = []
    for split, count in CHOICES.items():
        rows += [{**row, "prompt": f"{row['prompt']} {split}{i}", "split": split}
                 for i, row in enumerate(questions(count))]  # fmt: skip
    path = write_rows(tmp_path / "towns.jsonl", rows)
    call("datasets.add", path=str(path))
    trained = finished(
        "training.start", dataset="towns", base_model=str(llama), method="full", epochs=4,
        learning_rate=5e-3,
    )  # fmt: skip
    call("registry.register", job=trained["job"], model="town-writer")
    return "town-writer"


def test_a_registered_language_model_is_judged_beside_its_base_by_lm_eval_and_gets_a_prompt(
    registered: str, finished: Finisher
):
    found = finished("evaluation.answers", model=registered, rows=16, max_new_tokens=8)
    assert (found["model"], found["version"], found["rows"]) == (registered, 1, 16)
    assert found["f1"]["low"] <= found["f1"]["value"] <= found["f1"]["high"]
    assert found["f1"]["value"] > found["base_f1"]
    assert found["perplexity"]["value"] < found["base_perplexity"]
    assert found["gain_p_value"] < 0.05

    harness = finished("evaluation.benchmark", model=registered, dataset="towns", shots=1, rows=8)
    assert (harness["model"], harness["version"], harness["rows"]) == (registered, 1, 8)
    exact = next(v for k, v in harness["metrics"].items() if k.startswith("exact_match,"))
    assert 0 <= exact <= 1
    assert harness["harness"].startswith("lm-evaluation-harness")

    prompt = finished(
        "training.optimize_prompt", dataset="towns", model=registered, trials=3, rows=8, shots=2,
        max_new_tokens=8, instructions=["be brief"],
    )  # fmt: skip
    assert (prompt["model"], prompt["validation_rows"]) == (f"{registered} v1", 8)
    assert prompt["trials"][0]["instruction"] == "be brief"
    assert prompt["improved"] == (prompt["gain_low"] > 0)
    assert prompt["gain_low"] <= prompt["gain"] <= prompt["gain_high"]
