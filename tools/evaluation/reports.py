"""Where reports of every kind beside results and comparisons are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from sqlalchemy import select

from tools.evaluation.tables import ReportRow
from tools.kernel.errors import NotFound
from tools.kernel.operations import Evidence, Result

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

R = TypeVar("R", bound=Result)


class ReportStore:
    """Reports by kind; each is stored once for the key of what made it.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._database = kernel.database

    def add(
        self, kind: str, key: str, tenant: str, model: str, version: int | None, report: R
    ) -> R:
        """Store a report and answer with its number (`id`) filled in; one of its key stays."""
        with self._database.writing() as session:
            row = session.scalar(select(ReportRow).filter_by(tenant=tenant, kind=kind, key=key))
            if row is None:
                row = ReportRow(
                    tenant=tenant, kind=kind, key=key, model=model, version=version, body={}
                )
                session.add(row)
                session.flush()
                row.body = report.model_copy(update={"id": row.id}).model_dump(mode="json")
            return type(report).model_validate(row.body)

    def find(self, kind: str, key: str, tenant: str, shape: type[R]) -> R | None:
        """The report of a key, if there is one."""
        query = select(ReportRow).filter_by(tenant=tenant, kind=kind, key=key)
        with self._database.session() as session:
            row = session.scalar(query)
        return None if row is None else shape.model_validate(row.body)

    def newest(
        self, kind: str, tenant: str, shape: type[R], model: str | None = None, limit: int = 20
    ) -> list[R]:
        """The newest reports of a kind, of one model or of all."""
        query = select(ReportRow).filter_by(tenant=tenant, kind=kind)
        if model is not None:
            query = query.filter_by(model=model)
        with self._database.session() as session:
            rows = session.scalars(query.order_by(ReportRow.id.desc()).limit(limit)).all()
        return [shape.model_validate(row.body) for row in rows]

    def evidence(self, number: int, tenant: str, *names: str) -> list[Evidence]:
        """Stored figures of a report.

        Raises:
            NotFound: if there is no report of that number.
        """
        with self._database.session() as session:
            row = session.get(ReportRow, number)
        if row is None or row.tenant != tenant:
            raise NotFound(f"There is no report {number}.")
        return [
            Evidence(
                fact=f"{name} of {row.kind} report {number}",
                value=row.body.get(name),
                source="evaluation reports",
            )
            for name in names
        ]
