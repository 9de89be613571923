"""Searches: over what is said, giving up what falls behind, for one objective or two."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import optuna
import pytest

from tools.kernel.errors import InvalidInput
from tools.kernel.gate import Outcome
from tools.kernel.kernel import Kernel
from tools.kernel.mlflow_store import client
from tools.training import space, trials
from tools.training.child import train
from tools.training.outcome import refuse_diverged
from tools.training.spec import TrainingSpec
from tools.training.state import EpochScore
from tools.training.trials import Going

Caller = Callable[..., Outcome]
Finisher = Callable[..., dict[str, Any]]


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (
            "learning rate between 1e-5 and 1e-3, rank 4 to 32",
            "learning_rate 1e-05..0.001, rank 4..32",
        ),
        ("lr=1e-4..1e-2; batch_size: 8|16|32", "learning_rate 0.0001..0.01, batch_size 8|16|32"),
        ("batch size 8, 16 or 32, epochs 2-4", "batch_size 8|16|32, epochs 2..4"),
        ("weight decay 0 to 0.1", "weight_decay 0..0.1"),
    ],
)
def test_a_space_is_read_as_it_is_said(said: str, read: str):
    assert space.canonical(said) == read
    assert space.canonical(read) == read


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ("ranks 4 to 32", "no setting 'ranks'"),
        ("rank 32 to 4", "the first must be the smaller"),
        ("rank 0 to 4", "rank cannot be 0"),
        ("rank 1.5 to 4", "whole number"),
        ("rank high", "no part of a search space"),
        ("learning_rate 1e-5..5", "cannot be 5"),
    ],
)
def test_a_wrong_space_is_refused_with_what_would_be_right(said: str, message: str):
    with pytest.raises(InvalidInput, match=message):
        space.canonical(said)


def test_a_space_of_a_few_values_is_a_grid_and_one_with_a_range_of_fractions_is_not():
    assert space.grid(space.parse("rank 4|8|4, epochs 2..3")) == [
        {"rank": 4, "epochs": 2},
        {"rank": 4, "epochs": 3},
        {"rank": 8, "epochs": 2},
        {"rank": 8, "epochs": 3},
    ]
    assert space.grid(space.parse("rank 4|8, warmup 0..0.1")) == []


@pytest.mark.parametrize("seed", range(5))
def test_every_setting_of_a_small_grid_is_tried_before_one_is_tried_again(seed: int):
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    dimensions = space.parse("rank 4|8, batch_size 8|16|3")
    asked: list[tuple[float, ...]] = []
    for index in range(7):
        trial = trials.ask(study, dimensions)
        asked.append(tuple(trial.params.values()))
        trial.set_user_attr("index", index)
        if index > 1:  # the first two run on beside the others
            study.tell(trial, float(index))
    assert len(set(asked[:6])) == 6
    assert asked[6] in asked[:6]


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials compute in this process: starting one for each takes most of a small trial's time."""

    def compute(
        job: object, module: str, spec: dict[str, Any], on_event: Callable[[dict[str, Any]], None]
    ) -> dict[str, Any]:
        def after_epoch(score: EpochScore) -> bool:
            on_event({"epoch": score.epoch, "quality": score.rank[0]})
            answer = Path(spec["answers"]) / f"epoch-{score.epoch}"
            return answer.read_text() == "stop"

        return train(TrainingSpec.from_dict(spec), lambda *_: None, after_epoch)

    monkeypatch.setattr("tools.training.tuning.compute", compute)


def test_a_tunings_share_never_falls_back_and_a_pause_is_told_as_such():
    going = Going(4, [2, 3])
    assert going.told(2, 0.5, "epoch 1") == (pytest.approx(0.6), "trial 3 of 4: epoch 1")
    assert going.told(2, 0.0, "loading")[0] == pytest.approx(0.6)
    assert going.told(3, 0.5, "paused; go on") == (pytest.approx(0.72), "paused; go on")
    assert going.told(3, 1.0, "")[1] == "trial 4 of 4"


