"""Idempotency keys: the second call with a key gets the first one's receipt, and acts not again.

A claim notes which process makes the call and whether it acts already, so that a key whose caller
was killed is neither lost for ever nor lets an act happen twice.
"""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from functools import cache

from sqlalchemy import delete, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tools.kernel.errors import Conflict, InvalidInput
from tools.kernel.identity import RequestContext
from tools.kernel.storage import Database, now
from tools.kernel.tables import IdempotencyRow

LONGEST = 200
FOREIGN = timedelta(hours=1)


class Idempotency:
    """Claims of keys, per tenant and principal; safe from several threads and processes."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(
        self, key: str, digest: str, context: RequestContext, *, repeatable: bool = False
    ) -> str | None:
        """Take a key for a call.

        Args:
            key: 1 to 200 characters.
            digest: of the call that is to be made under it.
            context: who calls.
            repeatable: True if a call that was cut off while it acted may simply be made again.

        Returns:
            None if the caller should act, else the id of the receipt of the call that did.

        Raises:
            InvalidInput: if it is no key.
            Conflict: if the key belongs to another call, its first call still runs, or was cut off
                while it acted.
        """
        if not 0 < len(key) <= LONGEST or not key.isprintable():
            raise InvalidInput(f"An idempotency key has 1 to {LONGEST} printable characters.")
        row = {"tenant": context.tenant, "principal": context.principal.name, "key": key}
        try:
            with self._database.session() as session:
                session.execute(
                    insert(IdempotencyRow).values(**row, digest=digest, claimant=claimant())
                )
            return None
        except IntegrityError:
            return self._known(key, digest, context, repeatable)

    def _known(
        self, key: str, digest: str, context: RequestContext, repeatable: bool
    ) -> str | None:
        with self._database.writing() as session:
            row = session.scalar(select(IdempotencyRow).where(*_where(key, context)))
            if row is not None and row.digest != digest:
                raise Conflict(f"The idempotency key {key!r} was used for another call.")
            if row is not None and row.receipt is not None:
                return row.receipt
            if row is None or _alive(row, shared=not self._database.is_sqlite):
                raise Conflict(f"The first call with the idempotency key {key!r} still runs.")
            if row.acting and not repeatable:
                raise Conflict(
                    f"The first call with the idempotency key {key!r} was cut off while it acted.",
                    hint="See what stands now, and ask anew under another key.",
                )
            row.claimant, row.acting = claimant(), False
        return None

    def acting(self, key: str, context: RequestContext, session: Session) -> None:
        """Note that the key's call acts from now on."""
        session.execute(update(IdempotencyRow).where(*_where(key, context)).values(acting=True))

    def settle(self, key: str, receipt: str, context: RequestContext, session: Session) -> None:
        """Note the receipt of the call that the key stands for."""
        session.execute(update(IdempotencyRow).where(*_where(key, context)).values(receipt=receipt))

    def release(self, key: str, context: RequestContext) -> None:
        """Give the key back after a call that did nothing."""
        with self._database.session() as session:
            session.execute(
                delete(IdempotencyRow).where(
                    *_where(key, context), IdempotencyRow.receipt.is_(None)
                )
            )


def claimant() -> str:
    """This process, so that another can tell whether it still lives: host, number, start time."""
    return f"{socket.gethostname()[:100]}/{os.getpid()}/{_began(os.getpid())}"


@cache
def _began(process: int) -> str | None:
    """When a process of this host began; None if there is none of that number."""
    import psutil

    try:
        return f"{psutil.Process(process).create_time():.2f}"
    except psutil.NoSuchProcess:
        return None


def _alive(row: IdempotencyRow, shared: bool) -> bool:
    """True if the process of a claim lives.

    Args:
        row: the claim.
        shared: True if processes of other hosts use the database too. They cannot be looked at,
            and count as alive for an hour. A home of its own has one host: another one's name
            means that the container was made anew.
    """
    host, _, rest = row.claimant.partition("/")
    number, _, began = rest.partition("/")
    if host != socket.gethostname()[:100]:
        return shared and now() - row.created < FOREIGN
    _began.cache_clear()
    return number.isdecimal() and _began(int(number)) == began


def _where(key: str, context: RequestContext):
    return (
        IdempotencyRow.tenant == context.tenant,
        IdempotencyRow.principal == context.principal.name,
        IdempotencyRow.key == key,
    )
