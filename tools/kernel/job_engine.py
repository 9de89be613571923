"""The job engine: DBOS workflows that carry out operations and complete their receipts.

One engine a process. The workflow's id is `job-<number>` within one home, so that enqueuing a job
twice, or taking it up after a crash, never runs it twice.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, TypeVar

from dbos import DBOS, DBOSConfig, SetEnqueueOptions, SetWorkflowID

from tools.kernel.completion import complete, completed_before, fail
from tools.kernel.errors import Cancelled, Conflict, OperationFailed, PilothouseError, Unavailable
from tools.kernel.jobs import OPEN, Interrupted, JobContext, Jobs, unpack_context
from tools.kernel.operations import Call
from tools.kernel.storage import now
from tools.kernel.tables import JobRow

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

log = logging.getLogger(__name__)
T = TypeVar("T")

EXECUTOR = "platform"
COMPUTE_QUEUE = "pilothouse-compute"
TIMER_QUEUE = "pilothouse-timers"
COMPUTE_AT_ONCE = 2
COMPUTE_SECONDS = 0.25
TIMER_SECONDS = 1.0
"""How often each queue is looked at: every look costs some 3 ms of the processor, work or none."""
THREADS = 64  # a rollout that waits for its devices holds one
STOP_SECONDS = 15.0
RETRY_SECONDS = 5.0
# Recovery takes up only workflows of the same version; a restart after an update must do so too.
ENGINE_VERSION = "1"
FINISHED = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")

_running: dict[str, JobEngine] = {}


@DBOS.workflow(name="pilothouse.job")
def _job(job: int) -> None:
    _running["engine"].carry_out(job)


@DBOS.workflow(name="pilothouse.due")
def _due(owner: str, key: str, at: str) -> None:
    _running["engine"].pass_on(owner, key, datetime.fromisoformat(at))


class JobEngine:
    """Runs jobs of one home in this process."""

    def __init__(self, kernel: Kernel, jobs: Jobs) -> None:
        self._kernel = kernel
        self._jobs = jobs
        self._idle = threading.Condition()
        self._active = 0
        self._stopping = threading.Event()

    def launch(self, attached: Callable[[], None]) -> None:
        """Start DBOS on the home's job database and take up what a crash cut off.

        Args:
            attached: called once jobs can be carried out, before any is.

        Raises:
            Conflict: if an engine runs in this process already.
        """
        if "engine" in _running:
            raise Conflict("This process runs the jobs of another home already.")
        _running["engine"] = self
        attached()
        config: DBOSConfig = {
            "name": "pilothouse",
            "system_database_url": self._kernel.settings.jobs_database,
            "application_version": ENGINE_VERSION,
            "executor_id": executor(self._kernel.settings.worker),
            "log_level": "ERROR",
            "max_executor_threads": THREADS,
        }
        DBOS(config=config)
        DBOS.launch()
        DBOS.register_queue(
            COMPUTE_QUEUE, worker_concurrency=COMPUTE_AT_ONCE, polling_interval_sec=COMPUTE_SECONDS
        )
        DBOS.register_queue(TIMER_QUEUE, polling_interval_sec=TIMER_SECONDS)
        self._adopt()

    def close(self) -> None:
        """Cut off what runs, and stop; it is taken up at the next launch."""
        self._stopping.set()
        with self._idle:
            self._idle.wait_for(lambda: self._active == 0, STOP_SECONDS)
        DBOS.destroy()
        _running.pop("engine", None)

    def executors(self) -> set[int]:
        """The numbers of the processes that have jobs under way."""
        found = DBOS.list_workflows(status="PENDING", load_input=False, load_output=False)
        named = {workflow.executor_id or "" for workflow in found}
        return {number_of(name) for name in named if name.startswith(EXECUTOR)}

    def adopt(self, number: int) -> None:
        """Take up the jobs that a process left, which must be gone for good or wait to begin."""
        # The library gives this to its own control plane only; there is no public name for it.
        DBOS._recover_pending_workflows([executor(number)])  # pyright: ignore[reportPrivateUsage]

    def enqueue(self, job: int) -> None:
        """Hand a job to DBOS: rollouts start at once, compute waits for its turn.

        The job is stored already, so that a hand-over that fails is tried again, here and at the
        next start.
        """
        try:
            self._hand_over(job)
        except Exception:
            log.exception("job %s could not be handed over; it is tried again", job)
            again = threading.Timer(RETRY_SECONDS, self._again, [job])
            again.daemon = True
            again.start()

    def _again(self, job: int) -> None:
        if not self._stopping.is_set():
            self.enqueue(job)

    def _hand_over(self, job: int) -> None:
        row = self._row(job)
        with SetWorkflowID(_workflow(job)):
            if row.operation.startswith("deployment."):
                DBOS.start_workflow(_job, job)
            else:
                DBOS.enqueue_workflow(COMPUTE_QUEUE, _job, job)

    def step(self, name: str, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run a durable step of the current workflow."""
        return DBOS.run_step({"name": name}, function, *args, **kwargs)

    def set_timer(self, owner: str, key: str, at: datetime) -> None:
        """Have an owner called at a moment; what waits for that already is left as it is.

        A moment for which the engine has given up (its note of it was damaged) is passed on here.
        """
        known = DBOS.get_workflow_status(_timer(owner, key, at))
        if known is not None and known.status in FINISHED:
            self.pass_on(owner, key, at)
            return
        delay = max(at.timestamp() - time.time(), 0.0)
        with (
            SetWorkflowID(_timer(owner, key, at)),
            SetEnqueueOptions(delay_seconds=delay),
        ):
            DBOS.enqueue_workflow(TIMER_QUEUE, _due, owner, key, at.isoformat())

    def pass_on(self, owner: str, key: str, at: datetime) -> None:
        """Call the owner of a moment that has come."""
        with self._counted():
            self._stored(lambda: self._kernel.timers.due(owner, key, at))

    def carry_out(self, job: int) -> None:
        """Run a job's operation to its end and write its second receipt, once."""
        with self._counted():
            row = self._stored(lambda: self._begin(job))
            if row is not None:
                self._run(row)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        with self._idle:
            self._active += 1
        try:
            yield
        finally:
            with self._idle:
                self._active -= 1
                self._idle.notify_all()

    def _begin(self, job: int) -> JobRow | None:
        """Mark a job as running (again); None if it has ended already."""
        if completed_before(self._kernel, self._row(job)):
            return None
        with self._kernel.database.writing() as session:
            row = session.get_one(JobRow, job)
            if row.status not in OPEN:
                return None
            row.status, row.attempts = "running", row.attempts + 1
            row.started = row.started or now()
        self._jobs.changed()
        return row

    def _run(self, row: JobRow) -> None:
        workdir = self._kernel.settings.folder("work", "jobs", str(row.id))
        running = JobContext(self._jobs, row.id, row.tenant, workdir)
        try:
            running.check_cancelled()
            operation = self._kernel.operations.get(row.operation)
            call = Call(self._kernel, unpack_context(row.context), operation, running)
            args = operation.input.model_validate(row.arguments)
            result = operation.function(args, call)
            worked = running.worked()
            end = lambda: complete(self._kernel, row, args, result, call, worked)  # noqa: E731
        except Exception as error:
            if self._stopping.is_set():  # what failed was cut off
                raise Interrupted(f"job {row.id} goes on at the next start") from error
            status, told = _told(row, error)
            worked = running.worked()
            end = lambda: fail(self._kernel, row, status, told, worked)  # noqa: E731
        self._stored(end)

    def _stored(self, write: Callable[[], T]) -> T:
        """Write a job's beginning or end, and wait while the disk is full or the server away."""
        while True:
            try:
                return write()
            except Unavailable as error:
                log.error("a job's state could not be stored, it is tried again: %s", error)
                if self._stopping.wait(RETRY_SECONDS):
                    raise Interrupted("its state is stored at the next start") from error

    def _adopt(self) -> None:
        """Take up open jobs that the engine does not know, end those it regards as finished."""
        for row in self._open_jobs():
            known = DBOS.get_workflow_status(_workflow(row.id))
            if known is None:
                self.enqueue(row.id)
            elif known.status in FINISHED and not completed_before(self._kernel, row):
                what = f"Job {row.id} ({row.operation}) was cut off and cannot go on."
                fail(self._kernel, row, "failed", OperationFailed(what, hint="Start it anew."))

    def _open_jobs(self) -> list[JobRow]:
        from sqlalchemy import select

        with self._kernel.database.session() as session:
            return list(session.scalars(select(JobRow).where(JobRow.status.in_(OPEN))))

    def _row(self, job: int) -> JobRow:
        with self._kernel.database.session() as session:
            return session.get_one(JobRow, job)


def _workflow(job: int) -> str:
    return f"job-{job}"


def _timer(owner: str, key: str, at: datetime) -> str:
    return f"{owner}-{key}-{at.timestamp():.0f}"


def _told(row: JobRow, error: Exception) -> tuple[Any, PilothouseError]:
    """The status and the error that people see."""
    if isinstance(error, Cancelled):
        return "cancelled", error
    if isinstance(error, PilothouseError):
        return "failed", error
    log.error("job %s (%s) failed", row.id, row.operation, exc_info=error)
    what = f"Job {row.id} ({row.operation}) failed unexpectedly ({type(error).__name__})."
    return "failed", OperationFailed(what, hint="`pilothouse logs` says more.")


def executor(number: int) -> str:
    """What the engine calls a process; what it left is taken up by one of the same name."""
    return EXECUTOR if number == 0 else f"{EXECUTOR}-{number}"


def number_of(name: str) -> int:
    """The process's number in `executor`'s name."""
    return int(name.removeprefix(EXECUTOR).removeprefix("-") or 0)