@pytest.mark.usefixtures("in_process")
@pytest.mark.slow
def test_trials_stay_in_the_space_and_one_that_falls_behind_is_given_up(
    kernel: Kernel, call: Caller, finished: Finisher, colours: Path, base: Path
):
    call("datasets.add", path=str(colours))
    result = finished(
        "training.tune",
        dataset="colours",
        base_model=str(base),
        method="full",
        space="learning rate 1e-8 or 0.02, head learning rate 1e-8 or 0.02, batch size 8 or 16",
        trials=8,
        parallel=2,
        epochs=3,
        seed=1,
    )
    trials = result["trials"]
    assert [t["number"] for t in trials] == list(range(1, 9))
    assert {t["parameters"]["learning_rate"] for t in trials} <= {1e-8, 0.02}
    pruned = [t for t in trials if t["state"] == "pruned"]
    assert pruned
    assert all(t["epochs"] < 3 for t in pruned)
    best = max(t["value"] for t in trials if t["state"] == "complete")
    assert result["validation_accuracy"] == best
    assert set(result["importance"]) <= {"learning_rate", "head_learning_rate", "batch_size"}
    stored = {a.path for a in client(kernel.settings).list_artifacts(result["run_id"])}
    assert {"trials.json", "tuning.png"} <= stored


@pytest.mark.usefixtures("in_process")
def test_two_objectives_give_a_front_and_keep_the_cheapest_of_the_best(
    kernel: Kernel, call: Caller, finished: Finisher, colours: Path, base: Path
):
    call("datasets.add", path=str(colours))
    result = finished(
        "training.tune",
        dataset="colours",
        base_model=str(base),
        space="rank 2|16, learning rate 0.005..0.02",
        objective="size",
        trials=4,
        epochs=2,
    )
    assert result["front"]
    assert result["best_trial"] in result["front"]
    told = next(r.says for r in kernel.receipts.list("default") if r.operation == "training.tune")
    best = next(t for t in result["trials"] if t["number"] == result["best_trial"])
    assert f"rank {best['parameters']['rank']}" in (told or "")
    sizes = {t["parameters"]["rank"]: t["size_mb"] for t in result["trials"]}
    folder = Path(result["artifact_path"])
    own = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file() and f.suffix != ".md")
    whole = own + (base / "model.safetensors").stat().st_size
    assert best["size_mb"] == pytest.approx(whole / 2**20, abs=1e-3)  # as the registry counts it
    if len(sizes) == 2:
        assert sizes[2] < sizes[16]
    assert not any(t["state"] == "pruned" for t in result["trials"])
    one, whole = result["trial_estimated_seconds"], result["estimated_seconds"]
    assert one < whole < 4 * one  # preparing and recording are done once
    row = kernel.jobs.get(result["job"], "default")
    assert row.started is not None and row.ended is not None
    assert 0 <= (row.ended - row.started).total_seconds() - result["seconds"] < 10
    assert result["estimate_error"] == pytest.approx(result["seconds"] / whole - 1, abs=0.01)


@pytest.mark.usefixtures("in_process")
def test_a_trial_that_diverges_has_failed_and_the_search_goes_on(
    call: Caller,
    finished: Finisher,
    colours: Path,
    base: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    from tools.training import tuning

    calm, begun = tuning.compute, list[str]()

    def first_diverges(job: Any, module: str, spec: dict[str, Any], on_event: Any) -> Any:
        begun.append(module)
        refuse_diverged(float("nan") if len(begun) == 1 else 0.1, spec["learning_rate"])
        return calm(job, module, spec, on_event)

    monkeypatch.setattr(tuning, "compute", first_diverges)
    call("datasets.add", path=str(colours))
    result = finished("training.tune", dataset="colours", base_model=str(base), trials=2, epochs=1)
    assert [t["state"] for t in result["trials"]] == ["failed", "complete"]
    assert result["best_trial"] == 2
