"""Variants of a tiny embedding: made, run in their own runtimes, registered through the gate."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.registry.trained import add_training
from tests.training.similarity.test_similarity import silent, spec_on, texts
from tools.kernel.errors import Conflict, InvalidInput
from tools.kernel.gate import Outcome
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.mlflow_store import client
from tools.kernel.undo import undo
from tools.training.optimizing import manifest
from tools.training.optimizing.build import build
from tools.training.optimizing.retrieving import found, paired_search, said_of_rows
from tools.training.similarity.child import train
from tools.training.similarity.embedder import load_embedder
from tools.training.similarity.finding import search_of

Caller = Callable[..., Outcome]
Finisher = Callable[..., dict[str, Any]]
_FRESH = [text for row in texts(180, triplets=True)[150:] for text in row]


@pytest.fixture(scope="module")
def parent(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedding that knows which number belongs to a colour."""
    folder = tmp_path_factory.mktemp("alike")
    train(spec_on(base, folder, triplets=True), silent)
    return folder / "embedding"


def made(parent: Path, target: str, folder: Path, **options: Any) -> Path:
    """Where a variant lies that a child would make."""
    rows = folder / "train.jsonl"
    rows.write_text("".join(json.dumps({"texts": r}) + "\n" for r in texts(90, triplets=True)))
    build(
        {
            "target": target,
            "folder": str(parent),
            "out": str(folder / target),
            "parent": {"model": "alike", "version": 1, "content_sha256": "ab"},
            "train": str(rows),
            "threads": 1,
            "options": options,
        }
    )
    return folder / target


def cosines(parent: Path, variant: Path) -> Any:
    """Of fresh texts, how near the vectors of both are."""
    before, after = (load_embedder(folder).embed(_FRESH) for folder in (parent, variant))
    assert np.linalg.norm(after, axis=1) == pytest.approx(np.ones(len(_FRESH)), abs=1e-5)
    return (before * after).sum(axis=1)


@pytest.mark.parametrize(("target", "least"), [("onnx", 0.999999), ("onnx-int8", 0.99)])
def test_a_variant_gives_the_vectors_of_its_parent_in_its_own_runtime(
    parent: Path, tmp_path: Path, target: str, least: float
):
    variant = made(parent, target, tmp_path)
    told = manifest.read(variant)
    assert (told.kind, told.runtime, told.labels) == ("embedding", "onnx", [])
    assert told.outputs == [
        {"name": "sentence_embedding", "dtype": "float32", "shape": ["batch", 32]}
    ]
    assert cosines(parent, variant).min() > least


def test_plain_onnx_runtime_gives_pooled_unit_vectors_of_padded_texts(parent: Path, tmp_path: Path):
    import onnxruntime
    from tokenizers import Tokenizer

    variant = made(parent, "onnx", tmp_path)
    tokenizer = Tokenizer.from_file(str(variant / "tokenizer.json"))
    tokenizer.enable_padding()
    encoded = tokenizer.encode_batch(_FRESH)
    session = onnxruntime.InferenceSession(variant / "model.onnx")
    vectors: Any
    (vectors,) = session.run(
        ["sentence_embedding"],
        {
            "input_ids": np.array([one.ids for one in encoded]),
            "attention_mask": np.array([one.attention_mask for one in encoded]),
        },
    )
    assert np.abs(vectors - load_embedder(parent).embed(_FRESH)).max() < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("target", ["onnx-static-int8", "openvino-int8", "executorch-int8"])
def test_an_int8_variant_of_another_toolchain_gives_nearly_the_vectors_of_its_parent(
    parent: Path, tmp_path: Path, target: str
):
    assert cosines(parent, made(parent, target, tmp_path)).mean() > 0.97


@pytest.mark.parametrize(
    ("target", "sizes"),
    [("student", {"num_hidden_layers": 1}), ("pruned", {"intermediate_size": 32})],
)
def test_a_smaller_embedding_learns_the_vectors_of_its_parent_and_can_be_shrunk_further(
    parent: Path, tmp_path: Path, target: str, sizes: dict[str, int]
):
    hardly = cosines(parent, made(parent, target, tmp_path, epochs=1)).mean()
    smaller = made(parent, target, tmp_path, epochs=8)
    config = json.loads((smaller / "config.json").read_text())
    assert {name: config[name] for name in sizes} == sizes
    told = manifest.read(smaller)
    assert (told.runtime, told.size_bytes) == ("torch", (smaller / told.entry).stat().st_size)
    assert told.size_bytes < (parent / told.entry).stat().st_size
    assert cosines(parent, smaller).mean() > hardly
    again = made(smaller, "onnx", tmp_path)
    assert cosines(smaller, again).min() > 0.999999


