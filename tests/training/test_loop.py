"""The training loop: it learns, repeats itself exactly, and goes on where it was cut off."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import rows
from tools.kernel.errors import OperationFailed, Unavailable
from tools.training.child import train
from tools.training.ending import OUT_OF_TIME
from tools.training.export import folder_sha256
from tools.training.objectives import scores
from tools.training.preparing import make_spec, write_data
from tools.training.spec import TrainingSpec
from tools.training.state import EpochScore, load_checkpoint
from tools.training.types import StartTraining

Make = Callable[..., TrainingSpec]


def quiet(share: float, line: str, figures: dict[str, float]) -> None:
    return None


@pytest.fixture
def spec(base: Path, tmp_path: Path) -> Make:
    """Makes specs, each with a folder of its own and the same data."""
    from tools.datasets.columns import Row

    labelled = [
        Row(r["text"], r["label"], "validation" if i % 5 == 0 else "train")
        for i, r in enumerate(rows(200))
    ]

    def make(name: str, **changes: Any) -> TrainingSpec:
        folder = tmp_path / name
        labels = write_data(folder / "data", labelled)
        told = {"dataset": "colours", "base_model": str(base), "epochs": 4, "learning_rate": 0.01}
        args = StartTraining.model_validate({**told, **changes})
        return make_spec(args, base, folder, labels, threads=1)

    return make


@pytest.mark.parametrize("method", ["lora", "full", "head"])
def test_every_method_learns_and_reports_what_it_trained(spec: Make, method: str):
    told: list[float] = []
    wanted = spec("a", method=method, epochs=20 if method == "head" else 5)
    measured = train(wanted, lambda share, line, figures: told.append(share))
    assert measured["final_loss"] < measured["initial_loss"]
    assert measured["validation_accuracy"] > (0.45 if method == "head" else 0.9)
    assert told == sorted(told)
    trained, total = measured["trained_parameters"], measured["total_parameters"]
    assert trained == total if method == "full" else trained < total / 4
    curve = json.loads((Path(wanted.output).parent / "curve.json").read_text())
    assert curve["epochs"][0]["validation_loss"] == measured["initial_loss"]
    assert [e["epoch"] for e in curve["epochs"]] == list(range(measured["epochs"] + 1))
    assert (Path(wanted.output).parent / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_seed_gives_the_same_files_and_another_seed_others(spec: Make):
    first, again, other = spec("a"), spec("b"), spec("c", seed=1)
    one, two, three = (train(s, quiet) for s in (first, again, other))
    assert one["final_loss"] == two["final_loss"] != three["final_loss"]
    assert folder_sha256(Path(first.output)) == folder_sha256(Path(again.output))
    assert folder_sha256(Path(first.output)) != folder_sha256(Path(other.output))


def cut_off(wanted: TrainingSpec, at: int, patched: pytest.MonkeyPatch) -> None:
    """Train until a step begins, and no further."""
    from tools.training import loop

    original = loop.Trainer._step  # pyright: ignore[reportPrivateUsage]
    steps = 0

    def step(self: loop.Trainer, chosen: list[int]) -> None:
        nonlocal steps
        steps += 1
        if steps == at:
            raise KeyboardInterrupt
        original(self, chosen)

    with patched.context() as patch:
        patch.setattr(loop.Trainer, "_step", step)
        with pytest.raises(KeyboardInterrupt):
            train(wanted, quiet)


@pytest.mark.parametrize("settings", [{}, {"lora_dropout": 0.3}])
def test_a_run_cut_off_in_the_middle_of_an_epoch_ends_the_same(
    spec: Make, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    whole = spec("whole", **settings)
    expected = train(whole, quiet)
    cut = replace(spec("cut", **settings), checkpoint_seconds=0.0)
    cut_off(cut, 14, monkeypatch)
    resumed = train(cut, quiet)
    assert resumed["resumed"] == 1
    assert resumed["final_loss"] == expected["final_loss"]
    assert folder_sha256(Path(cut.output)) == folder_sha256(Path(whole.output))
    curves = [json.loads((Path(s.output).parent / "curve.json").read_text()) for s in (cut, whole)]
    assert curves[0] == curves[1]


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_ten_kills_at_random_moments_lose_nothing_that_was_kept(spec: Make, tmp_path: Path):
    wanted = replace(spec("killed", epochs=60), checkpoint_seconds=0.0, patience=100)
    path = tmp_path / "spec.json"
    path.write_text(json.dumps(asdict(wanted)))
    command = [sys.executable, "-m", "tools.training.child", str(path)]
    moments = random.Random(7)
    kept = 0
    for _ in range(10):
        told = killed_after(command, moments.randint(1, 5))
        found = load_checkpoint(Path(wanted.checkpoint))
        reached = found["state"]["step"] if found else 0
        assert reached >= kept
        # The share is rounded to a step: what was told had been written before.
        assert reached + 1 >= (told - 0.05) / 0.9 * 60 * 10
        assert not Path(wanted.output).exists()
        kept = reached
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result = json.loads(done.stdout.splitlines()[-1])["result"]
    assert result["resumed"] == 10
    undisturbed = replace(spec("calm", epochs=60), patience=100)
    assert train(undisturbed, quiet)["final_loss"] == result["final_loss"]
    assert folder_sha256(Path(undisturbed.output)) == folder_sha256(Path(wanted.output))


def killed_after(command: list[str], times: int) -> float:
    """Kill -9 a training once it has told of its steps so often; the share done that it told."""
    share = 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        for line in child.stdout:
            event = json.loads(line) if line.strip() else {}
            if "epoch" in event.get("metrics", {}):
                share, times = event["progress"], times - 1
            if times == 0:
                break
        os.kill(child.pid, signal.SIGKILL)
    return share


def test_a_checkpoint_of_another_training_or_a_damaged_one_is_not_used(spec: Make):
    wanted = spec("a")
    train(spec("a", seed=9), quiet)
    assert train(wanted, quiet)["resumed"] == 0
    Path(wanted.checkpoint).write_bytes(b"half a checkpoint")
    assert train(wanted, quiet)["resumed"] == 0


def test_the_best_epoch_is_kept_and_training_stops_when_nothing_improves(spec: Make):
    wanted = replace(spec("a", epochs=30, learning_rate=0.02), patience=3)
    measured = train(wanted, quiet)
    assert measured["epochs"] == measured["best_epoch"] + 3 < 30
    curve = json.loads((Path(wanted.output).parent / "curve.json").read_text())
    best = max(curve["epochs"], key=lambda e: (e["validation_accuracy"], -e["validation_loss"]))
    assert best["epoch"] == measured["best_epoch"]
    assert measured["stopped"] == "no better for 3 epochs"


def test_a_limit_of_time_ends_it_within_an_epoch_and_what_is_best_so_far_is_kept(spec: Make):
    wanted = spec("a", epochs=50, max_minutes=1e-6, patience=0)
    measured = train(wanted, quiet)
    assert (measured["stopped"], measured["epochs"], measured["best_epoch"]) == (OUT_OF_TIME, 1, 1)
    assert 0 < measured["passes"] < 1
    assert "stopped at its limit of 1e-06 minutes" in measured["warnings"][-1]
    assert "of 50 epochs; the best weights (epoch 1) are kept" in measured["warnings"][-1]
    assert (Path(wanted.output) / "adapter").is_dir()
    again = train(wanted, quiet)
    assert (again["resumed"], again["passes"]) == (1, measured["passes"])


def test_a_limit_that_is_not_reached_changes_nothing(spec: Make):
    free, limited = spec("a"), spec("b", max_minutes=100)
    train(free, quiet)
    measured = train(limited, quiet)
    assert (measured["stopped"], measured["passes"]) == ("", 4)
    assert folder_sha256(Path(free.output)) == folder_sha256(Path(limited.output))


def test_the_last_weights_are_kept_where_that_is_asked(spec: Make):
    told = {"epochs": 12, "learning_rate": 0.02, "patience": 0}
    best, last = spec("a", **told), spec("b", keep="last", **told)
    found, kept = train(best, quiet), train(last, quiet)
    assert found["best_epoch"] < kept["best_epoch"] == kept["epochs"] == 12
    curve = json.loads((Path(last.output).parent / "curve.json").read_text())
    assert kept["final_loss"] == curve["epochs"][-1]["validation_loss"]
    assert folder_sha256(Path(best.output)) != folder_sha256(Path(last.output))


def test_patience_of_none_goes_through_all_epochs(spec: Make):
    wanted = replace(spec("a", epochs=12, learning_rate=0.02), patience=0)
    measured = train(wanted, quiet)
    assert (measured["epochs"], measured["stopped"]) == (12, "")


def test_alpha_is_twice_the_rank_unless_it_is_given_and_changes_what_is_learnt(spec: Make):
    def config(wanted: TrainingSpec) -> tuple[int, str]:
        measured = train(wanted, quiet)
        folder = Path(wanted.output) / "adapter"
        told = json.loads((folder / "adapter_config.json").read_text())
        return told["lora_alpha"], str(measured["final_loss"])

    usual, same, other = (
        config(spec(name, rank=4, epochs=1, lora_alpha=alpha))
        for name, alpha in (("usual", None), ("same", 8), ("other", 64))
    )
    assert usual == same
    assert other[0] == 64
    assert other[1] != usual[1]


def test_dropout_before_the_matrices_changes_what_is_learnt(spec: Make):
    lost = [
        train(spec(f"at {share}", epochs=1, lora_dropout=share), quiet)["final_loss"]
        for share in (0.0, 0.5)
    ]
    assert lost[0] != lost[1]


def test_a_trial_that_is_given_up_stops_after_its_epoch(spec: Make):
    def give_up(score: EpochScore) -> bool:
        return score.epoch == 2

    measured = train(spec("a"), quiet, give_up)
    assert (measured["epochs"], measured["stopped"]) == (2, "pruned")


def test_a_full_disk_is_said_to_be_one(spec: Make, monkeypatch: pytest.MonkeyPatch):
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tools.training.loop.save_checkpoint", full)
    with pytest.raises(Unavailable, match="No space left on device"):
        train(spec("a"), quiet)


def test_scores_are_accuracy_and_macro_f1():
    assert scores([0, 0, 1, 1], [0, 1, 1, 1], 2) == (
        0.75,
        pytest.approx((2 / 3 + 0.8) / 2),
        0.75,
    )


def test_batches_are_of_like_length_and_cover_every_row_once():
    from tools.training.batching import epoch_batches

    lengths = [i * 7 % 90 + 1 for i in range(500)]
    batches = epoch_batches(lengths, 16, seed=3, epoch=1)
    assert sorted(i for batch in batches for i in batch) == list(range(500))
    assert batches == epoch_batches(lengths, 16, seed=3, epoch=1)
    assert batches != epoch_batches(lengths, 16, seed=3, epoch=2)
    padded = sum(max(lengths[i] for i in batch) * len(batch) for batch in batches)
    assert padded < 1.2 * sum(lengths)


def test_time_is_told_while_it_runs(spec: Make):
    told: list[dict[str, float]] = []

    def report(share: float, line: str, figures: dict[str, float]) -> None:
        if figures:
            told.append(figures)

    began = time.monotonic()
    train(spec("a"), report)
    assert time.monotonic() - began < 60
    assert {"loss", "learning_rate", "examples_per_second", "eta_seconds"} <= told[-1].keys()


@pytest.mark.parametrize("split", ["train_set", "validation"])
def test_a_training_whose_loss_is_no_number_stops_at_once_and_writes_nothing(
    spec: Make, monkeypatch: pytest.MonkeyPatch, split: str
):
    from tools.training import loop

    original = loop.Trainer._pooled  # pyright: ignore[reportPrivateUsage]

    def broken(self: loop.Trainer, examples: Any, chosen: list[int]) -> Any:
        pooled = original(self, examples, chosen)
        late = self.state.step == 3 if split == "train_set" else self.state.epoch == 1
        wrong = examples is getattr(self, split) and late and self.state.step > 0
        return pooled * float("nan") if wrong else pooled

    monkeypatch.setattr(loop.Trainer, "_pooled", broken)
    wanted = spec("a")
    with pytest.raises(OperationFailed, match=r"diverged.* learning rate of 0\.01") as failed:
        train(wanted, quiet)
    assert failed.value.hint == "Lower the learning rate."
    assert not Path(wanted.output).exists()


def test_the_untrained_start_is_never_kept_and_a_training_that_improved_nothing_says_so(
    spec: Make,
):
    wanted = replace(spec("a", method="full", epochs=1), learning_rate=0.5, head_learning_rate=0.5)
    measured = train(wanted, quiet)
    assert measured["best_epoch"] == 1
    curve = json.loads((Path(wanted.output).parent / "curve.json").read_text())
    assert measured["final_loss"] == curve["epochs"][1]["validation_loss"]
    assert measured["final_loss"] > measured["initial_loss"]
    [warning] = measured["warnings"]
    assert "improved nothing" in warning or "greater than before" in warning
    assert train(spec("b", epochs=5), quiet)["warnings"] == []


def test_what_a_training_improved_is_told_by_quality_first():
    from tools.training.outcome import improvement_warnings

    assert improvement_warnings((0.5, -1.0), (0.6, -0.9), (1.0, 0.9)) == []
    assert improvement_warnings((0.5, -1.0), (0.5, -0.9), (1.0, 0.9)) == []
    assert "improved nothing" in improvement_warnings((0.5, -1.0), (0.5, -1.0), (1.0, 1.0))[0]
    assert "too high" in improvement_warnings((0.2, -2.0), (0.3, -2.7), (2.0, 2.7))[0]


def test_cut_texts_are_counted_with_the_length_that_nearly_all_need():
    from tools.training.outcome import cut_warning

    assert cut_warning([5] * 90 + [200] * 10, 128) == (
        "10 of 100 texts are cut at 128 tokens (max_length); 99 % need at most 200."
    )
    assert cut_warning([5] * 199 + [200], 128).endswith("cut at 128 tokens (max_length).")
    assert cut_warning([5, 128], 128) == ""
