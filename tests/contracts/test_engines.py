"""Every runtime gives the same answers to the same model: the contract of `edge/engines`.

A further runtime joins with one entry in `CLASSIFIERS`.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge.engines.base import Chat, Classifier, open_engine
from edge.errors import BadRequest, Refused
from edge.profiles import PROFILES
from edge.runtime import LoadedModel
from edge.verify import BundleFile, Golden, Manifest
from tests.support.classifier import LABELS, write_classifier
from tools.kernel.assets import AssetMissing, asset_path

WORDS = {"my password": "login", "the parcel": "shipping", "an invoice was charged": "billing"}


def write_onnx(folder: Path) -> str:
    write_classifier(folder)
    return "model.onnx"


def write_openvino(folder: Path) -> str:
    import openvino

    write_classifier(folder)
    openvino.save_model(openvino.convert_model(str(folder / "model.onnx")), folder / "model.xml")
    (folder / "model.onnx").unlink()
    return "model.xml"


def write_executorch(folder: Path) -> str:
    import onnx
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower
    from onnx import numpy_helper

    write_classifier(folder)
    model = onnx.load(str(folder / "model.onnx"))
    table = next(t for t in model.graph.initializer if t.name == "table")

    class Keywords(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rows = torch.nn.Embedding.from_pretrained(
                torch.from_numpy(numpy_helper.to_array(table).copy())
            )

        def forward(
            self, ids: torch.Tensor, mask: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor]:
            logits = (self.rows(ids) * mask.unsqueeze(-1).float()).sum(1)
            return logits, logits + logits

    example = (torch.zeros(1, 5, dtype=torch.int64), torch.ones(1, 5, dtype=torch.int64))
    length = torch.export.Dim("sequence", min=2, max=64)
    exported = torch.export.export(
        Keywords().eval(), example, dynamic_shapes=({1: length}, {1: length})
    )
    lowered = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
    (folder / "model.pte").write_bytes(lowered.to_executorch().buffer)
    (folder / "model.onnx").unlink()
    return "model.pte"


CLASSIFIERS: dict[str, Callable[[Path], str]] = {
    "onnx": write_onnx,
    "openvino": write_openvino,
    "executorch": write_executorch,
}


def manifest_of(folder: Path, runtime: str, **more: Any) -> Manifest:
    files = {p.name: BundleFile("0" * 64, p.stat().st_size) for p in folder.iterdir()}
    golden = tuple(Golden(text, label) for text, label in WORDS.items())
    fields: dict[str, Any] = {
        "model": "router",
        "version": 1,
        "runtime": runtime,
        "files": files,
        "labels": LABELS,
        "max_length": 64,
        "golden": golden,
        "memory_mb": 100,
        **more,
    }
    return Manifest(**fields)


@pytest.fixture(
    scope="module",
    params=["onnx", "openvino", pytest.param("executorch", marks=pytest.mark.slow)],
)
def made(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Manifest]:
    folder = tmp_path_factory.mktemp(request.param)
    CLASSIFIERS[request.param](folder)
    return folder, manifest_of(folder, request.param)


class TestClassifiers:
    @pytest.fixture
    def model(self, made: tuple[Path, Manifest]) -> LoadedModel:
        return LoadedModel(*made, PROFILES["server"])

    def test_golden_inputs_agree_and_their_time_is_known(self, model: LoadedModel) -> None:
        model.warm_up()
        assert model.golden_ms is not None and model.golden_ms > 0

    def test_texts_of_different_lengths_do_not_disturb_one_another(
        self, model: LoadedModel
    ) -> None:
        texts = [*WORDS, "x", "password " * 60, ""] * 4
        alone = [model.predict([text])[0] for text in texts]
        together = model.predict(texts)
        assert [p.label for p in alone] == [p.label for p in together]
        np.testing.assert_allclose(
            [p.confidence for p in alone], [p.confidence for p in together], atol=1e-5
        )

    def test_outputs_are_those_of_the_model(self, made: tuple[Path, Manifest]) -> None:
        engine = open_engine(*made, PROFILES["phone"])
        assert isinstance(engine, Classifier)
        ids = np.array([[4, 6, 0], [7, 0, 0]], dtype=np.int64)
        mask = np.array([[1, 1, 0], [1, 0, 0]], dtype=np.int64)
        logits, embeddings = engine.outputs(ids, mask)
        np.testing.assert_allclose(logits, [[0, 8, 0], [0, 0, 4]], atol=1e-4)
        assert embeddings is not None
        np.testing.assert_allclose(embeddings, [[0, 16, 0], [0, 0, 8]], atol=1e-4)

    def test_a_file_without_embeddings_gives_logits_alone(
        self, made: tuple[Path, Manifest]
    ) -> None:
        folder, manifest = made
        if manifest.runtime != "onnx":
            pytest.skip("one runtime shows it: files of all are read by position")
        write_classifier(folder / "plain", embedding=False)
        engine = open_engine(folder / "plain", manifest, PROFILES["phone"])
        assert isinstance(engine, Classifier)
        ids = np.array([[4]], dtype=np.int64)
        logits, embeddings = engine.outputs(ids, np.ones_like(ids))
        assert logits.shape == (1, 3) and embeddings is None

    def test_many_threads_may_ask_at_once(self, model: LoadedModel) -> None:
        wrong: list[str] = []

        def ask() -> None:
            for text, label in list(WORDS.items()) * 10:
                found = model.predict([text, "nothing"])[0].label
                if found != label:
                    wrong.append(found)

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not wrong

    def test_it_does_not_chat(self, model: LoadedModel) -> None:
        with pytest.raises(BadRequest, match="predict"):
            model.complete({"messages": []})

    def test_a_damaged_file_is_refused(self, made: tuple[Path, Manifest], tmp_path: Path) -> None:
        folder, manifest = made
        for path in folder.iterdir():
            whole = path.suffix in (".json", ".bin")
            (tmp_path / path.name).write_bytes(path.read_bytes() if whole else b"no model at all")
        with pytest.raises(Refused, match="cannot be loaded"):
            LoadedModel(tmp_path, manifest, PROFILES["phone"])


def test_a_bundle_without_the_runtimes_file_is_refused(tmp_path: Path) -> None:
    write_classifier(tmp_path)
    with pytest.raises(Refused, match=r"no \.pte file"):
        LoadedModel(tmp_path, manifest_of(tmp_path, "executorch"), PROFILES["phone"])


@pytest.mark.slow
def test_a_language_model_answers_as_openais_api_does(tmp_path: Path) -> None:
    try:
        gguf = asset_path("smollm2")
    except AssetMissing:
        pytest.skip("scripts/bootstrap.sh smollm2 fetches the model")
    (tmp_path / "model.gguf").symlink_to(next(gguf.rglob("*.gguf")) if gguf.is_dir() else gguf)
    golden = (Golden("What is the capital of France? One word.", "The capital"),)
    manifest = manifest_of(tmp_path, "llamacpp", task="chat", labels=(), golden=golden)
    model = LoadedModel(tmp_path, manifest, PROFILES["phone"])
    assert model.chats and isinstance(model._engine, Chat)  # pyright: ignore[reportPrivateUsage]
    model.warm_up()
    asked = {"messages": [{"role": "user", "content": "Say hello."}], "max_tokens": 8}
    found = model.complete(asked)
    assert found["object"] == "chat.completion" and found["choices"][0]["message"]["content"]
    with pytest.raises(BadRequest):
        model.complete({"messages": "hello"})
    with pytest.raises(BadRequest, match="chat/completions"):
        model.predict(["hello"])