def test_a_variant_loses_the_queries_whose_counterpart_is_no_longer_nearest(tmp_path: Path):
    """Of eight queries one is answered by another's counterpart; what it found is another text."""
    search = search_of([(f"q{i}", f"a{i}") for i in range(8)])
    vectors = {f"{kind}{i}": np.eye(8, dtype=np.float32)[i] for kind in "qa" for i in range(8)}
    moved = {**vectors, "q0": vectors["q1"]}
    files: list[Path] = []
    for name, known in (("parent", vectors), ("variant", moved)):
        files.append(tmp_path / f"predictions-{name}.json")
        told = found(known, search, {"predictions": str(files[-1])})
        assert (told["metric"], told["rows"]) == ("recall_at_1", 8)
        assert told["score"] == 8 * told["scores"]["recall_at_1"] == 8 - (name == "variant")
    asked = tmp_path / "rows.jsonl"
    asked.write_text("".join(json.dumps({"texts": [f"q{i}", f"a{i}"]}) + "\n" for i in range(8)))
    assert said_of_rows(asked, files[1])[:2] == [
        {"text": "q0", "label": "a0", "predicted": "a1"},
        {"text": "q1", "label": "a1", "predicted": "a1"},
    ]
    loss = paired_search(*files)
    assert (loss.points, loss.agreement) == (12.5, 7 / 8)
    assert loss.cosine == pytest.approx(15 / 16)
    assert loss.low < 0 < 12.5 < loss.high
    same = paired_search(files[0], files[0])
    assert same.points == 0
    assert same.high > 30  # eight queries without a loss prove little


@pytest.fixture
def alike(tmp_path: Path, call: Caller, kernel: Kernel, parent: Path, base: Path) -> str:
    """A registered embedding with a dataset that has a test split."""
    path = tmp_path / "alike.jsonl"
    rows = texts(150, triplets=True)
    lines = [
        {**dict(zip(("anchor", "positive", "negative"), row, strict=True)), "split": split}
        for split, part in (("train", rows[:90]), ("test", rows[90:]))
        for row in part
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    call("datasets.add", path=str(path))
    job = add_training(
        kernel,
        files=parent,
        name="colour-finder",
        dataset="alike",
        base_model=str(base),
        task="embedding",
        parameters={"seed": 0, "max_length": 64},
    )
    call("registry.register", job=job)
    return "colour-finder"


def test_gguf_of_an_embedding_is_refused_with_what_it_is_and_what_can_be_made(
    kernel: Kernel, context: RequestContext, alike: str
):
    for targets in (["gguf"], ["onnx", "gguf-q8"]):
        with pytest.raises(InvalidInput, match="BERT with WordPiece") as refused:
            kernel.gate.preview("training.optimize", {"model": alike, "targets": targets}, context)
        assert "onnx-int8" in str(refused.value.hint)
        assert "classifier" not in refused.value.message
    assert kernel.jobs.list("default", operation="training.optimize") == []


def test_int8_of_an_embedding_is_every_int8_target(
    kernel: Kernel, context: RequestContext, alike: str
):
    told = kernel.gate.preview("training.optimize", {"model": alike, "targets": "int8"}, context)
    assert "Make onnx-int8, onnx-static-int8, openvino-int8, executorch-int8" in told.summary
    assert "test rows of alike@1" in told.summary


@pytest.mark.slow
def test_variants_of_an_embedding_are_measured_by_what_is_found_and_registered(
    kernel: Kernel, context: RequestContext, call: Caller, finished: Finisher, alike: str
):
    result = finished(
        "training.optimize", model=alike, targets=["onnx", "onnx-int8"], max_loss_points=100
    )
    assert result["parent"]["metric"] == "recall_at_1"
    exact, small = result["variants"]
    assert (exact["error"], small["error"]) == (None, None)
    assert (exact["loss_points"], exact["agreement"]) == (0, 1)
    assert exact["cosine"] == pytest.approx(1, abs=1e-5)
    assert 0.9 < small["cosine"] < 1
    assert small["size_bytes"] < exact["size_bytes"]
    assert "(cos 1.000)" in result["table"]
    assert Path(result["plot"]).read_bytes().startswith(b"\x89PNG")
    assert any("Devices do not serve embeddings" in told for told in result["warnings"])

    known = call("registry.describe", model=alike).result.model_dump()["versions"]
    details = {v["version"]: v for v in known}[small["version"]]
    assert (details["variant"], details["parent"]) == ("onnx-int8", 1)
    kept = client(kernel.settings).get_run(details["run_id"]).data.metrics
    assert kept["recall_at_1"] == small["accuracy"]
    assert kept["cosine"] == small["cosine"]
    assert kept["accuracy"] == kept["recall_at_1"] <= kept["mrr"] <= kept["recall_at_10"]

    call("devices.enroll", name="laptop-1", group="laptops", profile="laptop")
    for version in (1, small["version"]):
        wanted = {"model": alike, "version": version, "group": "laptops"}
        with pytest.raises(Conflict, match="answers with vectors"):
            kernel.gate.preview("deployment.start", wanted, context)
    receipt = kernel.receipts.for_job(result["job"])
    assert receipt is not None
    undo(kernel, receipt, context)
    left = call("registry.describe", model=alike).result.model_dump()["versions"]
    assert [v["version"] for v in left] == [1]
