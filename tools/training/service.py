"""Trainings: checked before they start, run in a durable job, recorded in MLflow."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tools.kernel.operations import Call, Evidence, Preview
from tools.training import base_models
from tools.training.fitting import refuse_unfit
from tools.training.pausing import compute
from tools.training.preparing import (
    check_length,
    check_trainable,
    make_spec,
    model_slug,
    parameters_of,
    write_data,
)
from tools.training.space import canonical as canonical_space
from tools.training.spec import DEFAULTS, TrainingSpec
from tools.training.trials import default_space
from tools.training.types import (
    RunState,
    StartTraining,
    TrainingEstimate,
    TrainingResult,
    TuneTraining,
    TuningResult,
)

if TYPE_CHECKING:
    from tools.datasets.service import Dataset, DatasetService
    from tools.kernel.jobs import JobContext
    from tools.kernel.kernel import Kernel
    from tools.training.tracking import TrainingRuns

OPERATIONS = ("training.start", "training.tune")
CHILD = "tools.training.child"
_CANCEL_SECONDS = 15.0
What = TypeVar("What", StartTraining, TuneTraining)


class TrainingService:
    """The trainings of a home; one instance a kernel, safe to use from several threads.

    Attributes:
        settings: of the home.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.settings = kernel.settings

    @property
    def runs(self) -> TrainingRuns:
        """Their MLflow runs."""
        from tools.training.tracking import TrainingRuns

        return TrainingRuns(self.settings)

    @property
    def _datasets(self) -> DatasetService:
        from tools.datasets.service import DatasetService

        return self._kernel.get(DatasetService)

    # Before

    def normalise(self, args: What, tenant: str) -> What:
        """Fill in what follows from the other arguments: canonical names and the defaults.

        Raises:
            NotFound: if base model or dataset are not known.
        """
        dataset = self._datasets.resolve(tenant, args.dataset)
        defaults = DEFAULTS[args.method]
        values: dict[str, Any] = {
            "base_model": base_models.canonical(args.base_model),
            "name": model_slug(args.name or f"{dataset.name} classifier"),
            "epochs": args.epochs or defaults.epochs,
        }
        if isinstance(args, TuneTraining) and args.space is not None:
            values["space"] = canonical_space(args.space)
        if isinstance(args, StartTraining):
            values["learning_rate"] = args.learning_rate or defaults.learning_rate
        return args.model_copy(update=values)

    def check(self, args: StartTraining | TuneTraining, tenant: str) -> tuple[Dataset, list[str]]:
        """The dataset, if the training can be done; and warnings.

        Raises:
            InvalidInput, Unavailable: if base model, dataset and settings do not fit.
        """
        base_models.check(args.base_model)
        folder = base_models.folder(args.base_model)
        check_length(folder, args.max_length)
        dataset = self._datasets.resolve(tenant, args.dataset)
        return dataset, check_trainable(dataset)

    def preview(self, args: StartTraining, tenant: str) -> Preview:
        """What a training would do and take; changes nothing."""
        expected = self.estimate(args, tenant)
        refuse_unfit(expected)
        return Preview(
            summary=f"Train {args.name} ({args.method} on {args.base_model}) on {expected.rows} "
            f"rows of {expected.dataset} v{expected.dataset_version} for {expected.epochs} epochs.",
            seconds=expected.seconds,
            cost=expected.cost,
            warnings=expected.warnings,
        )

    def preview_tuning(self, args: TuneTraining, tenant: str) -> Preview:
        """What a tuning would do and take at most; changes nothing."""
        one = self.estimate(as_training(args), tenant)
        refuse_unfit(one)
        limit = (args.timeout_minutes or float("inf")) * 60 + one.seconds
        seconds = min(one.seconds * args.trials, limit)
        varied = args.space or default_space(args.method)
        return Preview(
            summary=f"Try {args.trials} settings for {args.name} ({args.method} on "
            f"{args.base_model}) on {one.dataset} v{one.dataset_version} and keep the best: "
            f"{varied}.",
            seconds=seconds,
            cost=round(seconds / 3600 * self.settings.hourly_rate, 6),
            warnings=one.warnings,
        )

    def estimate(self, args: StartTraining, tenant: str) -> TrainingEstimate:
        """Time, memory and cost of a training."""
        from tools.training.estimating import estimate

        dataset, warnings = self.check(args, tenant)
        folder = base_models.folder(args.base_model)
        config = json.loads((folder / "config.json").read_text())
        return estimate(args, dataset, config, self.settings, warnings)

    # The job

    def run(self, args: StartTraining, call: Call) -> TrainingResult:
        """Train as a durable job: prepare, compute in a child, record."""
        job, tenant = call.running, call.tenant
        prepared = job.step("prepare", self.prepare, args, tenant, job)
        measured = job.step("train", self._train, prepared, tenant, job)
        result = job.step("record", self.record, args, prepared, measured, job)
        job.step("tidy", tidy, job.workdir)
        return TrainingResult.model_validate(result)

    def prepare(
        self, args: StartTraining | TuneTraining, tenant: str, job: JobContext
    ) -> dict[str, Any]:
        """Write the training's data, open its MLflow run; may be repeated after a crash."""
        from tools.training.estimating import kind_of, work_of

        job.progress(0.0, "preparing the data")
        dataset, _ = self.check(args, tenant)
        labels = write_data(job.workdir / "data", self._datasets.rows(tenant, str(dataset)))
        training = as_training(args) if isinstance(args, TuneTraining) else args
        base = base_models.folder(args.base_model)
        config = json.loads((base / "config.json").read_text())
        threads, task = self.settings.threads, dataset.profile.kind
        spec = make_spec(training, base, job.workdir, labels, threads, task)
        run_id = self.runs.start(
            job.id,
            tenant,
            str(args.name),
            dataset,
            {"base_model": args.base_model, "method": args.method},
            {} if isinstance(args, TuneTraining) else parameters_of(spec),
        )
        self._datasets.record_use(dataset, tenant, f"training job {job.id}")
        return {
            "spec": asdict(spec),
            "estimate": self.estimate(training, tenant).model_dump(mode="json"),
            "kind": kind_of(training),
            "operations": work_of(training, dataset, config).operations,
            "run_id": run_id,
            "dataset": dataset.name,
            "dataset_version": dataset.version,
            "dataset_sha256": dataset.sha256,
        }

    def _train(self, prepared: dict[str, Any], tenant: str, job: JobContext) -> dict[str, Any]:
        with self.undone_if_failing(prepared["run_id"], tenant, job.id):
            return compute(job, CHILD, prepared["spec"])

    @contextmanager
    def undone_if_failing(self, run_id: str, tenant: str, job: int) -> Iterator[None]:
        """Mark the run as failed, and the dataset as not used, if the work inside raises."""
        try:
            with self.runs.ending_badly(run_id):
                yield
        except Exception:
            self._datasets.forget_use(tenant, f"training job {job}")
            raise

    def record(
        self,
        args: StartTraining | TuneTraining,
        prepared: dict[str, Any],
        measured: dict[str, Any],
        job: JobContext,
        folder: Path | None = None,
    ) -> dict[str, Any]:
        """Store what was measured and made; may be repeated after a crash."""
        job.progress(0.97, "recording the run")
        spec = TrainingSpec.from_dict(prepared["spec"])
        measured = {**measured, **estimate_errors(prepared["estimate"], measured)}
        where = folder or job.workdir
        self._write_card(where / "classifier", args, spec, prepared, measured)
        path, sha256 = self.runs.finish(prepared["run_id"], where, measured)
        self._learn_speed(prepared, measured)
        names = TrainingResult.model_fields
        return TrainingResult(
            job=job.id,
            run_id=prepared["run_id"],
            model_name=str(args.name),
            base_model=args.base_model,
            method=args.method,
            dataset=prepared["dataset"],
            dataset_version=prepared["dataset_version"],
            dataset_sha256=prepared["dataset_sha256"],
            artifact_path=path,
            artifact_sha256=sha256,
            task=spec.task,
            parameters=parameters_of(spec),
            **{name: value for name, value in measured.items() if name in names},
        ).model_dump(mode="json")

    def _write_card(
        self,
        folder: Path,
        args: StartTraining | TuneTraining,
        spec: TrainingSpec,
        prepared: dict[str, Any],
        measured: dict[str, Any],
    ) -> None:
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
            task=spec.task,
            method=spec.method,
            dataset=f"{prepared['dataset']}@{prepared['dataset_version']}",
            dataset_sha256=prepared["dataset_sha256"],
            metrics=scores,
            parameters=parameters_of(spec),
            labels=spec.labels,
            facts={"MLflow run": prepared["run_id"], "code version": code_version()},
        )
        (folder / "README.md").write_text(card, encoding="utf-8")

    def _learn_speed(self, prepared: dict[str, Any], measured: dict[str, Any]) -> None:
        from tools.training.estimating import Speedometer

        share = measured["epochs"] / prepared["spec"]["epochs"]
        if not measured["resumed"]:
            done = prepared["operations"] * share
            speed = Speedometer(self.settings)
            speed.learn(prepared["kind"], done, measured["compute_seconds"])

    def run_tuning(self, args: TuneTraining, call: Call) -> TuningResult:
        """Search for good settings as a durable job; see `tools.training.tuning`."""
        from tools.training.tuning import tune

        return tune(self, args, call)

    # After

    def evidence(self, run_id: str, tenant: str) -> list[Evidence]:
        """What MLflow and the disk say of a run."""
        return self.runs.evidence(run_id, tenant)

    def check_deletable(self, run_id: str, tenant: str) -> str:
        """The model name of a run that nothing stands against deleting."""
        return self.runs.check_deletable(run_id, tenant).data.tags["pilothouse.model"]

    def delete_run(self, run_id: str, tenant: str) -> RunState:
        """Mark a run as deleted; its dataset is no longer held by it."""
        run = self.runs.check_deletable(run_id, tenant)
        self.runs.set_deleted(run_id, True)
        self._datasets.forget_use(tenant, f"training job {run.data.tags['pilothouse.job']}")
        return self._run_state(run_id, tenant)

    def restore_run(self, run_id: str, tenant: str) -> RunState:
        """Bring a deleted run back.

        Raises:
            NotFound: if its dataset has been removed since.
        """
        tags = self.runs.run(run_id, tenant).data.tags
        dataset = self._datasets.resolve(tenant, tags["pilothouse.dataset"])
        self.runs.set_deleted(run_id, False)
        self._datasets.record_use(dataset, tenant, f"training job {tags['pilothouse.job']}")
        return self._run_state(run_id, tenant)

    def stage_evidence(self, run_id: str, tenant: str) -> list[Evidence]:
        """Whether a run counts as deleted."""
        return self.runs.stage_evidence(run_id, tenant)

    def _run_state(self, run_id: str, tenant: str) -> RunState:
        run = self.runs.run(run_id, tenant)
        name = run.data.tags["pilothouse.model"]
        return RunState(run_id=run_id, model_name=name, stage=run.info.lifecycle_stage)


def estimate_errors(estimate: dict[str, Any], measured: dict[str, Any]) -> dict[str, float | None]:
    """How far the estimate was from what a training took; a part of the epochs counts as such."""
    from tools.training.estimating import STARTUP_SECONDS, error_of

    share = measured["epochs"] / max(1, estimate["epochs"])
    expected = STARTUP_SECONDS + share * (estimate["seconds"] - STARTUP_SECONDS)
    return {
        "estimated_seconds": round(expected, 2),
        "estimate_error": error_of(measured["seconds"], expected),
        "memory_error": error_of(measured["peak_memory_mb"], estimate["memory_mb"]),
    }


def as_training(args: TuneTraining) -> StartTraining:
    """One trial of a tuning with the default settings."""
    own = TuneTraining.model_fields.keys() - StartTraining.model_fields.keys()
    return StartTraining(**args.model_dump(exclude=set(own)))


def tidy(folder: Path) -> None:
    """Remove what a finished training no longer needs: its artifacts are with MLflow."""
    for name in ("classifier", "data"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "checkpoint.pt").unlink(missing_ok=True)
