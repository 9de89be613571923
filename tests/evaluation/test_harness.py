"""A standard task by lm-evaluation-harness, with a real language model, and nothing fetched."""

from __future__ import annotations

import json
import os

import pytest

from tools.evaluation.language_worker import benchmark
from tools.kernel.assets import AssetMissing, asset_path

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ASKED = (
    ("What is the capital of France?", "Paris"),
    ("Which planet is called the red planet?", "Mars"),
    ("Repeat this word: tulip", "tulip"),
)


def test_the_harness_measures_a_task_made_of_a_files_questions(tmp_path):
    try:
        base = asset_path("smollm2")
    except AssetMissing:
        if os.environ.get("CI"):
            raise
        pytest.skip("scripts/bootstrap.sh smollm2 fetches the model")
    rows = tmp_path / "chats.jsonl"
    chats = (
        [{"role": "user", "content": q}, {"role": "assistant", "content": a}] for q, a in ASKED
    )
    rows.write_text("".join(json.dumps({"messages": chat}) + "\n" for chat in chats))
    spec = {"folder": None, "base_model": str(base), "rows": str(rows), "shots": 1}
    found = benchmark({**spec, "workdir": str(tmp_path)})
    assert found["rows"] == 3
    assert found["harness"].startswith("lm-evaluation-harness 0.4")
    exact = next(v for k, v in found["metrics"].items() if k.startswith("exact_match,"))
    assert 0 <= exact <= 1
