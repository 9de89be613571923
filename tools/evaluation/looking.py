"""Looking into evaluations that were made: slices, errors, calibration; and what a change does."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.evaluation.predictions import Predicted, read_predictions
from tools.evaluation.report_types import (
    CalibrationReport,
    Confusion,
    ErrorExample,
    Errors,
    PlanSample,
    Robustness,
    SamplePlan,
    ShowErrors,
    ShowSlices,
    Slices,
    WhichEvaluation,
)
from tools.evaluation.reports import ReportStore
from tools.evaluation.service import EvaluationService
from tools.evaluation.subjects import worker_of
from tools.evaluation.types import EvaluationResult, RunEvaluation
from tools.kernel.errors import Conflict, InvalidInput, NotFound
from tools.kernel.operations import Evidence

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel
    from tools.kernel.operations import Call

MOST_CONFUSED = 5
ALIKE = 0.1
"""Share of rows on which two models differ, where nothing is known of them."""


class Looking:
    """Reads kept predictions; safe from several threads.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._evaluations = kernel.get(EvaluationService)
        self.reports = ReportStore(kernel)

    def slices(self, args: ShowSlices, tenant: str) -> Slices:
        """The slices of an evaluation, worst first.

        Raises:
            InvalidInput: if the rows cannot be sliced by the column.
        """
        from tools.evaluation.slices import slice_columns, slice_scores, why_not

        result, rows = self._rows(args, tenant)
        columns = slice_columns(rows)
        if args.column is not None and args.column not in columns:
            raise InvalidInput(
                f"The {result.split} rows of {result.dataset} cannot be sliced by {args.column!r}. "
                f"{why_not(rows, args.column)}",
                hint=f"They can be by {', '.join(columns)}.{self._elsewhere(args, result, tenant)}",
            )
        return Slices(
            **_which(result),
            task=result.task,
            accuracy=result.accuracy,
            columns=columns,
            slices=slice_scores(rows, args.column, args.min_rows),
        )

    def errors(self, args: ShowErrors, tenant: str) -> Errors:
        """The rows that were predicted wrong, those of which the model was surest first.

        Raises:
            InvalidInput: if no row has the class that was named.
            Conflict: if a class of an embedding was named.
        """
        result, rows = self._rows(args, tenant)
        if args.label is not None and result.task == "embedding":
            raise Conflict(
                f"{result.model} is an embedding: its rows have no classes, so none can be chosen.",
                hint=f"`show the errors of {result.model}` shows those of all rows.",
            )
        if args.label is not None:
            rows = [r for r in rows if r.label.casefold() == args.label.casefold()]
            if not rows:
                raise InvalidInput(
                    f"No row of {result.dataset} has the class {args.label!r}.",
                    hint=f"The classes are {', '.join(result.labels[:12])}.",
                )
        wrong = sorted((r for r in rows if not r.right), key=lambda r: -r.confidence)
        pairs = Counter((r.label, r.predicted) for r in wrong)
        return Errors(
            **_which(result),
            task=result.task,
            wrong=len(wrong),
            rows=len(rows),
            confused=[
                Confusion(label=label, predicted=predicted, rows=count)
                for (label, predicted), count in pairs.most_common(MOST_CONFUSED)
                if count > 1 or result.task != "embedding"
            ],
            examples=[
                ErrorExample(
                    text=r.text, label=r.label, predicted=r.predicted, confidence=r.confidence
                )
                for r in wrong[: args.limit]
            ],
        )

    def calibration(self, args: WhichEvaluation, tenant: str) -> CalibrationReport:
        """Confidence against accuracy.

        Raises:
            Conflict: of an embedding.
        """
        from tools.evaluation.calibration import calibration_of

        result, rows = self._rows(args, tenant)
        if result.task == "embedding":
            raise Conflict(
                f"{result.model} is an embedding: it gives no probabilities that could be right or "
                "wrong about how sure it is.",
                hint=f"`show the errors of {result.model}` tells how near wrong texts were found, "
                f"`show the slices of {result.model}` where it is weak.",
            )
        found = calibration_of(rows)
        return CalibrationReport(
            **_which(result), ece=found.ece, calibration=found, plot=result.reliability_plot
        )

    def sample_size(self, args: PlanSample) -> SamplePlan:
        """Rows needed to see a difference."""
        from tools.evaluation.power import discordance, rows_needed

        difference = args.points / 100
        other = min(args.accuracy + difference, 1.0)
        independent = discordance(args.accuracy, other)
        # Where both are nearly always right, one row in ten is more than chance alone gives.
        alike = max(difference, min(ALIKE, independent / 2))
        return SamplePlan(
            points=args.points,
            rows=rows_needed(difference, independent, power=args.power),
            rows_alike=rows_needed(difference, alike, power=args.power),
            alike=alike,
            power=args.power,
            accuracy=args.accuracy,
        )

    def robustness(self, args: RunEvaluation, call: Call) -> Robustness:
        """Predict held-out rows as they are and changed, in a child process; keep the report."""
        measured = call.running.step("perturb", self._perturb, args, call)
        report = Robustness.model_validate(measured)
        return self.reports.add(
            "robustness",
            f"job {call.running.id}",
            call.tenant,
            report.model,
            report.version,
            report,
        )

    def robustness_evidence(self, number: int, tenant: str) -> list[Evidence]:
        """The stored report."""
        return self.reports.evidence(number, tenant, "rows", "accuracy")

    def _perturb(self, args: RunEvaluation, call: Call) -> dict[str, Any]:
        subject, rows = self._evaluations.prepared(args, call.tenant)
        path = call.running.workdir / "rows.jsonl"
        rows.write(path)
        spec = {"task": "perturb", "folder": str(subject.folder), "rows": str(path)}
        return {
            "model": subject.model,
            "version": subject.version,
            "dataset": args.dataset,
            "split": args.split,
            "warnings": rows.warnings,
            **call.running.child(worker_of(subject), spec),
        }

    def _elsewhere(self, args: WhichEvaluation, shown: EvaluationResult, tenant: str) -> str:
        """Which other datasets the model was evaluated on, where none was named."""
        results = self._evaluations.results(args.model, args.version, tenant).results
        others = dict.fromkeys(r.dataset for r in results if r.dataset != shown.dataset)
        if args.dataset is not None or not others:
            return ""
        return (
            f" This is the newest evaluation of {args.model}; name a dataset for one on "
            f"{' or '.join(others)}."
        )

    def _rows(self, args: WhichEvaluation, tenant: str) -> tuple[EvaluationResult, list[Predicted]]:
        results = self._evaluations.results(args.model, args.version, tenant).results
        wanted = None if args.dataset is None else args.dataset.partition("@")[0]
        for result in results:
            if wanted is None or result.dataset.partition("@")[0] == wanted:
                path = None if result.predictions is None else Path(result.predictions)
                return result, read_predictions(path, f"{result.model} on {result.dataset}")
        which = args.model if args.version is None else f"{args.model} v{args.version}"
        on = f" on {args.dataset}" if args.dataset else ""
        raise NotFound(
            f"{which} was not evaluated{on} yet.", hint=f"`evaluate {which}{on}` measures it."
        )


def _which(result: EvaluationResult) -> dict[str, Any]:
    return {
        "evaluation": result.id,
        "model": result.model,
        "version": result.version,
        "dataset": result.dataset,
    }
