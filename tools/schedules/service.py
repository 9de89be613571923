"""Schedules: kept, cancelled, and turned into due plans at their moments.

Each moment of a schedule is a durable timer of its own. A moment that passed while nothing ran is
due at the next start, once, however many passed. A moment that comes while the run before it still
goes on is noted as skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING

from sqlalchemy import String, cast, literal, select
from sqlalchemy.orm import Session

from tools.kernel.entities import EntityName
from tools.kernel.errors import Conflict, NotFound
from tools.kernel.identity import RequestContext
from tools.kernel.jobs import ENDED
from tools.kernel.plan_runs import DUE, OPEN, DuePlan
from tools.kernel.storage import now
from tools.kernel.tables import JobRow, PlanRunRow
from tools.schedules import timing as clocks
from tools.schedules.names import free_name
from tools.schedules.stored_context import stored_context
from tools.schedules.tables import ScheduleRow
from tools.schedules.timing import Timing
from tools.schedules.types import CreateArgs, ScheduleView
from tools.schedules.views import view

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

OWNER = "schedules"
OPEN_SCHEDULES = ("active", "paused")
LATE_SECONDS = 60.0
LATELY = timedelta(days=1)
_ENDS = {"done": "success", "failed": "failure", "cancelled": "failure"}


class ScheduleService:
    """The schedules of a home; safe from several threads."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._database = kernel.database

    # what operations ask for

    def create(self, args: CreateArgs, context: RequestContext) -> ScheduleView:
        """Keep a plan with its timing, and set its first timer."""
        self._kernel.jobs.require_engine()
        timing = args.timing
        with self._database.writing() as session:
            row = ScheduleRow(
                tenant=context.tenant,
                name=args.name or free_name(session, args, context.tenant),
                sentence=args.sentence,
                steps=[s.model_dump(mode="json") for s in args.steps],
                timing=timing.model_dump(mode="json"),
                after_job=_job(timing),
                context=stored_context(context),
                status="active",
                next_due=clocks.next_due(timing, now()),
            )
            session.add(row)
        self._arm(row)
        return self.view(row.id)

    def cancel(self, number: int) -> ScheduleView:
        """Have no further run; one that goes on already is left alone."""
        return self._set(number, "cancelled", next_due=None)

    def pause(self, number: int) -> ScheduleView:
        """Have no further run until it is resumed."""
        return self._set(number, "paused", next_due=None)

    def activate(self, number: int) -> ScheduleView:
        """Go on with a schedule that was paused or cancelled."""
        row = self.row(number)
        return self._set(number, "active", next_due=self.next_or_refuse(row))

    def find(self, name: str, tenant: str) -> ScheduleRow:
        """A schedule by its name or number.

        Raises:
            NotFound: if there is none.
        """
        wanted = ScheduleRow.id == int(name) if name.isdigit() else ScheduleRow.name == name
        with self._database.session() as session:
            row = session.scalar(select(ScheduleRow).where(wanted, ScheduleRow.tenant == tenant))
        if row is None:
            raise NotFound(f"There is no schedule {name!r}.", hint="`pilothouse schedules`")
        return row

    def row(self, number: int, tenant: str | None = None) -> ScheduleRow:
        """A schedule by its number.

        Raises:
            NotFound: if there is none.
        """
        with self._database.session() as session:
            row = session.get(ScheduleRow, number)
        if row is None or (tenant is not None and row.tenant != tenant):
            raise NotFound(f"There is no schedule {number}.", hint="`pilothouse schedules`")
        return row

    def list(self, tenant: str, *, ended: bool, limit: int) -> list[ScheduleView]:
        """The schedules, newest first; without `ended` those to come, and those of the last day."""
        query = select(ScheduleRow).where(ScheduleRow.tenant == tenant)
        if not ended:
            lately = select(PlanRunRow.source).where(PlanRunRow.due > now() - LATELY)
            done = ScheduleRow.status == "ended"
            source = literal("schedule-") + cast(ScheduleRow.id, String)
            query = query.where(
                ScheduleRow.status.in_(OPEN_SCHEDULES) | (done & source.in_(lately))
            )
        with self._database.session() as session:
            rows = session.scalars(query.order_by(ScheduleRow.id.desc()).limit(limit)).all()
        return [self._view(row) for row in rows]

    def view(self, number: int) -> ScheduleView:
        """One schedule with its latest runs."""
        return self._view(self.row(number))

    def names(self, tenant: str) -> list[EntityName]:
        """Every open schedule by its name, and also by its number."""
        query = select(ScheduleRow).where(
            ScheduleRow.tenant == tenant, ScheduleRow.status.in_(OPEN_SCHEDULES)
        )
        with self._database.session() as session:
            rows = session.scalars(query.order_by(ScheduleRow.id.desc())).all()
        return [EntityName(r.name, also=(str(r.id), f"schedule {r.id}", r.source)) for r in rows]

    def next_or_refuse(self, row: ScheduleRow) -> datetime | None:
        """When a schedule would be due next.

        Raises:
            Conflict: if it is over: its moment has passed, or its job has ended.
        """
        timing = Timing.model_validate(row.timing)
        due = clocks.next_due(timing, now())
        if row.after_job is None:
            if due is None:
                raise Conflict(f"The moment of {row.name} has passed.", hint="Schedule it anew.")
        elif self._job_status(row.after_job) in ENDED:
            raise Conflict(f"Job {row.after_job} has ended.", hint="Ask for it now instead.")
        return due

    # what the timers tell

    def due(self, key: str, at: datetime) -> None:
        """A moment of the schedule numbered `key` has come."""
        with self._database.writing() as session:
            row = session.get(ScheduleRow, int(key))
            if row is None or row.status != "active" or row.next_due != at:
                return
            run = self._hand_over(session, row, at.isoformat(), at, _late(at))
            timing = Timing.model_validate(row.timing)
            row.next_due = clocks.next_due(timing, max(now(), at))
            if row.next_due is None:
                row.status = "ended"
        self._after(row, run)

    def job_ended(self, job: int) -> None:
        """Hand over what waits for a job."""
        for number in self._waiting_for(job):
            with self._database.writing() as session:
                row = session.get_one(ScheduleRow, number)
                ended = session.get(JobRow, job)
                if row.status != "active" or ended is None or ended.status not in ENDED:
                    continue
                wanted = Timing.model_validate(row.timing).on or "end"
                row.status, row.next_due = "ended", None
                run = None
                if wanted in ("end", _ENDS[ended.status]):
                    run = self._hand_over(session, row, f"job-{job}", now(), "")
                else:
                    row.note = f"not carried out: job {job} is {ended.status}"
            self._after(row, run)

    def started(self) -> None:
        """Set every timer that is missing, and take up jobs that ended meanwhile."""
        with self._database.session() as session:
            rows = session.scalars(select(ScheduleRow).where(ScheduleRow.status == "active")).all()
        for row in rows:
            self._arm(row)

    # inside

    def _arm(self, row: ScheduleRow) -> None:
        if row.next_due is not None:
            self._kernel.timers.set(OWNER, str(row.id), row.next_due)
        elif row.after_job is not None:
            self.job_ended(row.after_job)

    def _hand_over(
        self, session: Session, row: ScheduleRow, key: str, due: datetime, note: str
    ) -> PlanRunRow | None:
        before = self._still_open(session, row)
        status = DUE if before is None else "skipped"
        if before is not None:
            note = f"skipped: run {before.number} was still {before.status}"
        plan = DuePlan(
            row.source, key, due, row.sentence, list(row.steps), dict(row.context), note, row.tenant
        )
        return self._kernel.plan_runs.add(session, plan, status)

    def _still_open(self, session: Session, row: ScheduleRow) -> PlanRunRow | None:
        """The run before, if it goes on; one whose approvals have all lapsed is ended here."""
        query = select(PlanRunRow).where(
            PlanRunRow.source == row.source, PlanRunRow.status.in_(OPEN)
        )
        found = session.scalar(query.order_by(PlanRunRow.number.desc()).limit(1))
        if found is None or found.status != "waiting" or self._is_awaited(found):
            return found
        found.status, found.ended = "failed", now()
        found.note = "nobody approved it in time"
        return None

    def _is_awaited(self, run: PlanRunRow) -> bool:
        conversation = run.context.get("conversation")
        return any(
            a.status in ("pending", "granted") and a.conversation == conversation
            for a in self._kernel.approvals.list(run.tenant)
        )

    def _after(self, row: ScheduleRow, run: PlanRunRow | None) -> None:
        self._kernel.catalogue.changed()
        if run is not None:
            self._kernel.plan_runs.announce(run)
        if row.status == "active":
            self._arm(row)

    def _set(self, number: int, status: str, *, next_due: datetime | None) -> ScheduleView:
        with self._database.writing() as session:
            row = session.get_one(ScheduleRow, number)
            row.status, row.next_due, row.note = status, next_due, ""
        if status == "active":
            self._arm(row)
        return self.view(number)

    def _waiting_for(self, job: int) -> Sequence[int]:
        query = select(ScheduleRow.id).where(
            ScheduleRow.after_job == job, ScheduleRow.status == "active"
        )
        with self._database.session() as session:
            return session.scalars(query).all()

    def _job_status(self, job: int) -> str:
        with self._database.session() as session:
            row = session.get(JobRow, job)
        return row.status if row is not None else ""

    def _view(self, row: ScheduleRow) -> ScheduleView:
        runs = self._kernel.plan_runs.of(row.source, limit=5)
        upcoming: list[datetime] = []
        if row.next_due is not None:
            ticks = clocks.upcoming(Timing.model_validate(row.timing), now())
            upcoming = list(islice(ticks, 3))
        return view(row, runs, upcoming, self._kernel.operations)


def _job(timing: Timing) -> int | None:
    return timing.after_job if isinstance(timing.after_job, int) else None


def _late(at: datetime) -> str:
    late = (now() - at).total_seconds()
    if late < LATE_SECONDS:
        return ""
    return f"was due at {at:%Y-%m-%d %H:%M} UTC, while the platform was not running"
