"""Evaluation: which rows, which models, what was measured, and whether a difference is real."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.evaluation.fitting import check_fit
from tools.evaluation.pairs import held_out_pairs
from tools.evaluation.power import difference_seen, rows_needed
from tools.evaluation.rows import HeldOut, held_out
from tools.evaluation.store import LOGGED, ResultStore, metric_key
from tools.evaluation.subjects import (
    Subject,
    subject_of_job,
    subject_of_version,
    version_of_job,
    worker_of,
)
from tools.evaluation.types import (
    CompareModels,
    ComparisonResult,
    EvaluationResult,
    EvaluationResults,
    RunEvaluation,
)
from tools.evaluation.verdict import compared
from tools.kernel import stillness
from tools.kernel.errors import InvalidInput, NotFound
from tools.kernel.operations import Evidence, Preview

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel
    from tools.kernel.operations import Call
    from tools.registry.service import RegistryService

TABLE = "evaluation results"
_START_SECONDS = 12.0
_ROW_SECONDS = 0.05
_DISCORDANT = 0.1
"""Share of rows that only one of two models gets right, as it is before anything was measured."""
_WANTED = 0.02


class EvaluationService:
    """Measures models in child processes and keeps what was measured; safe from several threads.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self.store = ResultStore(kernel)

    def normalise_run(self, args: RunEvaluation, tenant: str) -> RunEvaluation:
        """Pin the version and the dataset's version, so that a later change changes nothing."""
        if args.model is not None and args.job is not None:
            version = version_of_job(self._kernel, args.model, args.job, tenant)
            args = args.model_copy(update={"version": version, "job": None})
        subject = self._subject(args, tenant)
        version = None if args.model is None else subject.version
        dataset = self._pinned(args.dataset or subject.dataset, tenant)
        return args.model_copy(update={"version": version, "dataset": dataset})

    def preview_run(self, args: RunEvaluation, tenant: str) -> Preview:
        """Which model would be measured on how many rows; refuses what cannot be measured."""
        subject, rows = self.prepared(args, tenant)
        return Preview(
            summary=f"Measure {subject} on {len(rows.rows)} {args.split} rows of {args.dataset}.",
            seconds=_START_SECONDS + _ROW_SECONDS * len(rows.rows),
            warnings=rows.warnings,
        )

    def run(self, args: RunEvaluation, call: Call) -> EvaluationResult:
        """Measure in a child process, store the result and log it to the model's run."""
        job = call.running
        measured = job.step("measure", self._measure, args, call)
        stored = job.step("store", self._store, measured, job.id, call.tenant)
        return EvaluationResult.model_validate(stored)

    def prepared(self, args: RunEvaluation, tenant: str) -> tuple[Subject, HeldOut]:
        """A model whose files are whole, and the rows on which it can be measured.

        Raises:
            Conflict: if its files are not what was trained, the rows were trained on, or say
                nothing of such a model.
        """
        subject = self._subject(args, tenant)
        subject.check()
        return subject, self.held_out(args.dataset, args.split, [subject], tenant, args.period)

    def _measure(self, args: RunEvaluation, call: Call) -> dict[str, Any]:
        subject, rows = self.prepared(args, call.tenant)
        folder = call.running.workdir
        rows.write(folder / "rows.jsonl")
        kept = self._kernel.settings.folder("evaluations")
        files = {
            "plot": str(kept / f"{call.running.id}.png"),
            "reliability_plot": str(kept / f"{call.running.id}-reliability.png"),
            "predictions": str(kept / f"{call.running.id}.jsonl"),
        }
        if subject.embeds:
            del files["reliability_plot"]
        measured = call.running.child(
            worker_of(subject),
            {
                "task": "measure",
                "folder": str(subject.folder),
                "rows": str(folder / "rows.jsonl"),
                **files,
                "hourly_rate": self._kernel.settings.hourly_rate,
                "title": f"{subject} on {args.dataset}, {args.split}",
                "base_model": subject.base_model,
                "parameters": subject.parameters,
            },
        )
        disturbed = [str(subject)] if measured.pop("alone", None) is False else []
        told = [*rows.warnings, *stillness.told(disturbed)]
        return {**_described(subject, args, rows), **measured, **files, "warnings": told}

    def _store(self, measured: dict[str, Any], job: int, tenant: str) -> dict[str, Any]:
        result = EvaluationResult.model_validate(measured)
        return self.store.add_result(job, tenant, result).model_dump(mode="json")

    def normalise_compare(self, args: CompareModels, tenant: str) -> CompareModels:
        """Fill in the other version (the champion, or the other model's newest) and the dataset."""
        other = args.other_model or args.model
        version = args.other_version or self._opponent(args, other, tenant)
        if (other, version) == (args.model, args.version):
            raise InvalidInput(
                f"{args.model} v{args.version} cannot be compared with itself.",
                hint="Name another version or another model.",
            )
        subject = subject_of_version(self._kernel, args.model, args.version, tenant)
        return args.model_copy(
            update={
                "other_model": other,
                "other_version": version,
                "dataset": self._pinned(args.dataset or subject.dataset, tenant),
            }
        )

    def _opponent(self, args: CompareModels, other: str, tenant: str) -> int:
        if other != args.model:
            return self._registry.latest(other, tenant).version
        champion = self._registry.backend.alias(tenant, args.model, "champion")
        if champion is None or champion == args.version:
            why = "it is the champion itself" if champion else f"{args.model} has no champion"
            raise NotFound(
                f"There is nothing to compare {args.model} v{args.version} with: {why}.",
                hint="Name the other version.",
            )
        return champion

    def preview_compare(self, args: CompareModels, tenant: str) -> Preview:
        """Which two would be compared on how many rows; refuses what cannot be compared."""
        subjects = self._pair(args, tenant)
        for subject in subjects:
            subject.check()
        rows = self.held_out(args.dataset, "test", subjects, tenant, args.period)
        seen = difference_seen(len(rows.rows), _DISCORDANT)
        needed = rows_needed(_WANTED, _DISCORDANT)
        return Preview(
            summary=f"Compare {subjects[0]} with {subjects[1]} on {len(rows.rows)} test rows of "
            f"{args.dataset}; where they differ on one row in ten, these show a difference of "
            f"{seen * 100:.1f} points, and {needed} rows would show one of {_WANTED * 100:g}.",
            seconds=_START_SECONDS + 2 * _ROW_SECONDS * len(rows.rows),
            warnings=rows.warnings,
        )

    def compare(self, args: CompareModels, call: Call) -> ComparisonResult:
        """Predict the same rows with both and test the difference."""
        job = call.running
        measured = job.step("compare", self._compare, args, call)
        stored = job.step("store", self._store_comparison, measured, job.id, call.tenant)
        return ComparisonResult.model_validate(stored)

    def _compare(self, args: CompareModels, call: Call) -> dict[str, Any]:
        subjects = self._pair(args, call.tenant)
        for subject in subjects:
            subject.check()
        rows = self.held_out(args.dataset, "test", subjects, call.tenant, args.period)
        path = call.running.workdir / "rows.jsonl"
        rows.write(path)
        folders = [str(s.folder) for s in subjects]
        counts = call.running.child(
            worker_of(subjects[0]), {"task": "compare", "folders": folders, "rows": str(path)}
        )
        ranks = counts.pop("ranks", None)
        found = compared(*subjects, str(args.dataset), "test", rows, counts, ranks)
        return found.model_dump(mode="json")

    def _store_comparison(self, measured: dict[str, Any], job: int, tenant: str) -> dict[str, Any]:
        result = ComparisonResult.model_validate(measured)
        return self.store.add_comparison(job, tenant, result).model_dump(mode="json")

    def results(self, model: str, version: int | None, tenant: str) -> EvaluationResults:
        """What was measured of a model, or of one version of it, newest first."""
        versions = {v.job: v.version for v in self._registry.backend.versions(tenant, model)}
        found = self.store.results(tenant, model, versions)
        comparisons = self.store.comparisons(tenant, model)
        return EvaluationResults(
            model=model,
            results=[r for r in found if version in (None, r.version)],
            comparisons=[
                c for c in comparisons if version is None or _took_part(c, model, version)
            ],
        )

    def result_evidence(self, number: int, tenant: str) -> list[Evidence]:
        """The stored result, and the metric of the run that it was logged to."""
        result = self.store.result(number, tenant)
        metric = metric_key(result, LOGGED[0])
        what = f"evaluation {number}"
        return [
            Evidence(fact=f"accuracy of {what}", value=result.accuracy, source=TABLE),
            Evidence(fact=f"rows of {what}", value=result.rows, source=TABLE),
            Evidence(
                fact=f"metric {metric}",
                value=self.store.logged(result, LOGGED[0]),
                source=f"mlflow run {result.run_id}",
            ),
        ]

    def comparison_evidence(self, number: int, tenant: str) -> list[Evidence]:
        """The stored comparison."""
        found = self.store.comparison(number, tenant)
        what = f"comparison {number}"
        return [
            Evidence(fact=f"difference of {what}", value=found.difference, source=TABLE),
            Evidence(fact=f"p-value of {what}", value=found.p_value, source=TABLE),
        ]

    @property
    def _registry(self) -> RegistryService:
        from tools.registry.service import RegistryService

        return self._kernel.get(RegistryService)

    def _subject(self, args: RunEvaluation, tenant: str) -> Subject:
        if args.job is not None:
            return subject_of_job(self._kernel, args.job, tenant)
        return subject_of_version(self._kernel, str(args.model), args.version, tenant)

    def _pair(self, args: CompareModels, tenant: str) -> tuple[Subject, Subject]:
        return (
            subject_of_version(self._kernel, args.model, args.version, tenant),
            subject_of_version(self._kernel, str(args.other_model), args.other_version, tenant),
        )

    def _pinned(self, dataset: str, tenant: str) -> str:
        from tools.datasets.service import DatasetService

        return str(self._kernel.get(DatasetService).resolve(tenant, dataset))

    def held_out(
        self,
        dataset: str | None,
        split: str,
        subjects: list[Subject] | tuple[Subject, ...],
        tenant: str,
        period: str | None = None,
    ) -> HeldOut:
        """The rows of a split on which all subjects can be measured.

        See `rows.held_out`, and of embeddings `pairs.held_out_pairs`.
        """
        from tools.datasets.service import DatasetService

        datasets = self._kernel.get(DatasetService)
        check_fit(datasets, tenant, str(dataset), subjects)
        chosen = held_out_pairs if subjects[0].embeds else held_out
        return chosen(datasets, tenant, str(dataset), split, subjects, period)


def _described(subject: Subject, args: RunEvaluation, rows: HeldOut) -> dict[str, Any]:
    return {
        "model": subject.model,
        "version": subject.version,
        "job": subject.job,
        "run_id": subject.run_id,
        "dataset": args.dataset,
        "split": args.split,
        "period": args.period,
        "baseline_majority": rows.majority_accuracy(),
        "overlap": rows.overlap,
        "skipped": rows.skipped,
        "nearly_seen": rows.nearly_seen,
        "warnings": rows.warnings,
    }


def _took_part(comparison: ComparisonResult, model: str, version: int) -> bool:
    sides = (
        (comparison.model, comparison.version),
        (comparison.other_model, comparison.other_version),
    )
    return (model, version) in sides
