"""A sentence encoder learns which texts belong together, from pairs and from triplets."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tools.kernel.errors import InvalidInput
from tools.kernel.gate import Outcome
from tools.training.similarity.child import train
from tools.training.similarity.folder import SentenceEncoder
from tools.training.similarity.spec import EmbeddingSpec

COLOURS = {"red": "seven", "green": "eight", "blue": "nine"}
FILLERS: tuple[str, ...] = (
    "please",
    "help",
    "my",
    "the",
    "is",
    "it",
    "now",
    "why",
    "slow",
    "broken",
)


def texts(count: int, *, triplets: bool) -> list[list[str]]:
    """A colour and its number belong together, whatever stands around them."""
    shuffle = random.Random(4)

    def around(word: str) -> str:
        words = shuffle.choices(FILLERS, k=3)
        words.insert(shuffle.randint(0, 3), word)
        return " ".join(words)

    rows: list[list[str]] = []
    for i in range(count):
        colour = ("red", "green", "blue")[i % 3]
        other = ("red", "green", "blue")[(i + 1) % 3]
        row = [around(colour), around(COLOURS[colour])]
        rows.append([*row, around(COLOURS[other])] if triplets else row)
    return rows


def spec_on(
    base: Path, folder: Path, *, triplets: bool, rows: int = 120, **settings: Any
) -> EmbeddingSpec:
    """A spec whose data is written: rows to learn from, and 24 that are held out."""
    data = folder / "data"
    data.mkdir(parents=True, exist_ok=True)
    made = texts(rows + 24, triplets=triplets)
    for name, part in (("train", made[:rows]), ("validation", made[rows:])):
        (data / f"{name}.jsonl").write_text(
            "".join(json.dumps({"texts": row}) + "\n" for row in part)
        )
    told: dict[str, Any] = {
        "base_model": str(base),
        "base_folder": str(base),
        "data": str(data),
        "output": str(folder / "embedding"),
        "checkpoint": str(folder / "checkpoint.pt"),
        "method": "full",
        "epochs": 8,
        "learning_rate": 5e-3,
        "rank": 8,
        "batch_size": 6,
        "seed": 0,
        "max_length": 64,
        **settings,
    }
    return EmbeddingSpec.from_dict(told)


def test_an_embedding_whose_loss_is_no_number_is_not_written(
    base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from tools.kernel.errors import OperationFailed
    from tools.training.similarity import loop

    original = loop.ranking_loss
    monkeypatch.setattr(loop, "ranking_loss", lambda *told: original(*told) * float("nan"))
    with pytest.raises(OperationFailed, match=r"diverged.* learning rate of 0\.005"):
        train(spec_on(base, tmp_path, triplets=True, epochs=1), silent)
    assert not (tmp_path / "embedding").exists()


def test_the_untrained_embedding_is_never_kept_and_its_card_says_that_nothing_improved(
    base: Path, tmp_path: Path
):
    measured = train(spec_on(base, tmp_path, triplets=True, epochs=1, learning_rate=1e-12), silent)
    assert measured["best_epoch"] == 1
    [warning] = measured["warnings"]
    assert warning in (tmp_path / "embedding" / "README.md").read_text()


def silent(share: float, line: str, figures: dict[str, float]) -> None:
    """Report nothing."""


@pytest.mark.parametrize(("triplets", "method"), [(True, "full"), (False, "full"), (True, "lora")])
@pytest.mark.slow
def test_counterparts_come_nearer_and_the_onnx_file_says_so_too(
    base: Path, tmp_path: Path, triplets: bool, method: str
):
    rate = 2e-2 if method == "lora" else 5e-3
    spec = spec_on(base, tmp_path, triplets=triplets, method=method, learning_rate=rate)
    measured = train(spec, silent)
    found = measured["metrics"]
    assert measured["final_loss"] < measured["initial_loss"]
    assert found["reciprocal_rank"] > found["reciprocal_rank_before"]
    assert found["mrr"] == pytest.approx(found["reciprocal_rank"], abs=1e-4)
    for name in ("recall_at_1", "recall_at_5", "recall_at_10", "mrr", "ndcg_at_10"):
        assert found[f"{name}_low"] <= found[name] <= found[f"{name}_high"]
    assert found["recall_at_1"] <= found["ndcg_at_10"] <= found["recall_at_10"]
    if method == "lora":
        return
    assert found["triplet_accuracy"] > 0.9
    encoder = SentenceEncoder(tmp_path / "embedding")
    vectors = encoder.embed(["please red the", "my seven now", "my eight now"])
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    assert vectors[0] @ vectors[1] > vectors[0] @ vectors[2]


def test_a_training_that_is_cut_off_ends_as_an_undisturbed_one_does(base: Path, tmp_path: Path):
    whole = train(spec_on(base, tmp_path / "whole", triplets=True, epochs=3), silent)

    class Cut(Exception):
        pass

    def cut(share: float, line: str, figures: dict[str, float]) -> None:
        if "epoch 3" in line or share > 0.5:
            raise Cut

    again = spec_on(base, tmp_path / "cut", triplets=True, epochs=3, checkpoint_seconds=0.0)
    with pytest.raises(Cut):
        train(again, cut)
    resumed = train(again, silent)
    assert resumed["resumed"] == 1
    assert resumed["final_loss"] == whole["final_loss"]


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_pairs_are_trained_through_the_gate(
    call: Callable[..., Outcome],
    finished: Callable[..., dict[str, Any]],
    base: Path,
    tmp_path: Path,
):
    path = tmp_path / "alike.jsonl"
    rows = [{"anchor": a, "positive": b} for a, b in texts(150, triplets=False)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    call("datasets.add", path=str(path))
    with pytest.raises(InvalidInput, match="lora, full"):
        call("training.start", dataset="alike", base_model=str(base), method="head")
    result = finished(
        "training.start", dataset="alike", base_model=str(base), method="full", epochs=2
    )
    assert (result["task"], result["model_name"]) == ("embedding", "alike-embedding")
    assert result["parameters"]["batch_size"] == 32
    assert (Path(result["artifact_path"]) / "model.onnx").is_file()


def test_a_limit_of_time_ends_an_embeddings_training_and_the_last_weights_can_be_kept(
    base: Path, tmp_path: Path
):
    limited = spec_on(base, tmp_path / "a", triplets=True, max_seconds=1e-6)
    measured = train(limited, silent)
    assert (measured["stopped"], measured["epochs"]) == ("out of time", 1)
    assert 0 < measured["passes"] < 1
    assert "of 8 epochs; the best weights (epoch 1) are kept" in measured["warnings"][-1]
    assert (tmp_path / "a" / "embedding" / "model.onnx").is_file()
    last = spec_on(base, tmp_path / "b", triplets=True, epochs=3, patience=0, keep="last")
    kept = train(last, silent)
    assert kept["best_epoch"] == kept["epochs"] == 3
