"""Change freezes: while one stands, nothing new is rolled out; putting devices back always may."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import or_, select, update

from tools.deployment.tables import FreezeRow
from tools.kernel.errors import Conflict
from tools.kernel.storage import now

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy.orm import Session

    from tools.kernel.kernel import Kernel


class Freezes:
    """The freezes of every tenant; safe to use from several threads.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._database = kernel.database

    def active(self, tenant: str, group: str | None) -> FreezeRow | None:
        """The newest freeze that stands for a group; for None only one of all groups counts."""
        of_all = FreezeRow.group.is_(None)
        query = select(FreezeRow).where(
            FreezeRow.tenant == tenant,
            FreezeRow.lifted.is_(None),
            or_(FreezeRow.until.is_(None), FreezeRow.until > now()),
            of_all if group is None else or_(of_all, FreezeRow.group == group),
        )
        with self._database.session() as session:
            return session.scalar(query.order_by(FreezeRow.id.desc()).limit(1))

    def check(self, tenant: str, group: str) -> None:
        """Refuse what a freeze forbids.

        Raises:
            Conflict: a freeze stands, with its reason and its end.
        """
        if (found := self.active(tenant, group)) is not None:
            raise Conflict(
                f"{told(found)}; nothing was changed.",
                hint="`deployment.unfreeze` lifts it; putting devices back is always allowed.",
            )

    def declare(
        self, tenant: str, group: str | None, reason: str, until: datetime | None, by: str
    ) -> FreezeRow:
        """Declare a freeze; one that stands for the same group is replaced."""
        with self._database.writing() as session:
            self._lift(session, tenant, group)
            row = FreezeRow(tenant=tenant, group=group, reason=reason, until=until, declared_by=by)
            session.add(row)
            session.flush()
        return row

    def lift(self, tenant: str, group: str | None) -> int:
        """Lift the freezes of a group, or those of all groups; answers how many there were."""
        with self._database.session() as session:
            return self._lift(session, tenant, group)

    def _lift(self, session: Session, tenant: str, group: str | None) -> int:
        lifted = session.execute(
            update(FreezeRow)
            .where(
                FreezeRow.tenant == tenant,
                FreezeRow.lifted.is_(None),
                FreezeRow.group.is_(None) if group is None else FreezeRow.group == group,
            )
            .values(lifted=now())
            .returning(FreezeRow.id)
        )
        return len(lifted.all())


def told(row: FreezeRow) -> str:
    """A freeze as a person reads it."""
    what = row.group or "all groups"
    until = f" until {row.until:%Y-%m-%d %H:%M} UTC" if row.until else ""
    return f"A change freeze of {what} stands{until} ({row.reason}, by {row.declared_by})"
