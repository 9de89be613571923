"""Where experiments are kept, with the rows that were looked at."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy import select

from tools.evaluation.experiment_types import Experiment
from tools.evaluation.tables import ExperimentRow
from tools.kernel.errors import NotFound

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from tools.kernel.kernel import Kernel


class ExperimentStore:
    """Experiments by number; a change reads and writes under one lock.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._database = kernel.database

    def add(self, experiment: Experiment, tenant: str) -> Experiment:
        """Store a new one and answer with its number filled in."""
        with self._database.writing() as session:
            row = ExperimentRow(
                tenant=tenant,
                model=experiment.model,
                version=experiment.version,
                other_model=experiment.other_model,
                other_version=experiment.other_version,
                status=experiment.status,
                body={},
            )
            session.add(row)
            session.flush()
            numbered = experiment.model_copy(update={"id": row.id})
            row.body = {"experiment": numbered.model_dump(mode="json"), "seen": []}
        return numbered

    def get(self, number: int, tenant: str) -> tuple[Experiment, set[str]]:
        """An experiment, and the hashes of the texts that were looked at.

        Raises:
            NotFound: if there is none of that number.
        """
        with self._database.session() as session:
            row = self._row(session, number, tenant)
        return Experiment.model_validate(row.body["experiment"]), set(row.body["seen"])

    def change(
        self,
        number: int,
        tenant: str,
        change: Callable[[Experiment], Experiment],
        seen: tuple[str, ...] = (),
    ) -> Experiment:
        """Replace an experiment by what `change` makes of it, and remember further texts."""
        with self._database.writing() as session:
            row = self._row(session, number, tenant)
            changed = change(Experiment.model_validate(row.body["experiment"]))
            known = dict.fromkeys([*row.body["seen"], *seen])
            row.body = {"experiment": changed.model_dump(mode="json"), "seen": [*known]}
            row.status = changed.status
        return changed

    def remove(self, number: int, tenant: str) -> None:
        """Take one out."""
        with self._database.writing() as session:
            session.delete(self._row(session, number, tenant))

    def list(self, tenant: str, model: str | None = None) -> list[Experiment]:
        """Experiments, newest first, of one model (on either side) or of all."""
        query = select(ExperimentRow).filter_by(tenant=tenant).order_by(ExperimentRow.id.desc())
        with self._database.session() as session:
            rows = session.scalars(query).all()
        return [
            Experiment.model_validate(row.body["experiment"])
            for row in rows
            if model in (None, row.model, row.other_model)
        ]

    def _row(self, session: Session, number: int, tenant: str) -> ExperimentRow:
        row = session.get(ExperimentRow, number)
        if row is None or row.tenant != tenant:
            raise NotFound(
                f"There is no experiment {number}.", hint="`list the experiments` shows them."
            )
        return row
