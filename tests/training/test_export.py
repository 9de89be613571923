"""A classifier's folder: what peft, torch and ONNX make of it is the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.conftest import rows
from tools.datasets.columns import Row
from tools.kernel.errors import InvalidInput
from tools.training.child import train
from tools.training.export import (
    export_onnx,
    folder_sha256,
    load_classifier,
    merge,
    untrained_classifier,
)
from tools.training.preparing import make_spec, write_data
from tools.training.spec import TrainingSpec
from tools.training.types import StartTraining

TEXTS = [row["text"] for row in rows(60)]


@pytest.fixture(scope="module")
def trained(base: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, TrainingSpec]:
    """A classifier of each method, with adapters on both layers."""
    found: dict[str, TrainingSpec] = {}
    labelled = [
        Row(r["text"], r["label"], "validation" if i % 5 == 0 else "train")
        for i, r in enumerate(rows(120))
    ]
    for kind in ("lora", "full", "head", "dora", "rslora"):
        folder = tmp_path_factory.mktemp(kind)
        labels = write_data(folder / "data", labelled)
        flags = {kind: True} if kind in ("dora", "rslora") else {"method": kind}
        args = StartTraining.model_validate(
            {"dataset": "c", "base_model": str(base), "learning_rate": 0.01, **flags}
        )
        spec = make_spec(args, base, folder, labels, threads=1)
        if spec.method == "lora":
            spec = replace(spec, trained_share=1.0, epochs=4)
        train(spec, lambda share, line, figures: None)
        found[kind] = spec
    return found


@pytest.mark.parametrize("method", ["lora", "full", "head"])
def test_a_loaded_classifier_predicts_probabilities_of_its_labels(
    trained: dict[str, TrainingSpec], method: str
):
    classifier = load_classifier(Path(trained[method].output))
    assert classifier.labels == ("blue", "green", "red")
    found = classifier.probabilities(TEXTS)
    assert found.shape == (60, 3)
    assert np.allclose(found.sum(axis=1), 1.0)
    assert classifier.predict(TEXTS)[0] in classifier.labels
    one_by_one = np.concatenate([classifier.logits([text]) for text in TEXTS])
    assert np.abs(one_by_one - classifier.logits(TEXTS)).max() < 1e-5


@pytest.mark.parametrize("kind", ["lora", "dora", "rslora"])
def test_peft_and_transformers_compute_the_same_from_the_same_folder(
    trained: dict[str, TrainingSpec], kind: str
):
    """The adapter is a real peft adapter, and our encoder is BERT."""
    import torch
    from peft import PeftModel
    from transformers import BertConfig, BertModel

    from tools.training.batching import pad
    from tools.training.encoder import mean_pool

    spec = trained[kind]
    folder = Path(spec.output)
    ours = load_classifier(folder)
    config = BertConfig.from_pretrained(spec.base_folder)
    theirs = BertModel.from_pretrained(spec.base_folder, config=config, add_pooling_layer=False)
    with_adapter = PeftModel.from_pretrained(theirs, str(folder / "adapter")).eval()
    ids, mask = pad(ours.encode(TEXTS))
    with torch.inference_mode():
        hidden = with_adapter(input_ids=ids, attention_mask=mask).last_hidden_state
        expected = ours.model.head(mean_pool(hidden, mask)).double().numpy()
    assert np.abs(expected - ours.logits(TEXTS)).max() < 1e-4


@pytest.mark.parametrize("quantise", [False, True])
def test_onnx_agrees_with_torch_on_any_batch_and_length(
    trained: dict[str, TrainingSpec], tmp_path: Path, quantise: bool
):
    import onnxruntime as ort

    folder = Path(trained["lora"].output)
    done = export_onnx(folder, tmp_path / "new" / "model.onnx", TEXTS, quantise=quantise)
    assert done.path.is_file()
    assert done.size_bytes == done.path.stat().st_size
    assert [p.name for p in done.path.parent.iterdir()] == ["model.onnx"]
    assert done.texts == 60
    assert done.max_difference < (0.5 if quantise else 1e-4)
    assert done.agreement >= (0.95 if quantise else 1.0)
    session = ort.InferenceSession(str(done.path))
    assert [i.name for i in session.get_inputs()] == ["input_ids", "attention_mask"]
    for batch, length in ((1, 1), (3, 40), (17, 5)):
        ids = np.ones((batch, length), np.int64)
        logits = session.run(["logits"], {"input_ids": ids, "attention_mask": ids})[0]
        assert np.asarray(logits).shape == (batch, 3)


def test_the_untrained_model_is_the_one_training_began_with(
    trained: dict[str, TrainingSpec], base: Path
):
    spec = trained["lora"]
    untrained = untrained_classifier(str(base), spec.labels, {"seed": 0, "max_length": 64})
    lines = (Path(spec.data) / "validation.jsonl").read_text().splitlines()
    values = [json.loads(line) for line in lines]
    found = untrained.probabilities([v["text"] for v in values])
    truth = [spec.labels.index(v["label"]) for v in values]
    loss = -np.log(found[np.arange(len(truth)), truth]).mean()
    curve = json.loads((Path(spec.output).parent / "curve.json").read_text())
    assert loss == pytest.approx(curve["epochs"][0]["validation_loss"], rel=1e-4)


def test_a_folder_s_hash_sees_every_change(trained: dict[str, TrainingSpec], tmp_path: Path):
    (tmp_path / "a").write_text("1")
    first = folder_sha256(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert folder_sha256(tmp_path) != first


def test_what_is_no_classifier_is_refused(tmp_path: Path, base: Path):
    with pytest.raises(InvalidInput, match="no trained classifier"):
        merge(tmp_path)
    with pytest.raises(InvalidInput, match="no trained classifier"):
        load_classifier(base)


def test_labels_are_in_config_and_in_labels(trained: dict[str, TrainingSpec]):
    folder = Path(trained["lora"].output)
    config = json.loads((folder / "config.json").read_text())
    assert config["id2label"] == {"0": "blue", "1": "green", "2": "red"}
    assert json.loads((folder / "labels.json").read_text()) == ["blue", "green", "red"]
