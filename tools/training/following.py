"""Training and tuning jobs as people follow them: status, list, cancel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tools.kernel.errors import Conflict, InvalidInput, NotFound, PilothouseError
from tools.training.types import TrainingCancelled, TrainingList, TrainingState

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel
    from tools.kernel.tables import JobRow

OPERATIONS = ("training.start", "training.tune")
_CANCEL_SECONDS = 15.0


class TrainingJobs:
    """The training and tuning jobs of a home; one instance a kernel, safe from several threads."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def status(self, job: int | None, tenant: str) -> TrainingState:
        """How a training or tuning job stands; the newest when no number is given.

        Raises:
            NotFound: if there is none.
        """
        if job is not None:
            return state_of(self._row(job, tenant))
        rows = self._rows(tenant, 1)
        if not rows:
            raise NotFound("Nothing has been trained yet.", hint="`training.start` trains.")
        return state_of(rows[0])

    def list(self, tenant: str, limit: int) -> TrainingList:
        """Training and tuning jobs, newest first."""
        return TrainingList(trainings=[state_of(row) for row in self._rows(tenant, limit)])

    def cancellable(self, job: int | None, tenant: str) -> int:
        """The number of the job that a cancel means.

        Raises:
            NotFound: if none runs.
            InvalidInput: if several run and no number is given.
            Conflict: if the job has ended.
        """
        if job is not None:
            row = self._row(job, tenant)
            if row.status not in ("queued", "running"):
                raise Conflict(f"Job {job} is {row.status} already; there is nothing to cancel.")
            return job
        going = [r for r in self._rows(tenant, 200) if r.status in ("queued", "running")]
        if not going:
            raise NotFound("No training is running.")
        if len(going) > 1:
            known = ", ".join(f"{r.id} ({r.arguments.get('name')})" for r in going)
            raise InvalidInput(f"Several trainings run: {known}.", hint="Name the job's number.")
        return going[0].id

    def cancel(self, job: int | None, tenant: str) -> TrainingCancelled:
        """Stop a job; waits until its process is gone."""
        number = self.cancellable(job, tenant)
        before = state_of(self._row(number, tenant))
        self._kernel.jobs.cancel(number, tenant)
        try:
            row = self._kernel.jobs.wait(number, timeout=_CANCEL_SECONDS)
        except PilothouseError:
            row = self._row(number, tenant)
        ended = row.status in ("cancelled", "failed", "done")
        return TrainingCancelled(
            job=number,
            status=row.status if ended else "stopping",
            done=_done(before),
            kept="nothing was recorded as a model; "
            f"the log and the last checkpoint stay in work/jobs/{number}",
        )

    def _row(self, job: int, tenant: str) -> JobRow:
        row = self._kernel.jobs.get(job, tenant)
        if row.operation not in OPERATIONS:
            raise InvalidInput(f"Job {job} is no training but {row.operation}.")
        return row

    def _rows(self, tenant: str, limit: int) -> Sequence[JobRow]:
        jobs = self._kernel.jobs
        found = [r for o in OPERATIONS for r in jobs.list(tenant, operation=o, limit=limit)]
        return sorted(found, key=lambda row: row.id, reverse=True)[:limit]


def state_of(row: JobRow) -> TrainingState:
    """A job's row as people see it."""
    result = row.result or {}
    figures = ("validation_accuracy", "validation_macro_f1", "initial_loss", "final_loss")
    metrics = {**row.metrics, **{name: result[name] for name in figures if name in result}}
    return TrainingState(
        job=row.id,
        operation=row.operation,
        status=row.status,
        progress=row.progress,
        message=row.message,
        model_name=row.arguments.get("name"),
        base_model=row.arguments.get("base_model"),
        dataset=row.arguments.get("dataset"),
        method=row.arguments.get("method"),
        metrics=metrics,
        run_id=result.get("run_id"),
        error=(row.error or {}).get("message"),
        created=row.created,
        ended=row.ended,
    )


def _done(state: TrainingState) -> str:
    if state.status == "queued":
        return "it had not begun"
    return f"it was {state.progress:.0%} done ({state.message or 'starting up'})"
