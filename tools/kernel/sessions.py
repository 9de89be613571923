"""Signed-in sessions: short, rotated, kept as hashes in the database, so that any process knows.

A session is over when it was idle too long, reached its longest age, was signed out, or when its
principal's roles or password changed (the principal's `epoch` moved on). Its secret is replaced
every few minutes. The one before stays good until the new one was shown, because its answer may
have been lost, and then for some seconds, for requests under way; later it betrays that two have
the session, which then ends for both.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, or_, select, update

from tools.kernel.errors import Unauthenticated
from tools.kernel.identity import Principal
from tools.kernel.principals import Account, Principals
from tools.kernel.storage import Database, now
from tools.kernel.tables import SessionRow
from tools.kernel.tokens import hashed

if TYPE_CHECKING:
    from tools.kernel.settings import Settings

GRACE = timedelta(seconds=30)
_SEEN_EVERY = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that holds.

    Attributes:
        id: names it in the audit; no secret.
        csrf: what forms and scripts of its pages send back.
        secret: what the cookie should hold from now on; None if it stays.
    """

    id: str
    principal: Principal
    csrf: str
    secret: str | None = None


class Sessions:
    """Open, find, close; safe to use from several threads and processes.

    Args:
        database: where they are kept.
        principals: whose they are.
        settings: how long they last.
    """

    def __init__(self, database: Database, principals: Principals, settings: Settings) -> None:
        self._database = database
        self._principals = principals
        self._idle = timedelta(minutes=settings.session_idle_minutes)
        self._longest = timedelta(hours=settings.session_hours)
        self._rotate = timedelta(minutes=settings.session_rotate_minutes)

    def open(self, account: Account) -> SignedIn:
        """A new session of somebody who has just proved who they are."""
        secret, moment = secrets.token_urlsafe(32), now()
        row = SessionRow(
            id="S" + secrets.token_hex(5),
            principal=account.principal.name,
            tenant=account.principal.tenant,
            epoch=account.epoch,
            hash=hashed(secret),
            csrf=secrets.token_urlsafe(32),
            created=moment,
            rotated=moment,
            seen=moment,
            expires=moment + self._longest,
        )
        with self._database.session() as session:
            session.execute(delete(SessionRow).where(SessionRow.expires < moment))
            session.add(row)
        return SignedIn(row.id, account.principal, row.csrf, secret)

    def find(self, secret: str, *, rotate: bool = False) -> SignedIn:
        """The session that a cookie stands for.

        Args:
            secret: the cookie's.
            rotate: True if a new secret can be handed out with the answer.

        Raises:
            Unauthenticated: if there is none, or it is over.
        """
        row, account = self._standing(secret)
        moment, shown = now(), hashed(secret)
        newest = row.hash == shown
        if rotate and moment - row.rotated > (self._rotate if newest else GRACE):
            return SignedIn(row.id, account.principal, row.csrf, self._rotated(row, shown))
        if newest and (not _confirmed(row) or moment - row.seen > min(_SEEN_EVERY, self._idle / 4)):
            self._change(row, seen=moment)
        return SignedIn(row.id, account.principal, row.csrf)

    def holds(self, session_id: str) -> bool:
        """True while the session of that id is not over: what long connections ask now and then."""
        with self._database.session() as session:
            row = session.get(SessionRow, session_id)
        return row is not None and self._holder(row) is not None

    def close(self, secret: str) -> SignedIn | None:
        """Sign out; the session that was closed, or None if there was none."""
        try:
            found = self.find(secret)
        except Unauthenticated:
            return None
        with self._database.session() as session:
            session.execute(delete(SessionRow).where(SessionRow.id == found.id))
        return found

    def _standing(self, secret: str) -> tuple[SessionRow, Account]:
        key = hashed(secret)
        with self._database.session() as session:
            row = session.scalar(
                select(SessionRow).where(or_(SessionRow.hash == key, SessionRow.previous == key))
            )
        account = None if row is None else self._holder(row)
        if row is None or account is None:
            raise Unauthenticated("The session is over.", hint="Sign in again.")
        if row.hash != key and _confirmed(row) and now() - row.rotated > GRACE:
            with self._database.session() as session:
                session.execute(delete(SessionRow).where(SessionRow.id == row.id))
            raise Unauthenticated("The session is over.", hint="Sign in again.")
        return row, account

    def _holder(self, row: SessionRow) -> Account | None:
        """Whose session it is; None if it is over."""
        moment = now()
        if row.expires <= moment or moment - row.seen > self._idle:
            return None
        account = self._principals.account(row.principal, row.tenant)
        return account if account is not None and account.epoch == row.epoch else None

    def _rotated(self, row: SessionRow, shown: str) -> str | None:
        secret, moment = secrets.token_urlsafe(32), now()
        with self._database.session() as session:
            changed = session.execute(
                update(SessionRow)
                .where(SessionRow.id == row.id, SessionRow.hash == row.hash)
                .values(hash=hashed(secret), previous=shown, rotated=moment, seen=moment)
                .returning(SessionRow.id)
            ).first()
        return secret if changed else None

    def _change(self, row: SessionRow, **values: object) -> None:
        with self._database.session() as session:
            session.execute(update(SessionRow).where(SessionRow.id == row.id).values(**values))


def _confirmed(row: SessionRow) -> bool:
    """True if the newest secret was shown since it was handed out."""
    return row.seen > row.rotated
