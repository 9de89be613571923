"""Plans that are due: what a domain hands over to whoever can carry plans out.

Tools know no plan and no graph. They keep a plan's sentence and steps as data; when it is due it
becomes a row here, once for each source and key, and the assistant that runs takes it up, now or
when it next starts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from tools.kernel.events import Events
from tools.kernel.storage import Database, now
from tools.kernel.tables import PlanRunRow

DUE = "due"
OPEN = (DUE, "running", "waiting")
TOPIC = "plans"


@dataclass(frozen=True, slots=True)
class DuePlan:
    """A plan to be carried out.

    Attributes:
        source: what made it due, such as `schedule-3`.
        key: the occasion; the same source and key make one run only.
        due: when it was to begin.
        sentence: what the person once said.
        steps: the plan's steps as data.
        context: for whom it acts, as `tools.kernel.jobs.pack_context` writes it.
        note: what a person should know of it.
        tenant: whose it is.
    """

    source: str
    key: str
    due: datetime
    sentence: str
    steps: list[dict[str, Any]]
    context: dict[str, Any]
    note: str = ""
    tenant: str = field(default="default")


class PlanRuns:
    """The plans that were due, and what came of each; safe from several threads."""

    def __init__(self, database: Database, events: Events) -> None:
        self._database = database
        self._events = events
        self._runner: Callable[[], object] | None = None

    def attach(self, runner: Callable[[], object] | None) -> None:
        """Have a function called, from any thread, whenever a plan has become due."""
        self._runner = runner

    @staticmethod
    def add(session: Session, plan: DuePlan, status: str = DUE) -> PlanRunRow | None:
        """Store a due plan together with what made it due; None if it is stored already.

        Args:
            session: a writing session; call `announce` once it is committed.
            plan: the plan.
            status: `due`, or `skipped` for one that is only noted.
        """
        of_source = select(PlanRunRow).where(PlanRunRow.source == plan.source)
        if session.scalar(of_source.where(PlanRunRow.key == plan.key)) is not None:
            return None
        count = session.scalar(
            select(func.count()).select_from(PlanRunRow).where(PlanRunRow.source == plan.source)
        )
        row = PlanRunRow(
            tenant=plan.tenant, source=plan.source, key=plan.key, number=int(count or 0) + 1,
            due=plan.due, sentence=plan.sentence, steps=plan.steps, context=plan.context,
            note=plan.note, status=status, receipts=[],
        )  # fmt: skip
        session.add(row)
        session.flush()
        return row

    def announce(self, row: PlanRunRow) -> None:
        """Tell that a stored plan is due."""
        self._tell(row)
        if self._runner is not None and row.status == DUE:
            self._runner()

    def due(self) -> list[PlanRunRow]:
        """The plans that nobody has begun yet, oldest first."""
        return self._with_status((DUE,))

    def open(self) -> list[PlanRunRow]:
        """The plans that were begun and have not ended, oldest first."""
        return self._with_status(OPEN[1:])

    def of(self, source: str, limit: int = 20) -> list[PlanRunRow]:
        """The newest runs of a source, newest first."""
        query = select(PlanRunRow).where(PlanRunRow.source == source)
        with self._database.session() as session:
            ordered = query.order_by(PlanRunRow.number.desc()).limit(limit)
            return list(session.scalars(ordered).all())

    def begun(self, run: int, turn: str) -> None:
        """Note by which turn a run is carried out."""
        self._change(PlanRunRow.id == run, status="running", turn=turn, began=now())

    def note(self, turn: str, status: str, note: str, receipts: list[str]) -> None:
        """Note how a run stands that is carried out by a turn; other turns are ignored."""
        with self._database.session() as session:
            if session.scalar(select(PlanRunRow.id).where(PlanRunRow.turn == turn)) is None:
                return  # most turns are nobody's run, and need not wait for the only writer
        ended = None if status in OPEN else now()
        self._change(
            PlanRunRow.turn == turn, status=status, note=note, receipts=receipts, ended=ended
        )

    def fail(self, run: int, note: str) -> None:
        """End a run that could not begin, or that nobody can end any more."""
        self._change(PlanRunRow.id == run, status="failed", note=note, ended=now())

    def _change(self, which: Any, **values: Any) -> None:
        with self._database.writing() as session:
            changed = session.scalars(
                update(PlanRunRow).where(which).values(**values).returning(PlanRunRow)
            ).all()
        for row in changed:
            self._tell(row)

    def _tell(self, row: PlanRunRow) -> None:
        data = {"source": row.source, "run": row.number, "status": row.status, "turn": row.turn}
        self._events.publish(TOPIC, f"plan.{row.status}", data, row.tenant)

    def _with_status(self, statuses: tuple[str, ...]) -> list[PlanRunRow]:
        query = select(PlanRunRow).where(PlanRunRow.status.in_(statuses))
        with self._database.session() as session:
            return list(session.scalars(query.order_by(PlanRunRow.id)).all())
