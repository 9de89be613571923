"""Failed sign-ins: each one too many doubles the wait, per account and address, and per account.

Rows are keyed by hashes and made for unknown accounts too, so that neither the answers nor the
table tell which accounts there are.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from tools.kernel.errors import TooManyRequests
from tools.kernel.storage import Database, now
from tools.kernel.tables import LoginFailureRow
from tools.kernel.tokens import hashed

FREE_FROM_ONE_ADDRESS = 5
FREE_FROM_ANYWHERE = 50
LONGEST_WAIT = timedelta(minutes=15)
FORGOTTEN_AFTER = timedelta(hours=1)
ANYWHERE = "*"


class Lockout:
    """Counts failures; safe to use from several threads and processes.

    Args:
        database: where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def check(self, account: str, address: str) -> None:
        """Let an attempt pass.

        Raises:
            TooManyRequests: while the account is locked for this address.
        """
        keys = [_key(account, address), _key(account, ANYWHERE)]
        with self._database.session() as session:
            rows = session.scalars(select(LoginFailureRow).where(LoginFailureRow.key.in_(keys)))
            until = max((r.until for r in rows if r.until is not None), default=None)
        if until is not None and until > now():
            raise locked(until)

    def failed(self, account: str, address: str) -> datetime | None:
        """Count a failure; until when the account is locked for this address, if it is."""
        with self._database.writing() as session:
            session.execute(
                delete(LoginFailureRow).where(LoginFailureRow.last < now() - FORGOTTEN_AFTER)
            )
            here = self._count(session, account, address, FREE_FROM_ONE_ADDRESS)
            anywhere = self._count(session, account, ANYWHERE, FREE_FROM_ANYWHERE)
        return max((t for t in (here, anywhere) if t is not None), default=None)

    def forget(self, account: str, address: str | None = None) -> None:
        """Start counting anew: after a success from an address, or for all when unlocked."""
        query = delete(LoginFailureRow).where(LoginFailureRow.account == hashed(account))
        if address is not None:
            query = query.where(LoginFailureRow.key == _key(account, address))
        with self._database.session() as session:
            session.execute(query)

    def is_locked(self, account: str) -> bool:
        """True if the account is locked for some address."""
        query = select(LoginFailureRow.key).where(
            LoginFailureRow.account == hashed(account), LoginFailureRow.until > now()
        )
        with self._database.session() as session:
            return session.scalar(query.limit(1)) is not None

    @staticmethod
    def _count(session: Session, account: str, address: str, free: int) -> datetime | None:
        key = _key(account, address)
        row = session.get(LoginFailureRow, key) or LoginFailureRow(
            key=key, account=hashed(account), failures=0
        )
        row.failures, row.last = row.failures + 1, now()
        over = row.failures - free
        row.until = None if over < 0 else now() + _wait(over)
        session.add(row)
        return row.until


def locked(until: datetime) -> TooManyRequests:
    """What a locked account answers."""
    seconds = max(1, round((until - now()).total_seconds()))
    return TooManyRequests(
        "Too many failed attempts to sign in.",
        hint=f"Try again in {seconds} s, or ask an admin for `pilothouse users unlock`.",
        retry_after=seconds,
    )


def account_key(tenant: str, name: str) -> str:
    """How an account is counted; names that differ in case only count together."""
    return f"{tenant}/{name.casefold()}"


def _wait(over: int) -> timedelta:
    return min(LONGEST_WAIT, timedelta(seconds=2 ** min(over, 20)))


def _key(account: str, address: str) -> str:
    return hashed(f"{account}\0{address}")
