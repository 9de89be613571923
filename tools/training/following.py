"""Training and tuning jobs as people follow them: status, list, cancel, pause, resume."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import Conflict, InvalidInput, NotFound, PilothouseError
from tools.kernel.jobs import OPEN
from tools.kernel.periods import Span, parse_period
from tools.kernel.storage import now
from tools.training.following_types import (
    ListTrainings,
    TrainingCancelled,
    TrainingList,
    TrainingPaused,
    TrainingState,
)
from tools.training.pausing import PAUSED, marker
from tools.training.standing import jobs_in, standing

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel
    from tools.kernel.tables import JobRow

OPERATIONS = ("training.start", "training.tune")
_CANCEL_SECONDS = 15.0
_PAUSE_SECONDS = 30.0


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
            return self._state(self._row(job, tenant))
        rows = self._rows(tenant, 1)
        if not rows:
            raise NotFound("Nothing has been trained yet.", hint="`training.start` trains.")
        return self._state(rows[0])

    def list(self, tenant: str, args: ListTrainings) -> TrainingList:
        """Training and tuning jobs, newest first.

        Raises:
            InvalidInput: if the period is not understood.
        """
        span = parse_period(args.period, now())
        rows = self._rows(tenant, args.limit, args.status, span)
        return TrainingList(trainings=[self._state(row) for row in rows])

    def running(self, job: int | None, tenant: str, what: str, paused: bool | None = None) -> int:
        """The number of the open job that is meant.

        Args:
            job: its number, if it was given.
            tenant: whose.
            what: what is to be done, as in `nothing to cancel`.
            paused: True or False to mean only jobs that are paused or not.

        Raises:
            NotFound: if none runs.
            InvalidInput: if several run and no number is given.
            Conflict: if the job has ended, or is (not) paused already.
        """
        if job is not None:
            row = self._row(job, tenant)
            if row.status not in OPEN:
                raise Conflict(
                    f"Job {job} is {row.status} already; there is nothing to {what}.",
                    hint="A job that has ended is not taken up again; start the training anew.",
                )
            if paused is not None and self._paused(row) is not paused:
                state = "not paused" if paused else "paused already"
                raise Conflict(f"Job {job} is {state}; there is nothing to {what}.")
            return job
        going = [r for r in self._rows(tenant, 200) if r.status in OPEN]
        meant = [r for r in going if paused is None or self._paused(r) is paused]
        if not meant:
            raise NotFound("No training is paused." if paused else "No training is running.")
        if len(meant) > 1:
            known = ", ".join(f"{r.id} ({r.arguments.get('name')})" for r in meant)
            raise InvalidInput(f"Several trainings run: {known}.", hint="Name the job's number.")
        return meant[0].id

    def pause(self, job: int | None, tenant: str) -> TrainingPaused:
        """Stop a job's computing at its next checkpoint; waits until the process is gone."""
        number = self.running(job, tenant, "pause", paused=False)
        marker(self._workdir(number)).touch()
        deadline = time.monotonic() + _PAUSE_SECONDS
        row = self._row(number, tenant)
        while row.status == "running" and not row.message.startswith(PAUSED):
            if time.monotonic() > deadline:
                break
            self._kernel.jobs.wait_for_cancel(number, 0.2)
            row = self._row(number, tenant)
        state = self._state(row)
        return TrainingPaused(job=number, status=state.status, progress=state.progress)

    def resume(self, job: int | None, tenant: str) -> TrainingPaused:
        """Let a paused job go on from its checkpoint."""
        number = self.running(job, tenant, "resume", paused=True)
        marker(self._workdir(number)).unlink(missing_ok=True)
        self._kernel.jobs.changed()
        state = self._state(self._row(number, tenant))
        return TrainingPaused(job=number, status=state.status, progress=state.progress)

    def cancel(self, job: int | None, tenant: str) -> TrainingCancelled:
        """Stop a job; waits until its process is gone."""
        number = self.running(job, tenant, "cancel")
        before = self._state(self._row(number, tenant))
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
            kept="nothing was recorded as a model, and it cannot be resumed; "
            f"its files stay in work/jobs/{number} to be looked at",
        )

    def _workdir(self, job: int) -> Path:
        return self._kernel.settings.folder("work", "jobs", str(job))

    def _paused(self, row: JobRow) -> bool:
        return standing(self._kernel.settings, row) == PAUSED

    def _state(self, row: JobRow) -> TrainingState:
        state = state_of(row)
        return state.model_copy(update={"status": PAUSED}) if self._paused(row) else state

    def _row(self, job: int, tenant: str) -> JobRow:
        row = self._kernel.jobs.get(job, tenant)
        if row.operation not in OPERATIONS:
            raise InvalidInput(f"Job {job} is no training but {row.operation}.")
        return row

    def _rows(
        self, tenant: str, limit: int, status: str | None = None, span: Span | None = None
    ) -> Sequence[JobRow]:
        found = [
            row
            for operation in OPERATIONS
            for row in jobs_in(
                self._kernel, tenant, status, operation=operation, span=span, limit=limit
            )
        ]
        return sorted(found, key=lambda row: row.id, reverse=True)[:limit]


def state_of(row: JobRow) -> TrainingState:
    """A job's row as people see it."""
    result = row.result or {}
    figures = ("validation_accuracy", "validation_macro_f1", "initial_loss", "final_loss")
    metrics = {**row.metrics, **{name: result[name] for name in figures if name in result}}
    metrics = {name: _number(value) for name, value in metrics.items()}
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
        seconds=result.get("seconds"),
        estimated_seconds=result.get("estimated_seconds"),
        estimate_error=result.get("estimate_error"),
        created=row.created,
        ended=row.ended,
    )


def _number(value: Any) -> Any:
    """A figure as JSON has it: what is infinite or no number is null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _done(state: TrainingState) -> str:
    if state.status == "queued":
        return "it had not begun"
    return f"it was {state.progress:.0%} done ({state.message or 'starting up'})"
