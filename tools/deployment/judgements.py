"""Keeping how steps were judged: the evidence of a rollback, and the curves that people see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from tools.deployment.judgement_types import Judgement, Metric
from tools.deployment.judging import Judged
from tools.deployment.tables import JudgementRow, RolloutRow
from tools.kernel.storage import now

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

LEAST_SECONDS = 1.0
GROWTH = 0.02
"""Share of a rollout's age that lies between two notes of it: there are a few hundred at most."""


class Judgements:
    """The judgements of every rollout; safe to use from several threads.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._database = kernel.database

    def keep(self, row: RolloutRow, step: int, judged: Judged, *, final: bool) -> None:
        """Note a judgement: the last one of a step always, others now and then."""
        newest = self.newest(row.tenant, row.id)
        moment = now()
        if newest is not None and not final:
            apart = max(LEAST_SECONDS, GROWTH * (moment - row.created).total_seconds())
            if newest.step == step + 1 and (moment - newest.at).total_seconds() < apart:
                return
        with self._database.session() as session:
            session.add(
                JudgementRow(
                    tenant=row.tenant,
                    rollout=row.id,
                    step=step + 1,
                    verdict=judged.verdict,
                    says=judged.says,
                    metrics=[_finite(m) for m in judged.metrics],
                )
            )

    def newest(self, tenant: str, rollout: int) -> Judgement | None:
        """How a rollout was judged last."""
        found = self.of(tenant, rollout, 1)
        return found[0] if found else None

    def of(self, tenant: str, rollout: int, limit: int = 500) -> list[Judgement]:
        """A rollout's judgements, newest first."""
        query = (
            select(JudgementRow)
            .where(JudgementRow.tenant == tenant, JudgementRow.rollout == rollout)
            .order_by(JudgementRow.id.desc())
            .limit(limit)
        )
        with self._database.session() as session:
            rows = list(session.scalars(query))
        return [
            Judgement(
                at=row.created,
                step=row.step,
                verdict=row.verdict,
                says=row.says,
                metrics=[Metric.model_validate(m) for m in row.metrics],
            )
            for row in rows
        ]


def _finite(metric: Metric) -> dict[str, object]:
    """A metric as JSON; evidence beyond any doubt is cut off at a billion."""
    return metric.model_copy(update={"evidence": min(metric.evidence, 1e9)}).model_dump()
