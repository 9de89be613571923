"""Durable jobs: rows that people see, over workflows that survive kill -9 (DBOS).

`Jobs` is light: it lists and cancels without the engine. The engine is imported by `start`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import select, update

from tools.kernel.errors import Cancelled, Conflict, NotFound, Unavailable
from tools.kernel.identity import Channel, Principal, RequestContext, Role
from tools.kernel.storage import now
from tools.kernel.tables import JobRow

if TYPE_CHECKING:
    from tools.kernel.job_engine import JobEngine
    from tools.kernel.kernel import Kernel

T = TypeVar("T")
OPEN = ("queued", "running")
ENDED = ("done", "failed", "cancelled")


class JobContext:
    """What an operation that runs as a job is handed: durable steps, progress, cancellation.

    Attributes:
        id: the job's number.
        workdir: a folder of its own that survives restarts; checkpoints go there.
    """

    def __init__(self, jobs: Jobs, job: int, tenant: str, workdir: Path) -> None:
        self.id = job
        self.workdir = workdir
        self._jobs = jobs
        self._tenant = tenant

    def step(self, name: str, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Run a step durably: once finished it is never run again, its result is kept.

        A step that was cut off by a crash runs again from its start.

        Raises:
            Cancelled: before the step, if the job was cancelled.
        """
        self.check_cancelled()
        return self._jobs.engine.step(name, function, *args, **kwargs)

    def progress(self, fraction: float, message: str = "", **metrics: float) -> None:
        """Tell how far the job is, from 0 to 1, with figures worth showing."""
        self._jobs.report(self.id, self._tenant, fraction, message, metrics)

    def check_cancelled(self) -> None:
        """Stop here if the job was cancelled.

        Raises:
            Cancelled: if so.
        """
        if self._jobs.is_cancelled(self.id):
            raise Cancelled(f"Job {self.id} was cancelled.")

    def sleep(self, seconds: float) -> None:
        """Wait durably; ends early when the job is cancelled.

        Raises:
            Cancelled: if it was.
        """
        deadline = self.step("sleep until", _deadline, seconds)
        while time.time() < deadline:
            self._jobs.wait_for_cancel(self.id, min(0.5, max(deadline - time.time(), 0.0)))
            self.check_cancelled()

    def child(
        self,
        module: str,
        spec: dict[str, Any],
        *,
        on_event: Callable[[dict[str, Any]], None] | None = None,
    ) -> dict[str, Any]:
        """Run heavy compute in `python -m module spec.json`; see `tools.kernel.child`.

        Returns:
            The child's `result`.

        Raises:
            Cancelled: the job was cancelled; the child is gone.
            PilothouseError: what the child reported, or `OperationFailed` if it died.
        """
        from tools.kernel.child import run_child

        return run_child(self, self._jobs.settings, module, spec, on_event)


