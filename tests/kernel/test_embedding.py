"""The sentence encoder: true to the full-precision model, fast, safe to share between threads."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from tools.kernel.assets import AssetMissing, asset_path, assets_dir
from tools.kernel.embedding import DIMENSIONS, Embedder, get_embedder

SENTENCES = [
    "roll it back",
    "fine-tune the ticket router on last week's tickets and canary it on the ThinkPads",
    "What does the runbook say about a device that does not answer any more?",
    "Größe, café, 東京 and 🚀 in one line",
    "The invoice of March was charged twice. " * 12,
]


def test_vectors_are_those_of_the_full_precision_model() -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    folder = asset_path("minilm")
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    model = AutoModel.from_pretrained(folder, local_files_only=True).eval()
    batch = tokenizer(SENTENCES, padding=True, truncation=True, max_length=256, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**batch).last_hidden_state
    mask = batch["attention_mask"].unsqueeze(-1)
    means = (hidden * mask).sum(1) / mask.sum(1)
    expected = torch.nn.functional.normalize(means, dim=1).numpy()

    cosines = (get_embedder().embed(SENTENCES) * expected).sum(axis=1)
    assert cosines.min() > 0.98


def test_vectors_are_unit_float32_in_the_order_of_the_texts() -> None:
    vectors = get_embedder().embed(SENTENCES)
    assert vectors.shape == (len(SENTENCES), DIMENSIONS)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    for text, vector in zip(SENTENCES, vectors, strict=True):
        assert float(get_embedder().embed_one(text, 256) @ vector) > 0.9999


def test_meaning_decides_nearness() -> None:
    query, near, far = get_embedder().embed(
        ["undo the deployment", "roll back the release", "list the datasets"], 128
    )
    assert query @ near > query @ far


def test_more_texts_than_a_batch_and_none_at_all() -> None:
    texts = [f"ticket number {number} about {'billing ' * (number % 7)}" for number in range(75)]
    vectors = get_embedder().embed(texts, 128)
    assert float(vectors[74] @ get_embedder().embed_one(texts[74])) > 0.9999
    assert get_embedder().embed([]).shape == (0, DIMENSIONS)
    assert get_embedder().embed([""]).shape == (1, DIMENSIONS)


def test_long_text_is_cut_at_the_asked_length() -> None:
    long = "word " * 5000
    embedder = get_embedder()
    assert np.allclose(embedder.embed([long], 128), embedder.embed(["word " * 126], 128), atol=1e-5)


def test_one_embedder_serves_many_threads() -> None:
    texts = [f"show the health of group {number}" for number in range(24)]
    alone = get_embedder().embed(texts, 128)
    with ThreadPoolExecutor(4) as pool:
        together = list(
            pool.map(
                lambda pair: get_embedder().embed([pair[1]], 128 + 128 * (pair[0] % 2)),
                enumerate(texts),
            )
        )
        shared = set(pool.map(lambda _: id(get_embedder()), range(8)))
    assert len(shared) == 1
    assert np.allclose(np.vstack(together), alone, atol=1e-4)


def test_repeated_query_is_remembered_and_cannot_be_spoilt() -> None:
    first = get_embedder().embed_one("who approved this?")
    assert get_embedder().embed_one("who approved this?") is first
    with pytest.raises(ValueError, match="read-only"):
        first[0] = 1


def test_missing_encoder_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PILOTHOUSE_ASSETS", str(tmp_path))
    with pytest.raises(AssetMissing, match="models fetch"):
        Embedder().embed_one("hello")


def test_importing_the_module_loads_nothing_heavy() -> None:
    code = (
        "import sys, tools.kernel.embedding;"
        "print([m for m in ('numpy', 'onnxruntime', 'tokenizers', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_encoder_reports_nothing_home(tmp_path: Path) -> None:
    # onnxruntime's telemetry, when on, writes a device id and a queue below the home folder.
    environment = {
        "HOME": str(tmp_path),
        "PATH": os.environ["PATH"],
        "PILOTHOUSE_ASSETS": str(assets_dir()),
    }
    code = "from tools.kernel.embedding import get_embedder; get_embedder().warm_up()"
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, timeout=60)
    assert list(tmp_path.rglob("*")) == []
