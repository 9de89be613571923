"""Variants in MLflow: one run each, with figures and files, under the run of their parent."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel.mlflow_store import artifact_folder, client, experiment
from tools.training.environment import code_version, environment
from tools.training.optimizing.recording import HELD_OUT
from tools.training.optimizing.versions import ParentVersion

if TYPE_CHECKING:
    from tools.kernel.settings import Settings

FOLDER = "variant"


def store(
    settings: Settings,
    tenant: str,
    job: int,
    parent: ParentVersion,
    variant: str,
    folder: Path,
    metrics: dict[str, float],
    settings_used: Mapping[str, Any],
    held_out: Mapping[str, Any],
) -> tuple[str, Path]:
    """Keep a variant's files and figures in a run of its own; may be repeated after a crash.

    Args:
        settings: the platform's settings.
        tenant: whose it is.
        job: the job that made it.
        parent: what it was made of.
        variant: its target's name.
        folder: its files.
        metrics: what was measured.
        settings_used: with what it was made, by name.
        held_out: the rows that it was measured on, with what it said of them.

    Returns:
        The run's id and the folder where the files lie now.
    """
    from mlflow.entities import Param

    title = parent.model if tenant == "default" else f"{tenant}.{parent.model}"
    where, mlflow = experiment(settings, title), client(settings)
    query = f"tags.`pilothouse.job` = '{job}' and tags.`pilothouse.variant` = '{variant}'"
    found = mlflow.search_runs([where], filter_string=query, max_results=1)
    tags = {
        "pilothouse.job": str(job),
        "pilothouse.tenant": tenant,
        "pilothouse.model": parent.model,
        "pilothouse.dataset": parent.dataset,
        "pilothouse.variant": variant,
        "pilothouse.parent": str(parent),
        "pilothouse.version": code_version(),
        "mlflow.parentRunId": parent.run_id,
    }
    name = f"{parent.model} {variant}"
    run = found[0] if found else mlflow.create_run(where, run_name=name, tags=tags)
    run_id: str = run.info.run_id
    for key, value in metrics.items():
        mlflow.log_metric(run_id, key, value, timestamp=run.info.start_time, step=0)
    mlflow.log_batch(run_id, params=[Param(k, str(v)) for k, v in settings_used.items()])
    mlflow.log_dict(run_id, environment(), "environment.json")
    mlflow.log_dict(run_id, dict(held_out), HELD_OUT)
    mlflow.log_artifacts(run_id, str(folder), FOLDER)
    mlflow.set_terminated(run_id, status="FINISHED")
    return run_id, artifact_folder(settings, run_id) / FOLDER
