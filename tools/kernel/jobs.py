"""Durable jobs: rows that people see, over workflows that survive kill -9 (DBOS).

`Jobs` is light: it lists and cancels without the engine. The engine is imported by `start`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import case, func, select, update
from sqlalchemy.orm import Session

from tools.kernel.errors import Conflict, NotFound, Unavailable
from tools.kernel.identity import Channel, Principal, RequestContext, Role
from tools.kernel.job_context import Interrupted, JobContext
from tools.kernel.periods import Span
from tools.kernel.tables import JobRow

if TYPE_CHECKING:
    from tools.kernel.job_engine import JobEngine
    from tools.kernel.kernel import Kernel

OPEN = ("queued", "running")
ENDED = ("done", "failed", "cancelled")
CANCELLING = "cancelling"


class Jobs:
    """Create, follow and cancel jobs; safe from several threads."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._database = kernel.database
        self._events = kernel.events
        self.settings = kernel.settings
        self._changed = threading.Condition()
        self._changes = 0
        self._engine: JobEngine | None = None
        self.stopping = False

    @property
    def engine(self) -> JobEngine:
        """The running engine.

        Raises:
            Unavailable: if this process does not run jobs.
        """
        if self._engine is None:
            raise Unavailable("Jobs are not running in this process.", hint="`pilothouse up`")
        return self._engine

    def require_engine(self) -> None:
        """Refuse, before anything is stored, what this process could not run.

        Raises:
            Unavailable: if it does not run jobs.
        """
        self.engine  # noqa: B018

    def start(self) -> None:
        """Launch the engine; jobs that a crash cut off go on where they were."""
        if self._engine is None:
            from tools.kernel.job_engine import JobEngine

            self.stopping = False
            engine = JobEngine(self._kernel, self)
            engine.launch(lambda: self._attach(engine))

    def _attach(self, engine: JobEngine) -> None:
        self._engine = engine

    def stop(self) -> None:
        """Stop the engine; what runs is cut off, and goes on at the next start."""
        if self._engine is not None:
            self.stopping = True
            self.changed()
            self._engine.close()
            self._engine = None

    def create(
        self,
        session: Session,
        operation: str,
        arguments: dict[str, Any],
        context: RequestContext,
        receipt: str,
    ) -> int:
        """Make a queued job within the transaction of its first receipt; returns its number."""
        row = JobRow(
            tenant=context.tenant,
            operation=operation,
            arguments=arguments,
            context=pack_context(context),
            receipt=receipt,
            status="queued",
            metrics={},
        )
        session.add(row)
        session.flush()
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
        span: Span | None = None,
        before: int | None = None,
        limit: int = 100,
    ) -> list[JobRow]:
        """The newest jobs that match, newest first; with `before`, those numbered lower."""
        query = select(JobRow).where(JobRow.tenant == tenant, *JobRow.made_within(span))
        if operation is not None:
            query = query.where(JobRow.operation == operation)
        if status is not None:
            query = query.where(JobRow.status == status)
        if before is not None:
            query = query.where(JobRow.id < before)
        with self._database.session() as session:
            return list(session.scalars(query.order_by(JobRow.id.desc()).limit(limit)).all())

    def many(self, jobs: Sequence[int], tenant: str) -> list[JobRow]:
        """Those of these jobs that there are, in no order."""
        query = select(JobRow).where(JobRow.tenant == tenant, JobRow.id.in_(jobs))
        with self._database.session() as session:
            return [*session.scalars(query)]

    def counts(self) -> dict[str, int]:
        """How many jobs of all tenants there are in each state."""
        query = select(JobRow.status, func.count()).group_by(JobRow.status)
        with self._database.session() as session:
            found: dict[str, int] = {status: count for status, count in session.execute(query)}
        return {state: found.get(state, 0) for state in (*OPEN, *ENDED)}

    def cancel(self, job: int, tenant: str) -> JobRow:
        """Stop a job: a queued one at once, a running one at its next step or with its child.

        While it stops its message is `cancelling`; a `job.cancelling` event tells the same.

        Raises:
            Conflict: if it has ended already.
        """
        from tools.kernel.completion import end_queued

        row = self.get(job, tenant)
        if row.status == "queued" and end_queued(self._kernel, job):
            return self.get(job, tenant)
        with self._database.writing() as session:
            marked = session.execute(
                update(JobRow)
                .where(JobRow.id == job, JobRow.status.in_(OPEN))
                .values(cancelling=True, message=CANCELLING)
                .returning(JobRow.id)
            ).first()
            if marked is not None:
                data = {"job": job, "message": CANCELLING}
                self._events.add(session, f"job:{job}", f"job.{CANCELLING}", data, tenant)
        if marked is None:
            raise Conflict(f"Job {job} is {self.get(job, tenant).status} already.")
        self._events.wake()
        self.changed()
        return self.get(job, tenant)

    def is_cancelled(self, job: int) -> bool:
        """True once a cancel was asked for."""
        with self._database.session() as session:
            return bool(session.scalar(select(JobRow.cancelling).where(JobRow.id == job)))

    def wait_for_cancel(self, job: int, timeout: float) -> bool:
        """Wait up to `timeout` seconds for a cancel; True if it came."""
        with self._changed:
            self._changed.wait(timeout)
        return self.is_cancelled(job)

    def wait(self, job: int, timeout: float = 300.0, tenant: str = "default") -> JobRow:
        """Block until the job has ended, or `timeout` seconds have passed; returns its row."""
        deadline = time.monotonic() + timeout
        while True:
            seen = self._changes
            row = self.get(job, tenant)
            left = deadline - time.monotonic()
            if row.status in ENDED or left <= 0:
                return row
            with self._changed:
                if seen == self._changes:
                    self._changed.wait(min(left, 1.0))

    def report(
        self,
        job: int,
        tenant: str,
        fraction: float,
        message: str,
        metrics: dict[str, float],
        worked: float = 0.0,
    ) -> None:
        """Store and publish a job's progress."""
        share = min(max(fraction, 0.0), 1.0)
        values: dict[str, Any] = {
            "progress": share,
            "message": case((JobRow.cancelling, CANCELLING), else_=message),
            "seconds": JobRow.seconds + worked,
        }
        if metrics:
            values["metrics"] = metrics
        data = {"job": job, "fraction": share, "message": message, "metrics": metrics}
        with self._database.writing() as session:
            session.execute(
                update(JobRow).where(JobRow.id == job, JobRow.status.in_(OPEN)).values(**values)
            )
            self._events.add(session, f"job:{job}", "job.progress", data, tenant)
        self._events.wake()
        self.changed()

    def changed(self) -> None:
        """Let whoever waits for a job look again."""
        with self._changed:
            self._changes += 1
            self._changed.notify_all()


def pack_context(context: RequestContext) -> dict[str, Any]:
    """A request's context as data, so that its job can act for the same principal."""
    principal = context.principal
    return {
        "principal": principal.name,
        "roles": sorted(r.value for r in principal.roles),
        "tenant": principal.tenant,
        "scopes": None if principal.scopes is None else sorted(principal.scopes),
        "channel": context.channel.value,
        "conversation": context.conversation,
        "plan": context.plan,
        "step": context.step,
    }


def unpack_context(data: dict[str, Any]) -> RequestContext:
    """The inverse of `pack_context`."""
    scopes = data.get("scopes")
    principal = Principal(
        data["principal"],
        frozenset(Role(r) for r in data["roles"]),
        data["tenant"],
        None if scopes is None else frozenset(scopes),
    )
    return RequestContext(
        principal,
        Channel(data["channel"]),
        data["conversation"],
        data["plan"],
        data["step"],
    )


__all__ = [
    "CANCELLING",
    "ENDED",
    "OPEN",
    "Interrupted",
    "JobContext",
    "Jobs",
    "pack_context",
    "unpack_context",
]
