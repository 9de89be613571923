"""The real encoder: our BERT is the published one, and LoRA on it learns tickets."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tools.datasets.builtin import BUNDLED
from tools.datasets.columns import Row
from tools.kernel.assets import asset_path
from tools.training.child import train
from tools.training.encoder import load_encoder, mean_pool
from tools.training.export import export_onnx, load_classifier, untrained_classifier
from tools.training.preparing import make_spec, write_data
from tools.training.types import StartTraining

TEXTS = ["Where is my invoice?", "the app crashes whenever I press save, since yesterday's update"]


def tickets(split: str, limit: int) -> list[Row]:
    lines = (BUNDLED[0].folder / f"{split}.jsonl").read_text().splitlines()
    rows = [Row(v["text"], v["label"], split) for v in map(json.loads, lines)]
    chosen = [r for r in rows if r.label in {"billing", "device", "performance"}]
    return chosen[:limit]


def test_our_encoder_computes_what_transformers_computes():
    import torch
    from transformers import BertModel

    from tools.training.batching import pad
    from tools.training.export import load_tokenizer

    folder = asset_path("minilm")
    ids, mask = pad([e.ids for e in load_tokenizer(folder, 128).encode_batch(TEXTS)])
    theirs = BertModel.from_pretrained(str(folder), add_pooling_layer=False).eval()
    with torch.inference_mode():
        expected = theirs(input_ids=ids, attention_mask=mask).last_hidden_state
        found = load_encoder(folder)(ids, mask)
    assert (mean_pool(found, mask) - mean_pool(expected, mask)).abs().max() < 1e-4


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_lora_on_a_few_tickets_beats_the_untrained_model_on_unseen_ones(tmp_path: Path):
    base = asset_path("minilm")
    rows = tickets("train", 150) + tickets("validation", 30)
    labels = write_data(tmp_path / "data", rows)
    args = StartTraining.model_validate({"dataset": "tickets", "epochs": 2})
    spec = make_spec(args, base, tmp_path, labels, threads=1)
    measured = train(spec, lambda share, line, figures: None)
    assert measured["final_loss"] < measured["initial_loss"] / 1.5
    unseen = tickets("test", 75)
    texts = [row.text for row in unseen]
    truth = np.array([row.label for row in unseen])
    trained = load_classifier(Path(spec.output))
    untrained = untrained_classifier("minilm", labels, {"seed": 0, "max_length": 128})
    accuracy = (np.array(trained.predict(texts)) == truth).mean()
    assert accuracy > 0.8
    assert accuracy > (np.array(untrained.predict(texts)) == truth).mean() + 0.2
    exported = export_onnx(Path(spec.output), tmp_path / "model.onnx", texts)
    assert exported.agreement > 0.93
    assert exported.size_bytes < 25_000_000
