"""What is kept of a finished training beside its figures: the model card, and how fast it went."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.training.estimating import Speedometer
from tools.training.timing import fixed_of

if TYPE_CHECKING:
    from tools.kernel.settings import Settings
    from tools.training.types import StartTraining, TuneTraining


def write_card(
    folder: Path,
    args: StartTraining | TuneTraining,
    prepared: dict[str, Any],
    measured: dict[str, Any],
) -> None:
    """Write the model card into a classifier's folder."""
    from tools.training.card import model_card
    from tools.training.environment import code_version

    scores = {
        "accuracy": measured["validation_accuracy"],
        "f1": measured["validation_macro_f1"],
        "loss": measured["final_loss"],
    }
    card = model_card(
        name=str(args.name),
        base_model=args.base_model,
        task=prepared["spec"]["task"],
        method=args.method,
        dataset=f"{prepared['dataset']}@{prepared['dataset_version']}",
        dataset_sha256=prepared["dataset_sha256"],
        metrics=scores,
        parameters=prepared["parameters"],
        labels=prepared["spec"]["labels"],
        facts={"MLflow run": prepared["run_id"], "code version": code_version()},
        warnings=measured["warnings"],
    )
    (folder / "README.md").write_text(card, encoding="utf-8")


def learn_speed(settings: Settings, prepared: dict[str, Any], measured: dict[str, Any]) -> None:
    """Correct the speed of a kind of training by a run that nothing cut off."""
    if measured["resumed"]:
        return
    passes = measured.get("passes", measured["epochs"])  # what ran before they were told has none
    done = prepared["operations"] * passes / prepared["spec"]["epochs"]
    Speedometer(settings).learn(prepared["kind"], done, measured["compute_seconds"])


def learn_fixed(
    settings: Settings,
    base_model: str,
    prepared: dict[str, Any],
    measured: dict[str, Any],
    took: float,
) -> None:
    """Correct the fixed times of a kind of training by a run that nothing cut off.

    Args:
        settings: of the home.
        base_model: what it started from.
        prepared: holds the estimate.
        measured: the child's result.
        took: seconds of work of the whole job.
    """
    estimate = prepared["estimate"]
    # What was prepared before the second time was told has none.
    if measured["resumed"] or "around_seconds" not in estimate:
        return
    expected = estimate["startup_seconds"], estimate["around_seconds"]
    seen = measured["seconds"] - measured["compute_seconds"], took - measured["seconds"]
    Speedometer(settings).learn_fixed(fixed_of(prepared["kind"], base_model), expected, seen)
