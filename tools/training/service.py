"""Trainings: checked before they start, run in a durable job, recorded in MLflow."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from tools.kernel.operations import Call, Evidence, Preview
from tools.training import base_models
from tools.training.ending import limited
from tools.training.estimating import error_of
from tools.training.fitting import refuse_unfit
from tools.training.particular import placed, without_given
from tools.training.pausing import compute
from tools.training.period import narrowed, rows_of
from tools.training.preparing import model_slug
from tools.training.recording import learn_fixed, learn_speed, write_card
from tools.training.run_types import RunState
from tools.training.space import parse as parse_space
from tools.training.tasks import by_name, check_method, check_tuning, task_of
from tools.training.telling import foreseen
from tools.training.timing import at_once, compared, expected_seconds
from tools.training.types import (
    StartTraining,
    TrainingEstimate,
    TrainingResult,
    TuneTraining,
    TuningResult,
)

if TYPE_CHECKING:
    from tools.datasets.columns import Row
    from tools.datasets.service import Dataset, DatasetService
    from tools.kernel.jobs import JobContext
    from tools.kernel.kernel import Kernel
    from tools.training.tracking import TrainingRuns

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
            InvalidInput: if what is to be varied or weighed does not fit.
        """
        dataset = self._datasets.resolve(tenant, args.dataset)
        task = task_of(args.task, dataset)
        args = args.model_copy(update=placed(args, task.name))
        check_method(task, as_training(args))
        named = args.model_fields_set
        base = args.base_model if "base_model" in named else task.base_model
        values: dict[str, Any] = {
            "task": task.name,
            "base_model": base_models.canonical(base),
            "name": model_slug(args.name or f"{dataset.name} {task.suffix}"),
        }
        if isinstance(args, TuneTraining):
            varied = parse_space(args.space or without_given(task.default_space(args.method), args))
            check_tuning(task, args.method, [d.name for d in varied], args.objective)
            values["space"] = ", ".join(map(str, varied))
        for name, value in task.defaults(args.method).items():
            wanted = name in type(args).model_fields
            if wanted and (name not in named or getattr(args, name) is None):
                values[name] = value
        return args.model_copy(update=values)

    def check(self, args: StartTraining | TuneTraining, tenant: str) -> tuple[Dataset, list[str]]:
        """The dataset, if the training can be done; and warnings.

        Raises:
            InvalidInput, Unavailable: if base model, dataset and settings do not fit.
        """
        dataset = self._datasets.resolve(tenant, args.dataset)
        task, training = task_of(args.task, dataset), as_training(args)
        check_method(task, training)
        return dataset, task.check(training, dataset)

    def preview(self, args: StartTraining, tenant: str) -> Preview:
        """What a training would do and take; changes nothing."""
        expected = self.estimate(args, tenant)
        refuse_unfit(expected)
        return Preview(
            summary=f"Train {args.name} ({args.method} on {args.base_model}) on {expected.rows} "
            f"rows of {expected.dataset} v{expected.dataset_version} for {expected.epochs} epochs. "
            f"{foreseen(args, by_name(str(args.task)).own(args.method), expected)}",
            seconds=expected.seconds,
            cost=expected.cost,
            warnings=expected.warnings,
        )

    def preview_tuning(self, args: TuneTraining, tenant: str) -> Preview:
        """What a tuning would do and take at most; changes nothing."""
        training, task = as_training(args), by_name(str(args.task))
        one = self.estimate(training, tenant)
        refuse_unfit(one)
        varied = [d.name for d in parse_space(str(args.space))]
        usual = {"learning_rate": task.defaults(args.method)["learning_rate"]}
        each = training.model_copy(update=usual)
        limit = (args.timeout_minutes or float("inf")) * 60 + one.seconds
        beside = at_once(args, self.settings)
        whole = expected_seconds(one.model_dump(), [one.epochs] * args.trials, beside)
        seconds = round(min(whole, limit), 1)
        return Preview(
            summary=f"Try {args.trials} settings for {args.name} ({args.method} on "
            f"{args.base_model}) on {one.dataset} v{one.dataset_version} and keep the best: "
            f"{args.space}. One trial takes about {one.seconds:.0f} s. "
            f"{foreseen(each, task.own(args.method), one, varied)}",
            seconds=seconds,
            cost=round(seconds / 3600 * self.settings.hourly_rate, 6),
            warnings=one.warnings,
        )

    def estimate(self, args: StartTraining, tenant: str) -> TrainingEstimate:
        """Time, memory and cost of a training, as far as its limit of time lets it go."""
        return limited(self._whole(args, tenant), args.max_minutes)

    def _whole(self, args: StartTraining, tenant: str) -> TrainingEstimate:
        """Time, memory and cost of all epochs."""
        dataset, warnings = self.check(args, tenant)
        rows, _, doubt = self._rows(args, dataset, tenant)
        counted = dataset if args.period is None else narrowed(dataset, rows)
        found = task_of(args.task, dataset).estimate(args, counted, rows, self.settings)
        told = [*found.warnings, *warnings, *filter(None, (doubt, found.cut))]
        return found.model_copy(update={"warnings": told})

    def _rows(
        self, args: StartTraining | TuneTraining, dataset: Dataset, tenant: str
    ) -> tuple[list[Row], str, str]:
        """The rows to learn from; which those are and what to know about it, if that was asked.

        Raises:
            InvalidInput: if too few rows are of the period asked for.
        """
        rows = self._datasets.rows(tenant, str(dataset))
        if args.period is None:
            return rows, "", ""
        what = f"{dataset.name} v{dataset.version}"
        chosen = rows_of(rows, args.period, what, datetime.now(UTC))
        return chosen.rows, chosen.told, chosen.warning

    # The job

    def run(self, args: StartTraining, call: Call) -> TrainingResult:
        """Train as a durable job: prepare, compute in a child, record."""
        job, tenant = call.running, call.tenant
        prepared = job.step("prepare", self.prepare, args, tenant, job)
        measured = job.step("train", self._train, prepared, tenant, job)
        result = job.step("record", self._record, args, prepared, measured, job)
        job.step("tidy", tidy, job.workdir)
        return TrainingResult.model_validate(result)

    def prepare(
        self, args: StartTraining | TuneTraining, tenant: str, job: JobContext
    ) -> dict[str, Any]:
        """Write the training's data, open its MLflow run; may be repeated after a crash."""
        job.progress(0.0, "preparing the data")
        dataset, _ = self.check(args, tenant)
        rows, told, _ = self._rows(args, dataset, tenant)
        task = task_of(args.task, dataset)
        training = as_training(args)
        made = task.prepare(training, dataset, rows, job.workdir, self.settings)
        run_id = self.runs.start(
            job.id,
            tenant,
            str(args.name),
            dataset,
            {"base_model": args.base_model, "method": args.method, "task": task.name},
            ({} if isinstance(args, TuneTraining) else made.parameters)
            | ({"rows": told} if told else {}),
        )
        self._datasets.record_use(dataset, tenant, f"training job {job.id}")
        return {
            "task": task.name,
            "spec": made.spec,
            "parameters": made.parameters | ({"rows": told} if told else {}),
            "estimate": self._whole(training, tenant).model_dump(mode="json"),
            "kind": made.kind,
            "operations": made.operations,
            "run_id": run_id,
            "dataset": dataset.name,
            "dataset_version": dataset.version,
            "dataset_sha256": dataset.sha256,
        }

    def _train(self, prepared: dict[str, Any], tenant: str, job: JobContext) -> dict[str, Any]:
        with self.undone_if_failing(prepared["run_id"], tenant, job.id):
            return compute(job, by_name(prepared["task"]).child, prepared["spec"], keep=True)

    @contextmanager
    def undone_if_failing(self, run_id: str, tenant: str, job: int) -> Iterator[None]:
        """Mark the run as failed, and the dataset as not used, if the work inside raises."""
        try:
            with self.runs.ending_badly(run_id):
                yield
        except Exception:
            self._datasets.forget_use(tenant, f"training job {job}")
            raise

    def _record(
        self,
        args: StartTraining,
        prepared: dict[str, Any],
        measured: dict[str, Any],
        job: JobContext,
    ) -> dict[str, Any]:
        result = self.record(args, prepared, measured, job)
        estimate, took = prepared["estimate"], job.spent()
        passes = measured.get("passes", measured["epochs"])
        times = compared(expected_seconds(estimate, [passes]), took)
        self.runs.add_times(prepared["run_id"], times)
        learn_fixed(self.settings, args.base_model, prepared, measured, took)
        return {**result, **times}

    def record(
        self,
        args: StartTraining | TuneTraining,
        prepared: dict[str, Any],
        measured: dict[str, Any],
        job: JobContext,
        folder: Path | None = None,
    ) -> dict[str, Any]:
        """Store what was measured and made, but for the job's times; may be repeated."""
        job.progress(0.97, "recording the run")
        expected = prepared["estimate"]
        # What ran before these were told has neither.
        told = [*measured.get("warnings", ()), *filter(None, (expected.get("cut"),))]
        of_memory = error_of(measured["peak_memory_mb"], expected["memory_mb"])
        measured = {**measured, "memory_error": of_memory, "warnings": told}
        where, made = folder or job.workdir, Path(prepared["spec"]["output"]).name
        if prepared["task"] == "classification":
            write_card(where / made, args, prepared, measured)
        path, sha256 = self.runs.finish(prepared["run_id"], where, measured, made)
        learn_speed(self.settings, prepared, measured)
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
            task=prepared["spec"].get("task", prepared["task"]),
            parameters=prepared["parameters"],
            **{name: value for name, value in measured.items() if name in names},
        ).model_dump(mode="json")

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


def as_training(args: StartTraining | TuneTraining) -> StartTraining:
    """A training, or one trial of a tuning with the default settings."""
    if isinstance(args, StartTraining):
        return args
    own = TuneTraining.model_fields.keys() - StartTraining.model_fields.keys()
    return StartTraining(**args.model_dump(exclude=set(own)))


def tidy(folder: Path) -> None:
    """Remove what a finished training no longer needs: its artifacts are with MLflow."""
    for name in ("classifier", "language-model", "embedding", "data"):
        shutil.rmtree(folder / name, ignore_errors=True)
    (folder / "checkpoint.pt").unlink(missing_ok=True)
