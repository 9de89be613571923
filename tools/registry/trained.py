"""From a training job to what can be registered: its artifact, checked, and its lineage."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tools.kernel.errors import Conflict, InvalidInput
from tools.registry.backend import Lineage

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel
    from tools.kernel.tables import JobRow
    from tools.training.types import TrainingResult

_TRAININGS = ("training.start", "training.tune")
_METRICS = ("validation_accuracy", "validation_macro_f1", "initial_loss", "final_loss", "seconds")


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """The model of a finished training.

    Attributes:
        name: the name that the training gave it.
        folder: its files, among its run's artifacts.
        lineage: where it comes from.
        result: everything that the training answered.
    """

    name: str
    folder: Path
    lineage: Lineage
    result: TrainingResult


def trained_model(
    kernel: Kernel, job: int, tenant: str, *, trial: int | None = None, by: str | None = None
) -> TrainedModel:
    """The model of a training job.

    Args:
        kernel: the platform's kernel.
        job: the job's number.
        tenant: whose job.
        trial: the trial of a tuning that is meant; whichever was kept if None.
        by: who registers it.

    Raises:
        NotFound: there is no such job.
        InvalidInput: the job is no training.
        Conflict: it has not finished, has failed, has diverged, or its run was deleted; or the
            trial is not the one that was kept.
    """
    from tools.kernel.mlflow_store import artifact_folder

    result = _result(kernel, kernel.jobs.get(job, tenant))
    _refuse_other_trial(result, trial)
    _refuse_deleted(kernel, result)
    _refuse_diverged(result)
    folder = artifact_folder(kernel.settings, result.run_id) / Path(result.artifact_path).name
    lineage = Lineage(
        job=result.job,
        run_id=result.run_id,
        content_hash=result.artifact_sha256,
        size_bytes=sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()),
        dataset=f"{result.dataset}@{result.dataset_version}",
        dataset_hash=result.dataset_sha256,
        base_model=result.base_model,
        method=result.method,
        labels=read_labels(folder),
        metrics={**{n: float(getattr(result, n)) for n in _METRICS}, **result.metrics},
        code_version=_code_version(),
        registered_by=by,
    )
    return TrainedModel(result.model_name, folder, lineage, result)


def _refuse_other_trial(result: TrainingResult, trial: int | None) -> None:
    from tools.training.telling import trial_settings
    from tools.training.types import TuningResult

    if trial is None:
        return
    if not isinstance(result, TuningResult):
        raise InvalidInput(f"Job {result.job} is one training, and has no trials.")
    if trial != result.best_trial:
        told = trial_settings(result, trial)
        raise Conflict(
            f"Of job {result.job} the model of trial {result.best_trial}, the best, was kept; that "
            f"of trial {trial} was not.",
            hint=f"Train it again with its settings: {told}."
            if told
            else f"It has {len(result.trials)} trials.",
        )


def _refuse_diverged(result: TrainingResult) -> None:
    if not all(math.isfinite(getattr(result, name)) for name in _METRICS):
        raise Conflict(
            f"The training of job {result.job} diverged: its figures are no numbers.",
            hint="Train it again with a lower learning rate.",
        )


def check_artifact(folder: Path, expected: str, what: str) -> None:
    """Compare the content of a folder with the hash that it must have.

    Args:
        folder: the classifier's folder.
        expected: SHA-256 over its files, as the training noted it.
        what: what the folder is, for the message.

    Raises:
        Conflict: if files are missing or differ.
    """
    from tools.training.export import folder_sha256

    if not folder.is_dir() or not any(folder.iterdir()):
        raise Conflict(f"The files of {what} are gone.", hint=f"They should be in {folder}.")
    if folder_sha256(folder) != expected:
        raise Conflict(
            f"The files of {what} are not what the training wrote: their hash differs.",
            hint="Train it again; nothing was changed.",
        )


def read_labels(folder: Path) -> tuple[str, ...]:
    """The classes of a classifier's folder, in the order of its outputs; none if unreadable."""
    try:
        config = json.loads((folder / "config.json").read_text())
    except (OSError, ValueError):
        return ()
    labels: dict[str, str] = config.get("id2label", {})
    return tuple(labels[key] for key in sorted(labels, key=int))


def _newest_finished(kernel: Kernel, tenant: str) -> str:
    """The newest training that could be registered instead; empty if there is none."""
    rows = [
        row
        for operation in _TRAININGS
        for row in kernel.jobs.list(tenant, operation=operation, status="done", limit=1)
    ]
    if not rows:
        return ""
    newest = max(rows, key=lambda row: row.id)
    return f"The newest training that has finished is job {newest.id}."


def _result(kernel: Kernel, row: JobRow) -> TrainingResult:
    from tools.training.types import TrainingResult, TuningResult

    if row.operation not in _TRAININGS:
        raise InvalidInput(
            f"Job {row.id} is no training but {row.operation}.",
            hint="`pilothouse call training.list` shows the trainings.",
        )
    if row.status in ("queued", "running"):
        raise Conflict(
            f"Job {row.id} has not finished: it is {row.status} ({row.progress:.0%}).",
            hint=f"Wait until it is done. {_newest_finished(kernel, row.tenant)}".strip(),
        )
    if row.status != "done" or row.result is None:
        why = f": {row.error['message']}" if row.error and "message" in row.error else "."
        raise Conflict(
            f"Job {row.id} made no model, it {_ended(row.status)}{why}",
            hint=_newest_finished(kernel, row.tenant) or None,
        )
    shape = TuningResult if row.operation == "training.tune" else TrainingResult
    return shape.model_validate(row.result)


def _ended(status: str) -> str:
    return "was cancelled" if status == "cancelled" else "failed"


def _refuse_deleted(kernel: Kernel, result: TrainingResult) -> None:
    from tools.kernel.mlflow_store import client

    info = client(kernel.settings).get_run(result.run_id).info
    if info.lifecycle_stage == "deleted":
        raise Conflict(f"The run of job {result.job} was deleted.", hint="Undo its deletion first.")


def _code_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("pilothouse")
    except PackageNotFoundError:
        return "unknown"
