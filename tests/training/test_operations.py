"""Trainings through the gate, as durable jobs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import rows, write_rows
from tools.datasets.service import DatasetService
from tools.kernel.assets import asset_path
from tools.kernel.errors import Conflict, InvalidInput, NotFound
from tools.kernel.gate import Outcome
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.mlflow_store import client
from tools.kernel.operations import Preview
from tools.kernel.undo import undo

Caller = Callable[..., Outcome]
Finisher = Callable[..., dict[str, Any]]


@pytest.fixture
def known(call: Caller, colours: Path) -> str:
    """The dataset `colours`, added."""
    call("datasets.add", path=str(colours))
    return "colours"


def test_a_training_ends_in_a_receipt_read_back_from_mlflow_and_can_be_undone(
    kernel: Kernel,
    context: RequestContext,
    call: Caller,
    finished: Finisher,
    known: str,
    base: Path,
):
    result = finished(
        "training.start",
        dataset=known,
        base_model=str(base),
        method="full",
        name="Colour Sorter",
        epochs=5,
        learning_rate=0.01,
    )
    assert result["model_name"] == "colour-sorter"
    assert result["final_loss"] < result["initial_loss"]
    folder = Path(result["artifact_path"])
    assert folder.name == "classifier"
    assert (folder / "labels.json").is_file()

    run = client(kernel.settings).get_run(result["run_id"])
    assert run.info.status == "FINISHED"
    assert run.data.params["learning_rate"] == "0.01"
    assert run.data.tags["pilothouse.dataset"] == "colours@1"
    assert run.inputs.dataset_inputs[0].dataset.name == "colours"
    history = client(kernel.settings).get_metric_history(result["run_id"], "training_loss")
    assert len(history) == 5 * 12
    stored = {a.path for a in client(kernel.settings).list_artifacts(result["run_id"])}
    assert stored == {"classifier", "curve.json", "curve.png", "environment.json"}

    receipt = kernel.receipts.for_job(result["job"])
    assert receipt is not None
    facts = {e.fact: e.value for e in receipt.evidence}
    assert facts["status of the run"] == "FINISHED"
    assert facts["SHA-256 of the artifact"] == result["artifact_sha256"]
    assert facts["validation loss of the kept weights"] == result["final_loss"]

    with pytest.raises(Conflict, match=f"training job {result['job']}"):
        call("datasets.remove", dataset=known)
    undone = undo(kernel, receipt, context)
    assert undone.result.model_dump()["stage"] == "deleted"
    service = kernel.get(DatasetService)
    assert service.describe("default", known).used_by == []
    undo(kernel, undone.receipt, context)
    assert service.describe("default", known).used_by == [f"training job {result['job']}"]

    state = call("training.status").result.model_dump()
    assert (state["status"], state["model_name"]) == ("done", "colour-sorter")
    assert "validation accuracy" in call("training.status", job=result["job"]).receipt.says
    assert len(call("training.list").result.model_dump()["trainings"]) == 1
    workdir = kernel.settings.home / "work" / "jobs" / str(result["job"])
    assert not (workdir / "checkpoint.pt").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"dataset": "colors"}, "Did you mean colours"),
        ({"base_model": "minilmm"}, "Did you mean minilm"),
        ({"base_model": "smollm2"}, "generative model"),
        ({"base_model": "/"}, "no model folder"),
        ({"max_length": 500}, "reads 128 tokens"),
        ({"epochs": 0}, "epochs"),
        ({"learning_rate": -1}, "learning_rate"),
        ({"method": "prayer"}, "method"),
        ({"name": "!!!"}, "no Latin letter or digit"),
        ({"method": "full", "rank": 16}, "rank is that of LoRA's matrices, and the method is full"),
        ({"method": "head", "rank": 4}, "Leave the rank out"),
        ({"method": "full", "lora_alpha": 32}, "lora_alpha is of LoRA's matrices; a classifier"),
        ({"method": "full", "trained_share": 0.5}, "a classifier trained with full has none"),
        ({"virtual_tokens": 8}, "virtual_tokens is of prompt tuning"),
        ({"scale": 10}, "scale is of an embedding's loss"),
        ({"packing": True}, "Only a language model's texts are packed"),
        ({"dropout": 0.2, "head_dropout": 0.3}, "dropout is 0.2 and head_dropout 0.3"),
        (
            {"method": "head", "learning_rate": 0.1, "head_learning_rate": 0.2},
            "learning_rate is 0.1 and head_learning_rate 0.2",
        ),
        ({"lora_dropout": 0.95}, "lora_dropout"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_there_is_a_job(
    kernel: Kernel,
    context: RequestContext,
    known: str,
    base: Path,
    arguments: dict[str, Any],
    message: str,
):
    every = {"dataset": known, "base_model": str(base), **arguments}
    for attempt in (kernel.gate.preview, kernel.gate.call):
        with pytest.raises(InvalidInput) as caught:
            attempt("training.start", every, context)
        assert message in str(caught.value)
    assert kernel.jobs.list("default") == []


def test_datasets_that_teach_nothing_are_refused(call: Caller, base: Path, tmp_path: Path):
    one = [{**row, "label": "same"} for row in rows(40)]
    call("datasets.add", path=str(write_rows(tmp_path / "one.jsonl", one)))
    with pytest.raises(InvalidInput, match="one class only"):
        call("training.start", dataset="one", base_model=str(base))
    call("datasets.add", path=str(write_rows(tmp_path / "tiny.jsonl", rows(4))))
    with pytest.raises(InvalidInput, match="no validation rows"):
        call("training.start", dataset="tiny", base_model=str(base))


def test_a_preview_tells_time_and_money(kernel: Kernel, context: RequestContext, known: str):
    preview = kernel.gate.preview("training.start", {"dataset": "bundled tickets"}, context)
    assert "704 rows of tickets v1" in preview.summary
    assert preview.seconds is not None
    assert 5 < preview.seconds < 600
    assert preview.cost == pytest.approx(preview.seconds / 3600 * 0.4, rel=0.01)


def test_a_preview_says_where_a_limit_of_time_will_stop_the_training(
    kernel: Kernel, context: RequestContext, call: Caller, known: str
):
    def preview(**more: Any) -> Preview:
        told = {"dataset": "tickets", "epochs": 100, **more}
        return kernel.gate.preview("training.start", told, context)

    whole, limited = preview(), preview(max_minutes=0.05)
    assert whole.seconds is not None and limited.seconds is not None
    assert limited.seconds < whole.seconds
    assert limited.cost is not None and whole.cost is not None and limited.cost < whole.cost
    assert any("at the limit of 0.05 it will probably be in epoch" in w for w in limited.warnings)
    assert "max minutes 0.05" in limited.summary
    assert preview(max_minutes=10_000).warnings == whole.warnings
    told = call("training.estimate", dataset="tickets", epochs=100, max_minutes=0.05).result
    assert told.model_dump()["warnings"] == limited.warnings


def test_an_estimate_grows_with_the_work(call: Caller):
    def seconds(**arguments: Any) -> dict[str, Any]:
        return call("training.estimate", dataset="tickets", **arguments).result.model_dump()

    short, long = seconds(epochs=1), seconds(epochs=10)
    assert short["seconds"] < long["seconds"]
    assert seconds(method="head")["seconds"] < seconds(method="full")["seconds"]
    assert short["seconds_low"] < short["seconds"] < short["seconds_high"]
    assert short["steps"] == 44
    assert short["memory_mb"] > 300


@pytest.mark.slow
def test_a_cancelled_training_stops_its_child_and_leaves_no_model(
    kernel: Kernel, call: Caller, base: Path, tmp_path: Path
):
    call("datasets.add", path=str(write_rows(tmp_path / "many.jsonl", rows(3000))))
    job = call(
        "training.start", dataset="many", base_model=str(base), method="full", epochs=100
    ).job
    assert job is not None
    topic, seen = f"job:{job}", 0
    while not any("loss" in e.data.get("metrics", {}) for e in kernel.events.read(topic)):
        events = kernel.events.wait(topic, after=seen, timeout=60)
        assert events, "the training said nothing for a minute"
        seen = events[-1].id
    cancelled = call("training.cancel")
    result = cancelled.result.model_dump()
    assert (result["job"], result["status"]) == (job, "cancelled")
    assert "epoch" in result["done"]
    assert "nothing was recorded as a model" in result["kept"]
    runs = client(kernel.settings)
    where = [e.experiment_id for e in runs.search_experiments()]
    assert [r.info.status for r in runs.search_runs(where)] == ["KILLED"]
    assert kernel.get(DatasetService).describe("default", "many").used_by == []
    with pytest.raises(NotFound, match="No training is running"):
        call("training.cancel")
    with pytest.raises(Conflict, match="cancelled already"):
        call("training.cancel", job=job)


def test_status_of_nothing_and_of_other_jobs_is_said_plainly(call: Caller):
    with pytest.raises(NotFound, match="Nothing has been trained yet"):
        call("training.status")
    with pytest.raises(NotFound):
        call("training.status", job=77)
    assert call("training.list").receipt.says == "Nothing has been trained yet."


@pytest.mark.slow
def test_a_run_of_another_tenant_or_a_registered_one_is_not_deleted(
    kernel: Kernel, finished: Finisher, call: Caller, known: str, base: Path
):
    from tools.training.service import TrainingService

    service = kernel.get(TrainingService)
    result = finished("training.start", dataset=known, base_model=str(base), method="head")
    with pytest.raises(NotFound):
        service.delete_run(result["run_id"], "somebody-else")
    with pytest.raises(NotFound):
        call("training.delete_run", run_id="0" * 32)
    store = client(kernel.settings)
    store.create_registered_model("colours-x")
    store.create_model_version("colours-x", result["artifact_path"], run_id=result["run_id"])
    with pytest.raises(Conflict, match="colours-x v1 comes from this run"):
        call("training.delete_run", run_id=result["run_id"])


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_tuning_tries_settings_and_keeps_the_best_model(
    kernel: Kernel, finished: Finisher, known: str, base: Path
):
    result = finished(
        "training.tune", dataset=known, base_model=str(base), method="full", trials=3, epochs=3
    )
    trials = result["trials"]
    assert [t["number"] for t in trials] == [1, 2, 3]
    complete = [t for t in trials if t["state"] == "complete"]
    assert result["validation_accuracy"] == max(t["value"] for t in complete)
    best = trials[result["best_trial"] - 1]
    assert result["parameters"]["batch_size"] == best["parameters"]["batch_size"]
    assert result["parameters"]["learning_rate"] == best["parameters"]["learning_rate"]
    stored = client(kernel.settings).list_artifacts(result["run_id"])
    assert "trials.json" in {a.path for a in stored}
    assert (Path(result["artifact_path"]) / "head.safetensors").is_file()
    receipt = kernel.receipts.for_job(result["job"])
    assert receipt is not None
    assert receipt.says.startswith("Tried 3 settings")
    told = [e.data for e in kernel.events.read(f"job:{result['job']}") if "fraction" in e.data]
    shares = [each["fraction"] for each in told]
    assert shares == sorted(shares)
    assert any(0.34 < each["fraction"] < 0.6 for each in told)
    assert any(each["message"].startswith("trial 2 of 3: epoch") for each in told)
    assert json.loads(json.dumps(result)) == result


def test_what_is_given_a_value_is_not_varied_and_no_alpha_without_matrices(
    kernel: Kernel, context: RequestContext, call: Caller, known: str, base: Path
):
    told = {"dataset": known, "base_model": str(base)}
    given = {**told, "head_learning_rate": 0.02, "dropout": 0.3}
    summary = kernel.gate.preview("training.tune", given, context).summary
    assert "batch_size 8|16|32" in summary
    assert "head_learning_rate" not in summary.partition("keep the best")[2].partition("One")[0]
    with pytest.raises(InvalidInput, match="lora_alpha is that of LoRA"):
        call("training.tune", **told, method="full", space="lora_alpha 8|16")


def test_a_search_varies_no_rank_where_the_method_has_none(call: Caller, known: str, base: Path):
    with pytest.raises(InvalidInput, match="rank is that of LoRA"):
        call("training.tune", dataset=known, base_model=str(base), method="full", space="rank 4|8")


def test_estimate_and_preview_say_how_many_texts_are_cut_and_what_length_would_do(
    kernel: Kernel, context: RequestContext, call: Caller, tmp_path: Path, base: Path
):
    if not asset_path("minilm").is_dir():
        pytest.skip("the encoder's tokenizer is not fetched")
    long = [{**row, "text": f"{row['text']} {'now ' * 80}"} for row in rows(120)]
    call("datasets.add", path=str(write_rows(tmp_path / "long.jsonl", long)))
    wanted = {"dataset": "long", "base_model": str(base), "max_length": 32}
    estimated = call("training.estimate", **wanted)
    cut = estimated.result.model_dump()["cut"]
    assert cut.startswith("120 of 120 texts are cut at 32 tokens")
    assert "99 % need at most" in cut
    assert cut in estimated.receipt.says
    assert cut in kernel.gate.preview("training.start", wanted, context).warnings
    fits = call("training.estimate", **{**wanted, "max_length": 128}).result.model_dump()
    assert fits["cut"] == ""


def test_trainings_with_figures_that_are_no_numbers_are_listed(kernel: Kernel, call: Caller):
    from tests.registry.trained import add_training

    job = add_training(kernel, final_loss=float("nan"))
    listed = call("training.list").result
    assert json.loads(json.dumps(listed.model_dump(mode="json"), allow_nan=False))
    assert call("training.status", job=job).result.model_dump()["metrics"]["final_loss"] is None
    with pytest.raises(Conflict, match="diverged"):
        call("registry.register", job=job, model="broken")
