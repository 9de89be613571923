"""What a person can do with a run: set everything, pause it, see what it takes, read about it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.training.conftest import rows, write_rows
from tools.kernel.errors import Conflict, InvalidInput, NotFound
from tools.kernel.gate import Outcome
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.mlflow_store import artifact_folder, client

Caller = Callable[..., Outcome]
Finisher = Callable[..., dict[str, Any]]


@pytest.fixture
def known(call: Caller, colours: Path) -> str:
    """The dataset `colours`, added."""
    call("datasets.add", path=str(colours))
    return "colours"


@pytest.mark.slow
def test_every_setting_reaches_the_run_and_its_record_says_all_that_is_needed_to_repeat_it(
    kernel: Kernel, finished: Finisher, known: str, base: Path
):
    said = {
        "gradient_accumulation": 2,
        "warmup": 0.2,
        "weight_decay": 0.05,
        "scheduler": "cosine",
        "patience": 1,
        "gradient_checkpointing": True,
        "precision": "bf16",
        "max_length": 64,
        "batch_size": 8,
        "seed": 7,
        "rank": 4,
        "learning_rate": 0.01,
        "epochs": 2,
        "lora_alpha": 12,
        "lora_dropout": 0.05,
        "trained_share": 0.5,
        "head_learning_rate": 0.02,
        "head_dropout": 0.2,
        "label_smoothing": 0.0,
    }
    result = finished("training.start", dataset=known, base_model=str(base), **said)
    for name, value in said.items():
        assert result["parameters"][name] == value
    run = client(kernel.settings).get_run(result["run_id"])
    assert run.data.params["scheduler"] == "cosine"
    assert run.data.metrics["estimate_error"] == result["estimate_error"]
    assert run.data.metrics["seconds"] == result["seconds"]
    assert run.data.metrics["peak_memory_mb"] > 50
    stored = artifact_folder(kernel.settings, result["run_id"])
    packages = json.loads((stored / "environment.json").read_text())["packages"]
    assert packages["torch"]
    adapter = json.loads((stored / "classifier/adapter/adapter_config.json").read_text())
    assert (adapter["lora_alpha"], adapter["lora_dropout"]) == (12, 0.05)
    assert (run.data.params["lora_alpha"], run.data.params["label_smoothing"]) == ("12", "0.0")
    card = (stored / "classifier" / "README.md").read_text()
    assert "| lora_alpha | 12 |" in card
    front = yaml.safe_load(card.split("---")[1])
    assert front["pipeline_tag"] == "text-classification"
    assert front["datasets"] == ["colours@1"]
    measured = {m["type"]: m["value"] for m in front["model-index"][0]["results"][0]["metrics"]}
    assert measured["accuracy"] == pytest.approx(result["validation_accuracy"], abs=1e-5)


@pytest.mark.slow
def test_a_training_is_paused_frees_its_process_and_ends_as_if_it_had_not_been(
    kernel: Kernel, context: RequestContext, call: Caller, tmp_path: Path, base: Path
):
    call("datasets.add", path=str(write_rows(tmp_path / "many.jsonl", rows(600))))
    wanted = {"dataset": "many", "base_model": str(base), "method": "full", "epochs": 12}
    with pytest.raises(NotFound, match="No training is running"):
        call("training.pause")
    job = call("training.start", **wanted).job
    assert job is not None
    seen = 0
    while not kernel.jobs.get(job, "default").message.startswith("epoch"):
        events = kernel.events.wait(f"job:{job}", after=seen, timeout=60)
        seen = events[-1].id
    paused = call("training.pause", job=job)
    assert [e.value for e in paused.receipt.evidence] == ["paused"]
    state = call("training.status").result.model_dump()
    assert state["status"] == "paused"
    listed = call("platform.jobs").result.model_dump()["jobs"]
    assert {j["job"]: j["status"] for j in listed}[job] == "paused"
    assert 0 < state["progress"] < 1
    with pytest.raises(Conflict, match="paused already"):
        call("training.pause", job=job)
    began = time.monotonic()
    assert not kernel.jobs.wait_for_cancel(job, 2.0)
    waited = time.monotonic() - began
    call("training.resume")
    row = kernel.jobs.wait(job, timeout=110)
    assert row.result is not None, row.error
    assert row.started is not None and row.ended is not None
    assert row.result["seconds"] <= (row.ended - row.started).total_seconds() - waited
    undisturbed = call("training.start", **wanted).job
    assert undisturbed is not None
    other = kernel.jobs.wait(undisturbed, timeout=110)
    assert other.result is not None, other.error
    assert row.result["final_loss"] == other.result["final_loss"]


@pytest.mark.slow
def test_time_estimate_and_error_are_of_the_whole_job_as_its_user_sees_it(
    kernel: Kernel, call: Caller, finished: Finisher, known: str, base: Path
):
    wanted = {"dataset": known, "base_model": str(base), "epochs": 2}
    before = call("training.estimate", **wanted).result.model_dump()
    fixed = before["startup_seconds"] + before["around_seconds"]
    assert before["around_seconds"] > 0
    assert before["seconds"] >= fixed
    result = finished("training.start", **wanted)
    row = kernel.jobs.get(result["job"], "default")
    assert row.started is not None and row.ended is not None
    seen = (row.ended - row.started).total_seconds()
    assert 0.8 * seen < result["seconds"] <= seen
    assert result["estimated_seconds"] == pytest.approx(before["seconds"], abs=0.2)
    off = result["seconds"] / result["estimated_seconds"] - 1
    assert result["estimate_error"] == pytest.approx(off, abs=0.01)
    said = call("training.status", job=result["job"]).receipt.says or ""
    assert f"It took {result['seconds']:.0f} s of work, waiting and pauses left out" in said
    assert f"{result['estimated_seconds']:.0f} s had been estimated, it was {abs(off):.0%}" in said
    after = call("training.estimate", **wanted).result.model_dump()
    assert abs(after["seconds"] - result["seconds"]) < abs(before["seconds"] - result["seconds"])


def test_a_run_that_cannot_fit_is_refused_with_what_would_fit(
    kernel: Kernel, call: Caller, known: str, base: Path
):
    wanted = {"dataset": known, "base_model": str(base), "method": "full", "batch_size": 512}
    kernel.settings.training_memory_mb = 640
    estimate = call("training.estimate", **wanted).result.model_dump()
    assert not estimate["fits"]
    assert estimate["memory_mb"] > 640
    said = call("training.estimate", **wanted).receipt.says
    assert "does not fit and would be refused: it needs" in said
    assert "640 MB are free" in said
    assert "What would fit: batch size" in said
    with pytest.raises(InvalidInput) as caught:
        call("training.start", **wanted)
    assert "does not fit" in str(caught.value)
    assert "batch size" in str(caught.value.hint)
    with pytest.raises(InvalidInput, match="does not fit"):
        call("training.tune", **wanted)
    size = int(str(caught.value.hint).split("batch size ")[1].split()[0])
    assert call("training.estimate", **{**wanted, "batch_size": size}).result.model_dump()["fits"]


@pytest.mark.slow
def test_texts_with_several_labels_are_learnt_and_predicted(
    call: Caller, finished: Finisher, tmp_path: Path, base: Path
):
    from tools.training.export import export_onnx, load_classifier

    singles = rows(240)
    made: list[dict[str, Any]] = []
    for i, row in enumerate(singles):
        other = singles[(i * 7 + 1) % len(singles)]
        text, labels = f"{row['text']} {other['text']}", sorted({row["label"], other["label"]})
        made.append({"text": text, "labels": labels if i % 2 else [row["label"]]})
        if not i % 2:
            made[-1]["text"] = row["text"]
    path = tmp_path / "several.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in made))
    added = call("datasets.add", path=str(path)).result.model_dump()
    assert added["profile"]["kind"] == "multilabel"
    result = finished(
        "training.start",
        dataset="several",
        base_model=str(base),
        method="full",
        epochs=10,
        learning_rate=0.01,
        patience=10,
    )
    assert result["task"] == "multilabel"
    assert result["validation_micro_f1"] > 0.9
    assert result["validation_macro_f1"] > 0.9
    folder = Path(result["artifact_path"])
    found = load_classifier(folder)
    assert found.multilabel
    assert found.predict_labels(["please help my red printer and the blue printer"]) == [
        ["blue", "red"]
    ]
    exported = export_onnx(folder, tmp_path / "model.onnx", [row["text"] for row in made[:20]])
    assert exported.agreement > 0.9
