"""The records of rollouts, and the transactions in which they and the fleet change together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from tools.deployment.tables import RolloutRow, TargetRow
from tools.deployment.types import ListRollouts, RolloutState
from tools.devices.fleet import Fence
from tools.kernel.errors import Conflict, NotFound
from tools.kernel.periods import parse_period
from tools.kernel.storage import now

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tools.kernel.kernel import Kernel

OPEN = (
    RolloutState.RUNNING,
    RolloutState.CANARY,
    RolloutState.TESTING,
    RolloutState.SHADOW,
    RolloutState.ROLLING_BACK,
)
HOLDING = (RolloutState.CANARY, RolloutState.TESTING, RolloutState.SHADOW)
AB_TEST = "ab_test"
MOST_KNOWN = 8
"""Rollouts whose targets are kept in memory."""
AT_ONCE = 500
"""Targets that are marked by one statement; databases bound what one may name."""


@dataclass(frozen=True, slots=True)
class NewTarget:
    """A device as a new rollout finds it."""

    device: str
    before: list[dict[str, Any]]
    chosen: bool
    awaited: bool
    traffic: list[dict[str, Any]]
    wave: int = 0
    facts: dict[str, Any] = field(default_factory=dict[str, Any])
    form: str | None = None


class Rollouts:
    """Rollout records; safe to use from several threads.

    A group has at most one open rollout; the database holds that, whoever starts one.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._database = kernel.database
        self._targets: dict[int, tuple[int, list[TargetRow]]] = {}

    def create(
        self, row: RolloutRow, targets: Sequence[NewTarget], takes_over: int | None
    ) -> RolloutRow:
        """Store a new rollout with its targets.

        Raises:
            Conflict: the group has another open rollout.
        """
        try:
            with self._database.session() as session:
                if takes_over is not None:
                    self._take_over(session, takes_over)
                session.add(row)
                session.flush()
                if targets:
                    session.execute(insert(TargetRow), [_target(row, t) for t in targets])
        except IntegrityError as error:
            raise Conflict(f"Another rollout of {row.group} has just begun.") from error
        return row

    def get(self, tenant: str, rollout: int) -> RolloutRow:
        """One rollout.

        Raises:
            NotFound: there is none of that number.
        """
        with self._database.session() as session:
            row = session.get(RolloutRow, rollout)
        if row is None or row.tenant != tenant:
            raise NotFound(f"There is no rollout {rollout}.")
        return row

    def recent(self, tenant: str, limit: int = 200) -> list[RolloutRow]:
        """The newest rollouts, newest first."""
        query = select(RolloutRow).where(RolloutRow.tenant == tenant)
        with self._database.session() as session:
            return list(session.scalars(query.order_by(RolloutRow.id.desc()).limit(limit)))

    def matching(self, tenant: str, wanted: ListRollouts) -> list[RolloutRow]:
        """The rollouts that fit, newest first.

        Raises:
            InvalidInput: if the period is not understood.
        """
        begun = RolloutRow.made_within(parse_period(wanted.period, now()))
        query = select(RolloutRow).where(RolloutRow.tenant == tenant, *begun)
        fits = {
            RolloutRow.group: wanted.group,
            RolloutRow.model: wanted.model,
            RolloutRow.version: wanted.version,
            RolloutRow.state: wanted.state,
            RolloutRow.id: wanted.rollout,
        }
        query = query.where(*(column == value for column, value in fits.items() if value))
        if wanted.before is not None:
            query = query.where(RolloutRow.id < wanted.before)
        with self._database.session() as session:
            return list(session.scalars(query.order_by(RolloutRow.id.desc()).limit(wanted.limit)))

    def latest(self, tenant: str, group: str) -> RolloutRow | None:
        """The newest rollout of a group."""
        query = select(RolloutRow).where(RolloutRow.tenant == tenant, RolloutRow.group == group)
        with self._database.session() as session:
            return session.scalar(query.order_by(RolloutRow.id.desc()).limit(1))

    def open_of(self, tenant: str, group: str) -> RolloutRow | None:
        """The group's rollout that is not finished, if there is one."""
        query = select(RolloutRow).where(
            RolloutRow.tenant == tenant, RolloutRow.open_group == group
        )
        with self._database.session() as session:
            return session.scalar(query)

    def targets(self, rollout: int) -> list[TargetRow]:
        """A rollout's devices, by name; they are read again only after a fence has let one through.

        `touches` grows in the transaction of every change of them. It is read first: targets that
        are newer than it are read once more, none is ever older.
        """
        with self._database.session() as session:
            touches = session.scalar(select(RolloutRow.touches).where(RolloutRow.id == rollout))
            known = self._targets.get(rollout)
            if touches is not None and known is not None and known[0] == touches:
                return list(known[1])
            query = select(TargetRow).where(TargetRow.rollout == rollout)
            found = list(session.scalars(query.order_by(TargetRow.device)))
        if touches is not None:
            self._remember(rollout, touches, found)
        return list(found)

    def _remember(self, rollout: int, touches: int, targets: list[TargetRow]) -> None:
        known = {**self._targets, rollout: (touches, targets)}
        self._targets = dict(list(known.items())[-MOST_KNOWN:])

    def fence(
        self,
        rollout: int,
        *,
        touch: Sequence[str] = (),
        become: Mapping[str, Any] | None = None,
        states: Sequence[RolloutState] = (RolloutState.RUNNING,),
        paused: bool | None = False,
        exclude: Sequence[str] = (),
        seen: int | None = None,
    ) -> Fence:
        """A fence for `Fleet.change_desired`: goes on only while the rollout stands as it should.

        Args:
            rollout: its number.
            touch: devices to be marked as changed by it.
            become: columns of the rollout to set in the same transaction.
            states: states in which the change may be made.
            paused: what its pause flag has to be; None if that does not matter.
            exclude: devices that it is to leave alone from now on.
            seen: the `touches` of the record that the change was computed from; None if that
                does not matter.
        """

        def check(session: Session) -> bool:
            query = update(RolloutRow).where(
                RolloutRow.id == rollout, RolloutRow.state.in_([s.value for s in states])
            )
            if paused is not None:
                query = query.where(RolloutRow.paused.is_(paused))
            if seen is not None:
                query = query.where(RolloutRow.touches == seen)
            values = {"touches": RolloutRow.touches + 1, **(become or {})}
            if session.execute(query.values(**values).returning(RolloutRow.id)).first() is None:
                return False
            _mark(session, rollout, touch, touched=True)
            _mark(session, rollout, exclude, excluded=True)
            return True

        return check

    def change(self, rollout: int, states: Sequence[RolloutState], **values: Any) -> bool:
        """Set columns of a rollout if it is in one of these states; answers whether it was."""
        with self._database.session() as session:
            return self.fence(rollout, become=values, states=states, paused=None)(session)

    def holds(self, row: RolloutRow, hold: str | None) -> None:
        """Note what a rollout waits for; written only when it is something else than before."""
        if row.hold != hold:
            query = update(RolloutRow).where(RolloutRow.id == row.id).values(hold=hold)
            with self._database.session() as session:
                session.execute(query)

    def of_job(self, job: int) -> RolloutRow | None:
        """The rollout that a job has begun, if it has."""
        with self._database.session() as session:
            return session.scalar(select(RolloutRow).where(RolloutRow.job == job))

    def _take_over(self, session: Session, rollout: int) -> None:
        become = closing(RolloutState.PROMOTED)
        if not self.fence(rollout, become=become, states=HOLDING)(session):
            raise Conflict(f"Rollout {rollout} no longer holds, or is paused.")


def closing(state: RolloutState, **values: Any) -> dict[str, Any]:
    """The columns of a rollout that is finished."""
    return {"state": state.value, "open_group": None, "ended": now(), **values}


def _mark(session: Session, rollout: int, names: Sequence[str], **marks: bool) -> None:
    """Mark targets of a rollout, many in a few statements."""
    for start in range(0, len(names), AT_ONCE):
        some = list(names[start : start + AT_ONCE])
        session.execute(
            update(TargetRow)
            .where(TargetRow.rollout == rollout, TargetRow.device.in_(some))
            .values(**marks),
            execution_options={"synchronize_session": False},
        )


def _target(row: RolloutRow, target: NewTarget) -> dict[str, Any]:
    return {
        "tenant": row.tenant,
        "rollout": row.id,
        "device": target.device,
        "before": target.before,
        "chosen": target.chosen,
        "awaited": target.awaited,
        "traffic_before": target.traffic,
        "facts_before": target.facts,
        "wave": target.wave,
        "form": target.form,
    }
