"""Idempotency keys: the second call with a key gets the first one's receipt, and acts not again."""

from __future__ import annotations

from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from tools.kernel.errors import Conflict
from tools.kernel.identity import RequestContext
from tools.kernel.storage import Database
from tools.kernel.tables import IdempotencyRow


class Idempotency:
    """Claims of keys, per tenant and principal; safe from several threads and processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, key: str, digest: str, context: RequestContext) -> str | None:
        """Take a key for a call.

        Returns:
            None if the caller should act, else the id of the receipt of the call that did.

        Raises:
            Conflict: if the key belongs to another call, or its first call still runs.
        """
        row = IdempotencyRow(
            tenant=context.tenant, principal=context.principal.name, key=key, digest=digest
        )
        try:
            with self._database.session() as session:
                session.add(row)
            return None
        except IntegrityError:
            return self._known(key, digest, context)

    def _known(self, key: str, digest: str, context: RequestContext) -> str:
        with self._database.session() as session:
            row = session.scalar(select(IdempotencyRow).where(*_where(key, context)))
        if row is None or row.receipt is None:
            raise Conflict(f"The first call with the idempotency key {key!r} still runs.")
        if row.digest != digest:
            raise Conflict(f"The idempotency key {key!r} was used for another call.")
        return row.receipt

    def settle(self, key: str, receipt: str, context: RequestContext) -> None:
        """Note the receipt of the call that the key stands for."""
        with self._database.session() as session:
            session.execute(
                update(IdempotencyRow).where(*_where(key, context)).values(receipt=receipt)
            )

    def release(self, key: str, context: RequestContext) -> None:
        """Give the key back after a call that did nothing."""
        with self._database.session() as session:
            session.execute(delete(IdempotencyRow).where(*_where(key, context)))


def _where(key: str, context: RequestContext):  # noqa: ANN202
    return (
        IdempotencyRow.tenant == context.tenant,
        IdempotencyRow.principal == context.principal.name,
        IdempotencyRow.key == key,
    )