class Jobs:
    """Create, follow and cancel jobs; safe from several threads."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._database = kernel.database
        self._events = kernel.events
        self.settings = kernel.settings
        self._changed = threading.Condition()
        self._engine: JobEngine | None = None

    @property
    def engine(self) -> JobEngine:
        """The running engine.

        Raises:
            Unavailable: if this process does not run jobs.
        """
        if self._engine is None:
            raise Unavailable("Jobs are not running in this process.", hint="`pilothouse up`")
        return self._engine

    def start(self) -> None:
        """Launch the engine; jobs that a crash cut off go on where they were."""
        if self._engine is None:
            from tools.kernel.job_engine import JobEngine

            self._engine = JobEngine(self._kernel, self)
            self._engine.launch()
            self._adopt_orphans()

    def stop(self) -> None:
        """Stop the engine; what runs goes on at the next start."""
        if self._engine is not None:
            self._engine.close()
            self._engine = None

    def create(
        self, operation: str, arguments: dict[str, Any], context: RequestContext, receipt: str
    ) -> int:
        """Make a queued job; returns its number."""
        self.engine  # noqa: B018 - refuse before anything is stored
        row = JobRow(
            tenant=context.tenant,
            operation=operation,
            arguments=arguments,
            context=pack_context(context),
            receipt=receipt,
            status="queued",
            metrics={},
        )
        with self._database.session() as session:
            session.add(row)
        self._kernel.catalogue.changed()
        return row.id

    def enqueue(self, job: int) -> None:
        """Hand a created job to the engine."""
        self.engine.enqueue(job)

    def get(self, job: int, tenant: str) -> JobRow:
        """One job.

        Raises:
            NotFound: if there is none of that number.
        """
        with self._database.session() as session:
            row = session.get(JobRow, job)
        if row is None or row.tenant != tenant:
            raise NotFound(f"There is no job {job}.", hint="`pilothouse jobs` lists them.")
        return row

    def list(
        self,
        tenant: str,
        *,
        operation: str | None = None,
        status: str | None = None,
        limit: int = 100,
    ) -> list[JobRow]:
        """The newest jobs that match, newest first."""
        query = select(JobRow).where(JobRow.tenant == tenant)
        if operation is not None:
            query = query.where(JobRow.operation == operation)
        if status is not None:
            query = query.where(JobRow.status == status)
        with self._database.session() as session:
            return list(session.scalars(query.order_by(JobRow.id.desc()).limit(limit)).all())

    def cancel(self, job: int, tenant: str) -> JobRow:
        """Ask a job to stop; it does so at its next step, or at once if a child computes.

        Raises:
            Conflict: if it has ended already.
        """
        row = self.get(job, tenant)
        if row.status in ENDED:
            raise Conflict(f"Job {job} is {row.status} already.")
        self._update(job, {"error": {"cancel": True}}, only=OPEN)
        return self.get(job, tenant)

    def is_cancelled(self, job: int) -> bool:
        """True once a cancel was asked for."""
        with self._database.session() as session:
            error = session.scalar(select(JobRow.error).where(JobRow.id == job))
        return bool(error and error.get("cancel"))

    def wait_for_cancel(self, job: int, timeout: float) -> bool:
        """Wait up to `timeout` seconds for a cancel; True if it came."""
        with self._changed:
            self._changed.wait(timeout)
        return self.is_cancelled(job)

    def wait(self, job: int, timeout: float = 300.0, tenant: str = "default") -> JobRow:
        """Block until the job has ended, or `timeout` seconds have passed; returns its row."""
        deadline = time.monotonic() + timeout
        while True:
            with self._changed:
                row = self.get(job, tenant)
                left = deadline - time.monotonic()
                if row.status in ENDED or left <= 0:
                    return row
                self._changed.wait(min(left, 1.0))

    def begin(self, job: int) -> JobRow:
        """Mark a job as running (again); returns its row. For the engine."""
        with self._database.session() as session:
            row = session.get_one(JobRow, job)
            if row.status in OPEN:
                row.status, row.attempts = "running", row.attempts + 1
                row.started = row.started or now()
        return row

    def end(
        self, job: int, status: str, result: dict[str, Any] | None, error: dict[str, Any] | None
    ) -> None:
        """Mark a job as ended and tell everybody who waits. For the engine."""
        values: dict[str, Any] = {
            "status": status,
            "result": result,
            "error": error,
            "ended": now(),
        }
        if status == "done":
            values["progress"] = 1.0
        if self._update(job, values, only=OPEN):
            data = {"job": job, "error": error, "result": result}
            with self._database.session() as session:
                tenant = session.get_one(JobRow, job).tenant
            self._events.publish(f"job:{job}", f"job.{status}", data, tenant)

    def report(
        self, job: int, tenant: str, fraction: float, message: str, metrics: dict[str, float]
    ) -> None:
        """Store and publish a job's progress."""
        share = min(max(fraction, 0.0), 1.0)
        values = {"progress": share, "message": message}
        if metrics:
            values["metrics"] = metrics
        self._update(job, values, only=OPEN)
        data = {"job": job, "fraction": share, "message": message, "metrics": metrics}
        self._events.publish(f"job:{job}", "job.progress", data, tenant)

    def _update(self, job: int, values: dict[str, Any], only: tuple[str, ...]) -> bool:
        with self._database.session() as session:
            changed = session.execute(
                update(JobRow)
                .where(JobRow.id == job, JobRow.status.in_(only))
                .values(**values)
                .returning(JobRow.id)
            ).first()
        with self._changed:
            self._changed.notify_all()
        return changed is not None

    def _adopt_orphans(self) -> None:
        """Enqueue jobs whose row was stored but which a crash kept from the engine."""
        with self._database.session() as session:
            queued = list(session.scalars(select(JobRow.id).where(JobRow.status.in_(OPEN))))
        for job in queued:
            self.engine.enqueue(job)


def pack_context(context: RequestContext) -> dict[str, Any]:
    """A request's context as data, so that its job can act for the same principal."""
    principal = context.principal
    return {
        "principal": principal.name,
        "roles": sorted(r.value for r in principal.roles),
        "tenant": principal.tenant,
        "channel": context.channel.value,
        "conversation": context.conversation,
        "plan": context.plan,
        "step": context.step,
    }


def unpack_context(data: dict[str, Any]) -> RequestContext:
    """The inverse of `pack_context`."""
    principal = Principal(
        data["principal"], frozenset(Role(r) for r in data["roles"]), data["tenant"]
    )
    return RequestContext(
        principal,
        Channel(data["channel"]),
        data["conversation"],
        data["plan"],
        data["step"],
    )


def _deadline(seconds: float) -> float:
    return time.time() + seconds
