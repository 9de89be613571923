"""Finished trainings without training: run, artifact and job, as the platform has them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import update

from tools.kernel.kernel import Kernel
from tools.kernel.tables import JobRow
from tools.training.types import TrainingResult

LABELS = ("billing", "login", "shipping")


def add_training(
    kernel: Kernel,
    *,
    name: str = "ticket-router",
    status: str = "done",
    tenant: str = "default",
    files: Path | None = None,
    **fields: Any,
) -> int:
    """A training job and its MLflow run; answers with the job's number.

    Args:
        kernel: the home's kernel.
        name: the model's name.
        status: the job's status; only `done` leaves an artifact.
        tenant: whose job.
        files: a classifier's folder to copy; a few bytes in its shape when not given.
        fields: fields of the `TrainingResult` that matter to the test.
    """
    row = JobRow(
        tenant=tenant,
        operation="training.start",
        arguments={},
        context={},
        status="running",
        progress=1.0 if status == "done" else 0.4,
        metrics={},
    )
    with kernel.database.session() as session:
        session.add(row)
    values: dict[str, Any] = {}
    if status == "done":
        values = {"result": _result(kernel, row.id, name, files, fields).model_dump(mode="json")}
    elif status == "failed":
        values = {"error": {"code": "invalid_input", "message": "The dataset has one class."}}
    with kernel.database.session() as session:
        session.execute(update(JobRow).where(JobRow.id == row.id).values(status=status, **values))
    kernel.catalogue.changed()
    return row.id


def add_tuning(kernel: Kernel) -> int:
    """A finished tuning of two trials, the second of which was kept; answers with its number."""
    job = add_training(kernel)
    tried = {"state": "complete", "epochs": 3, "seconds": 9.0}
    trials = [
        {**tried, "number": 1, "value": 0.81, "parameters": {"rank": 4}},
        {**tried, "number": 2, "value": 0.88, "parameters": {"rank": 8}},
    ]
    with kernel.database.session() as session:
        row = session.get_one(JobRow, job)
        row.operation = "training.tune"
        row.result = {**(row.result or {}), "study": "s", "best_trial": 2, "trials": trials}
    kernel.catalogue.changed()
    return job


def classifier_folder(kernel: Kernel, job: int) -> Path:
    """Where the artifact of a training lies."""
    from tools.registry.trained import trained_model

    return trained_model(kernel, job, "default").folder


def _result(
    kernel: Kernel, job: int, name: str, files: Path | None, fields: Mapping[str, Any]
) -> TrainingResult:
    from tools.kernel.mlflow_store import artifact_folder, client, experiment
    from tools.training.export import folder_sha256

    store = client(kernel.settings)
    run = store.create_run(experiment(kernel.settings, "trainings")).info.run_id
    folder = artifact_folder(kernel.settings, run) / "classifier"
    folder.mkdir(parents=True)
    if files is None:
        labels = {str(place): label for place, label in enumerate(LABELS)}
        (folder / "config.json").write_text(json.dumps({"id2label": labels}))
        (folder / "model.safetensors").write_bytes(f"weights of job {job}".encode())
    else:
        shutil.copytree(files, folder, dirs_exist_ok=True)
    store.set_terminated(run)
    known: dict[str, Any] = {
        "job": job,
        "run_id": run,
        "model_name": name,
        "base_model": "minilm",
        "method": "lora",
        "dataset": "tickets",
        "dataset_version": 1,
        "dataset_sha256": "cd" * 32,
        "epochs": 3,
        "best_epoch": 2,
        "initial_loss": 2.1,
        "final_loss": 0.4,
        "validation_accuracy": 0.88,
        "validation_macro_f1": 0.87,
        "seconds": 41.0,
        "trained_parameters": 1000,
        "total_parameters": 100_000,
        "artifact_path": str(folder),
        "artifact_sha256": folder_sha256(folder),
    }
    return TrainingResult(**{**known, **fields})
