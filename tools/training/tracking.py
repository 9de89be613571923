"""What trainings write into MLflow, and what is read back from it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import Conflict, NotFound
from tools.kernel.mlflow_store import artifact_folder, client, experiment
from tools.kernel.operations import Evidence
from tools.training.environment import code_commit, code_version, environment
from tools.training.export import folder_sha256

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Run

    from tools.datasets.service import Dataset
    from tools.kernel.settings import Settings

CLASSIFIER = "classifier"
_SOURCE = "mlflow tracking"
_CHUNK = 900
_BY_EPOCH = (
    *("validation_loss", "validation_accuracy", "validation_macro_f1", "validation_micro_f1"),
)


class TrainingRuns:
    """The trainings' MLflow runs: one experiment a model name, one run a job.

    Args:
        settings: where MLflow's database and artifacts are.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def _client(self) -> MlflowClient:
        return client(self._settings)

    def start(
        self,
        job: int,
        tenant: str,
        name: str,
        dataset: Dataset,
        tags: Mapping[str, str],
        parameters: Mapping[str, Any],
    ) -> str:
        """Open the run of a job, or find the one it opened before a crash; returns its id."""
        from mlflow.entities import Dataset as MlflowDataset
        from mlflow.entities import DatasetInput, InputTag, Param

        title = name if tenant == "default" else f"{tenant}.{name}"
        where = experiment(self._settings, title)
        query = f"tags.`pilothouse.job` = '{job}' and tags.`pilothouse.tenant` = '{tenant}'"
        found = self._client.search_runs([where], filter_string=query, max_results=1)
        if found:
            return found[0].info.run_id
        known = {"job": str(job), "tenant": tenant, "model": name, "dataset": str(dataset)}
        every = {**known, "dataset_sha256": dataset.sha256, "version": code_version(), **tags}
        run = self._client.create_run(
            where, run_name=name, tags={f"pilothouse.{k}": v for k, v in every.items()}
        )
        run_id: str = run.info.run_id
        if commit := code_commit():
            self._client.set_tag(run_id, "mlflow.source.git.commit", commit)
        self._client.log_dict(run_id, environment(), "environment.json")
        self._client.log_batch(
            run_id, params=[Param(k, str(v)[:6000]) for k, v in parameters.items()]
        )
        source = json.dumps({"path": dataset.source})
        used = MlflowDataset(dataset.name, dataset.sha256[:32], "local", source)
        context = [InputTag("mlflow.data.context", "training")]
        self._client.log_inputs(run_id, datasets=[DatasetInput(used, context)])
        return run_id

    def describe(self, run_id: str, settings: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Add the settings that a tuning chose, and tags, to a run; may be repeated."""
        from mlflow.entities import Param

        parameters = [Param(k, str(v)) for k, v in settings.items()]
        self._client.log_batch(run_id, params=parameters)
        for name, value in tags.items():
            self._client.set_tag(run_id, f"pilothouse.{name}", value)

    @contextmanager
    def ending_badly(self, run_id: str) -> Iterator[None]:
        """Mark the run KILLED or FAILED if the work inside raises."""
        from tools.kernel.errors import Cancelled

        try:
            yield
        except Cancelled:
            self._client.set_terminated(run_id, status="KILLED")
            raise
        except Exception:
            self._client.set_terminated(run_id, status="FAILED")
            raise

    def finish(
        self, run_id: str, folder: Path, measured: Mapping[str, Any], made: str = CLASSIFIER
    ) -> tuple[str, str]:
        """Store curve, metrics and artifacts and end the run; may be repeated after a crash.

        Args:
            run_id: the run.
            folder: holds the model's folder, `curve.json` and `curve.png`.
            measured: the child's result.
            made: the name of the model's folder.

        Returns:
            The stored model's folder and its SHA-256.
        """
        store = self._client
        began = store.get_run(run_id).info.start_time
        metrics = list(_metrics(json.loads((folder / "curve.json").read_text()), measured, began))
        for start in range(0, len(metrics), _CHUNK):
            store.log_batch(run_id, metrics=metrics[start : start + _CHUNK])
        store.log_artifacts(run_id, str(folder / made), made)
        for name in ("curve.json", "curve.png", "trials.json", "tuning.png"):
            if (folder / name).is_file():
                store.log_artifact(run_id, str(folder / name))
        stored = artifact_folder(self._settings, run_id) / made
        sha256 = folder_sha256(stored)
        store.set_tag(run_id, "pilothouse.artifact", made)
        store.set_tag(run_id, "pilothouse.artifact_sha256", sha256)
        store.set_terminated(run_id, status="FINISHED")
        return str(stored), sha256

    def add_times(self, run_id: str, times: Mapping[str, float | None]) -> None:
        """Add what the job took, what had been expected, and the error; may be repeated."""
        from mlflow.entities import Metric

        began = self._client.get_run(run_id).info.start_time
        known = {name: value for name, value in times.items() if value is not None}
        metrics = [Metric(name, float(value), began, 0) for name, value in known.items()]
        self._client.log_batch(run_id, metrics=metrics)

    def run(self, run_id: str, tenant: str) -> Run:
        """A tenant's run.

        Raises:
            NotFound: if there is none of that id.
        """
        from mlflow.exceptions import MlflowException

        try:
            run = self._client.get_run(run_id)
        except MlflowException:
            run = None
        if run is None or run.data.tags.get("pilothouse.tenant") != tenant:
            raise NotFound(f"There is no training run {run_id}.")
        return run

    def evidence(self, run_id: str, tenant: str) -> list[Evidence]:
        """What MLflow and the disk say of a finished run."""
        run = self.run(run_id, tenant)
        history = self._client.get_metric_history(run_id, "validation_loss")
        losses = [m.value for m in sorted(history, key=lambda m: m.step)]
        made = run.data.tags.get("pilothouse.artifact", CLASSIFIER)
        folder = artifact_folder(self._settings, run_id) / made
        facts: list[tuple[str, Any]] = [
            ("status of the run", run.info.status),
            ("validation loss before training", round(losses[0], 6) if losses else None),
            ("validation loss of the kept weights", run.data.metrics.get("final_loss")),
            ("validation accuracy", run.data.metrics.get("best_validation_accuracy")),
            ("SHA-256 of the artifact", folder_sha256(folder) if folder.is_dir() else None),
        ]
        return [Evidence(fact=fact, value=value, source=_SOURCE) for fact, value in facts]

    def check_deletable(self, run_id: str, tenant: str) -> Run:
        """The run, if no registered version comes from it.

        Raises:
            Conflict: if one does; says which.
        """
        run = self.run(run_id, tenant)
        used = self._client.search_model_versions(f"run_id = '{run_id}'")
        if used:
            names = ", ".join(f"{v.name} v{v.version}" for v in used)
            raise Conflict(f"{names} comes from this run.", hint="Undo its registration first.")
        return run

    def set_deleted(self, run_id: str, deleted: bool) -> None:
        """Mark a run as deleted or bring it back; its files stay either way."""
        if (self._client.get_run(run_id).info.lifecycle_stage == "deleted") == deleted:
            return
        if deleted:
            self._client.delete_run(run_id)
        else:
            self._client.restore_run(run_id)

    def stage_evidence(self, run_id: str, tenant: str) -> list[Evidence]:
        """Whether a run counts as deleted."""
        stage = self.run(run_id, tenant).info.lifecycle_stage
        return [Evidence(fact=f"stage of run {run_id}", value=stage, source=_SOURCE)]


def _metrics(curve: dict[str, Any], measured: Mapping[str, Any], began: int) -> Iterator[Metric]:
    from mlflow.entities import Metric

    # Times follow from the step, so that storing the same curve twice changes nothing.
    for step, loss, rate in curve["steps"]:
        yield Metric("training_loss", loss, began + step, step)
        yield Metric("learning_rate", rate, began + step, step)
    for score in curve["epochs"]:
        epoch = score["epoch"]
        for name in _BY_EPOCH:
            if name in score:
                yield Metric(name, score[name], began + epoch, epoch)
    finals = {
        "initial_loss": measured["initial_loss"],
        "final_loss": measured["final_loss"],
        "best_validation_accuracy": measured["validation_accuracy"],
        "best_validation_macro_f1": measured["validation_macro_f1"],
        "best_validation_micro_f1": measured.get("validation_micro_f1", 0.0),
        "best_epoch": measured["best_epoch"],
        "compute_seconds": measured["compute_seconds"],
        "trained_parameters": measured["trained_parameters"],
        **measured.get("metrics", {}),
    }
    for name in ("peak_memory_mb", "memory_error"):
        if measured.get(name) is not None:
            finals[name] = measured[name]
    for name, value in finals.items():
        yield Metric(name, float(value), began, 0)
