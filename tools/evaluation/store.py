"""Where results are kept: our own tables, and the metrics of the model's MLflow run."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import or_, select

from tools.evaluation.tables import ComparisonRow, EvaluationRow
from tools.evaluation.types import ComparisonResult, EvaluationResult
from tools.kernel.errors import NotFound
from tools.registry.service import EVALUATIONS

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

    from tools.kernel.kernel import Kernel

LOGGED = (
    *("accuracy", "accuracy_low", "accuracy_high", "macro_f1", "ece"),
    *("recall_at_5", "recall_at_10", "mrr", "mrr_low", "mrr_high", "ndcg_at_10"),
    *("triplet_accuracy", "p50_ms", "p95_ms"),
)
"""Figures that a run carries, those of them that a model has."""


class ResultStore:
    """Results and comparisons; each is stored once for the job that measured it.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._database = kernel.database

    def add_result(self, job: int, tenant: str, result: EvaluationResult) -> EvaluationResult:
        """Store a result, log it to the run, and answer with its number filled in."""
        with self._database.session() as session:
            row = session.scalar(select(EvaluationRow).filter_by(measured_by=job))
            if row is None:
                row = EvaluationRow(
                    tenant=tenant,
                    measured_by=job,
                    model=result.model,
                    version=result.version,
                    training_job=result.job,
                    run_id=result.run_id,
                    dataset=result.dataset,
                    split=result.split,
                    accuracy=result.accuracy,
                    body={},
                )
                session.add(row)
                session.flush()
                row.body = result.model_copy(update={"id": row.id}).model_dump(mode="json")
            stored = EvaluationResult.model_validate(row.body)
        self._log(stored)
        return stored

    def add_comparison(self, job: int, tenant: str, result: ComparisonResult) -> ComparisonResult:
        """Store a comparison and answer with its number filled in."""
        with self._database.session() as session:
            row = session.scalar(select(ComparisonRow).filter_by(measured_by=job))
            if row is None:
                row = ComparisonRow(
                    tenant=tenant,
                    measured_by=job,
                    model=result.model,
                    version=result.version,
                    other_model=result.other_model,
                    other_version=result.other_version,
                    p_value=result.p_value,
                    body={},
                )
                session.add(row)
                session.flush()
                row.body = result.model_copy(update={"id": row.id}).model_dump(mode="json")
            return ComparisonResult.model_validate(row.body)

    def result(self, number: int, tenant: str) -> EvaluationResult:
        """One result.

        Raises:
            NotFound: if there is none of that number.
        """
        with self._database.session() as session:
            row = session.get(EvaluationRow, number)
        if row is None or row.tenant != tenant:
            raise NotFound(f"There is no evaluation {number}.")
        return EvaluationResult.model_validate(row.body)

    def comparison(self, number: int, tenant: str) -> ComparisonResult:
        """One comparison.

        Raises:
            NotFound: if there is none of that number.
        """
        with self._database.session() as session:
            row = session.get(ComparisonRow, number)
        if row is None or row.tenant != tenant:
            raise NotFound(f"There is no comparison {number}.")
        return ComparisonResult.model_validate(row.body)

    def results(self, tenant: str, model: str, versions: dict[int, int]) -> list[EvaluationResult]:
        """The results of a model, newest first.

        Args:
            tenant: whose.
            model: the model's name.
            versions: training job → version; results from before a registration are found by it.
        """
        jobs = [*versions]
        query = (
            select(EvaluationRow)
            .where(EvaluationRow.tenant == tenant)
            .where(or_(EvaluationRow.model == model, EvaluationRow.training_job.in_(jobs)))
            .order_by(EvaluationRow.id.desc())
        )
        with self._database.session() as session:
            found = [EvaluationResult.model_validate(r.body) for r in session.scalars(query)]
        return [
            r.model_copy(update={"model": model, "version": versions[r.job]})
            if r.job in versions
            else r
            for r in found
        ]

    def comparisons(self, tenant: str, model: str) -> list[ComparisonResult]:
        """The comparisons that a model took part in, newest first."""
        query = (
            select(ComparisonRow)
            .where(ComparisonRow.tenant == tenant)
            .where(or_(ComparisonRow.model == model, ComparisonRow.other_model == model))
            .order_by(ComparisonRow.id.desc())
        )
        with self._database.session() as session:
            return [ComparisonResult.model_validate(r.body) for r in session.scalars(query)]

    def logged(self, result: EvaluationResult, metric: str) -> float | None:
        """The value that the run's metric has for this very result."""
        if result.run_id is None:
            return None
        history = self._client.get_metric_history(result.run_id, metric_key(result, metric))
        return next((m.value for m in history if m.step == result.id), None)

    @property
    def _client(self) -> MlflowClient:
        from tools.kernel.mlflow_store import client

        return client(self._kernel.settings)

    def _log(self, result: EvaluationResult) -> None:
        """Log a result to its run; the result's number is the step, so twice changes nothing."""
        if result.run_id is None or self.logged(result, LOGGED[-1]) is not None:
            return
        if result.plot and Path(result.plot).is_file():
            folder = metric_key(result, "").rstrip("/")
            self._client.log_artifact(result.run_id, result.plot, folder)
        for name in LOGGED:
            value = getattr(result, name)
            if value is not None:
                key = metric_key(result, name)
                self._client.log_metric(result.run_id, key, float(value), step=result.id)


def metric_key(result: EvaluationResult, metric: str) -> str:
    """The run's metric for a figure: `evaluation/tickets-2/test/accuracy`."""
    dataset = re.sub(r"[^\w.-]+", "-", result.dataset)
    when = "-" + re.sub(r"[^\w.-]+", "-", result.period) if result.period else ""
    return f"{EVALUATIONS}{dataset}/{result.split}{when}/{metric}"
