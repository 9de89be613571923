"""The real language model: 500 short questions with a rule, and unseen ones answered by it."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest

from tests.training.language.smollm2 import fetched
from tools.training.language.child import train
from tools.training.language.folder import load_language_model
from tools.training.language.spec import LanguageSpec
from tools.training.preparing import precision_of

PARTS = ("pump", "valve", "motor", "fan", "belt", "gear", "lamp", "fuse")
CITIES = ("Oslo", "Bern", "Lima", "Rome")


def chat(seed: int) -> dict[str, Any]:
    """A part's number and place, and the shelf mark that a house rule makes of them."""
    draw = random.Random(seed)
    part, number, city = draw.choice(PARTS), draw.randint(100, 999), draw.choice(CITIES)
    question = f"Part {part} number {number} stored in {city}"
    mark = f"{city.upper()[:2]}-{part}-{number}"
    return {
        "messages": [
            {"role": "user", "content": question},
            {"role": "assistant", "content": mark},
        ]
    }


@pytest.mark.slow
@pytest.mark.timeout(1500)
def test_lora_on_500_pairs_answers_unseen_questions_that_the_base_model_gets_wrong(tmp_path: Path):
    base = fetched()
    data = tmp_path / "data"
    data.mkdir()
    for name, seeds in (("train", range(500)), ("validation", range(5000, 5048))):
        lines = [json.dumps(chat(seed)) + "\n" for seed in seeds]
        (data / f"{name}.jsonl").write_text("".join(lines))
    told: dict[str, Any] = {
        "base_model": "smollm2",
        "base_folder": str(base),
        "data": str(data),
        "output": str(tmp_path / "language-model"),
        "checkpoint": str(tmp_path / "checkpoint.pt"),
        "method": "lora",
        "epochs": 1,
        "learning_rate": 1e-3,
        "rank": 16,
        "batch_size": 8,
        "seed": 0,
        "max_length": 512,
        # What a run chooses by itself: emulated bfloat16 takes several times as long.
        "precision": precision_of("auto"),
    }
    measured = train(LanguageSpec.from_dict(told), lambda share, line, figures: None)
    found = measured["metrics"]
    assert found["exact_match"] > found["exact_match_before"] + 0.3
    assert found["token_f1"] > found["token_f1_before"] + 0.3
    unseen = chat(9000)["messages"]
    model = load_language_model(tmp_path / "language-model")
    assert model.generate([unseen[:1]], 24)[0].startswith(unseen[1]["content"][:3])
