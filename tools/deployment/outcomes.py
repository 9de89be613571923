"""How requests ended, told later: labels that came late, tickets that were solved."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from tools.deployment.experiment_types import OutcomeRecorded
from tools.deployment.judging import NOTHING, Told
from tools.deployment.tables import OutcomeRow, RolloutRow
from tools.evaluation.sequential import Counted

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel


class Outcomes:
    """The outcomes of every rollout and A/B test; safe to use from several threads.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._database = kernel.database

    def add(self, row: RolloutRow, key: str, version: int, success: bool) -> OutcomeRecorded:
        """Note how a request ended; a second outcome of the same key changes nothing.

        Args:
            row: the rollout or test that it counts for.
            key: what the device was asked with.
            version: the version that had answered.
            success: whether it ended well.
        """
        told = {"tenant": row.tenant, "rollout": row.id, "key": key}
        new = True
        try:
            with self._database.session() as session:
                session.add(OutcomeRow(**told, version=version, value=float(success)))
        except IntegrityError:
            new = False
        with self._database.session() as session:
            stored = session.scalars(select(OutcomeRow).filter_by(**told)).one()
        return OutcomeRecorded(
            rollout=row.id,
            key=key,
            version=stored.version,
            success=bool(stored.value),
            recorded=new,
            outcomes=sum(counted.trials for counted in self.counted(row.id).values()),
        )

    def counted(self, rollout: int) -> dict[int, Counted]:
        """How many outcomes of each version there are, and how many were good."""
        query = (
            select(OutcomeRow.version, func.sum(OutcomeRow.value), func.count(OutcomeRow.id))
            .where(OutcomeRow.rollout == rollout)
            .group_by(OutcomeRow.version)
        )
        with self._database.session() as session:
            return {v: Counted(int(good or 0), n) for v, good, n in session.execute(query)}

    def told(self, rollout: int, version: int) -> Told:
        """The outcomes of a rollout's version beside those of all others."""
        counted = self.counted(rollout)
        others = [c for v, c in counted.items() if v != version]
        former = Counted(sum(c.successes for c in others), sum(c.trials for c in others))
        return Told(former, counted.get(version, NOTHING))
