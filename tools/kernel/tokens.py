"""Access tokens: handed out once, kept as SHA-256 hashes only (they are random, of 256 bits)."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sqlalchemy import select, update

from tools.kernel.errors import NotFound, Unauthenticated
from tools.kernel.storage import Database, now
from tools.kernel.tables import TokenRow

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

PREFIX = "ph_"
FIRST = "first"
"""The label of the token that a user is added with."""
_SHOWN = 8
_USED_EVERY = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Token:
    """A token as its holder sees it, without the token itself.

    Attributes:
        id: what `tokens revoke` takes.
        prefix: its first characters, by which it is recognised.
        scopes: what it lends; None if everything that its holder may do.
        audience: the one resource it is good for, with all below it: a path of the gateway
            (`/mcp`), or a URL; None if for any.
        expires: when it ends; None if never.
        used: when it was last shown, to the minute.
        revoked: when it was taken back.
    """

    id: str
    principal: str
    tenant: str
    label: str
    prefix: str
    scopes: frozenset[str] | None
    audience: str | None
    created: datetime
    expires: datetime | None
    used: datetime | None
    revoked: datetime | None

    @property
    def status(self) -> str:
        """`active`, `expired` or `revoked`."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now() else "active"


class Tokens:
    """Issue, find, revoke; safe to use from several threads and processes.

    Args:
        database: where they are kept.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        principal: str,
        tenant: str,
        label: str,
        *,
        scopes: frozenset[str] | None = None,
        lifetime: timedelta | None = None,
        audience: str | None = None,
    ) -> tuple[Token, str]:
        """A new token and its secret, which is shown this once and not kept."""
        with self._database.writing() as session:
            row, secret = self.issue(
                session,
                principal,
                tenant,
                label,
                scopes=scopes,
                lifetime=lifetime,
                audience=audience,
            )
            return _token(row), secret

    @staticmethod
    def issue(
        session: Session,
        principal: str,
        tenant: str,
        label: str,
        *,
        scopes: frozenset[str] | None = None,
        lifetime: timedelta | None = None,
        audience: str | None = None,
    ) -> tuple[TokenRow, str]:
        """The same within a transaction."""
        secret = PREFIX + secrets.token_urlsafe(32)
        row = TokenRow(
            id="T" + secrets.token_hex(5),
            principal=principal,
            tenant=tenant,
            label=label,
            prefix=secret[:_SHOWN],
            hash=hashed(secret),
            scopes=None if scopes is None else sorted(scopes),
            audience=audience,
            created=now(),
            expires=None if lifetime is None else now() + lifetime,
        )
        session.add(row)
        return row, secret

    def find(self, secret: str, audience: str | None = None, *, bound: bool = False) -> Token:
        """The token that a secret is; notes that it was used.

        Args:
            secret: as it was handed out.
            audience: the resource that it is shown to: its URL, or its path at the gateway.
            bound: True if a token that was made for no resource in particular is not enough.

        Raises:
            Unauthenticated: if it is none, has ended, or is bound to another audience.
        """
        with self._database.session() as session:
            row = session.scalar(select(TokenRow).where(TokenRow.hash == hashed(secret)))
        if row is None or row.revoked is not None:
            raise Unauthenticated("The token is not known here, or was taken back.")
        if row.expires is not None and row.expires <= now():
            raise Unauthenticated(
                f"The token expired at {row.expires:%Y-%m-%d %H:%M} UTC.",
                hint="`pilothouse tokens create` makes another.",
            )
        if row.audience is None and bound:
            raise Unauthenticated(
                f"The token was not made for {audience}.",
                hint="`pilothouse tokens create LABEL --for mcp` makes one for the MCP servers.",
            )
        if row.audience is not None and not covers(row.audience, audience):
            raise Unauthenticated(f"The token is good for {row.audience} only.")
        if row.used is None or now() - row.used > _USED_EVERY:
            self._note_use(row.id)
        return _token(row)

    def get(self, token: str, tenant: str) -> Token:
        """One token by its id.

        Raises:
            NotFound: if the tenant has none of that id.
        """
        with self._database.session() as session:
            row = session.get(TokenRow, token)
        if row is None or row.tenant != tenant:
            raise NotFound(f"There is no token {token[:40]!r}.")
        return _token(row)

    def list(self, tenant: str, principal: str | None = None) -> list[Token]:
        """A tenant's tokens, newest first; of one principal if named."""
        query = select(TokenRow).where(TokenRow.tenant == tenant)
        if principal is not None:
            query = query.where(TokenRow.principal == principal)
        with self._database.session() as session:
            rows = session.scalars(query.order_by(TokenRow.created.desc(), TokenRow.id)).all()
        return [_token(row) for row in rows]

    def revoke(self, token: str, tenant: str) -> None:
        """End a token at once; one that has ended stays as it is."""
        with self._database.session() as session:
            session.execute(
                update(TokenRow)
                .where(TokenRow.id == token, TokenRow.tenant == tenant, TokenRow.revoked.is_(None))
                .values(revoked=now())
            )

    @staticmethod
    def revoke_all(session: Session, principal: str, tenant: str) -> None:
        """End every token of a principal, within a transaction."""
        session.execute(
            update(TokenRow)
            .where(
                TokenRow.principal == principal,
                TokenRow.tenant == tenant,
                TokenRow.revoked.is_(None),
            )
            .values(revoked=now())
        )

    def _note_use(self, token: str) -> None:
        with self._database.session() as session:
            session.execute(update(TokenRow).where(TokenRow.id == token).values(used=now()))


def covers(bound: str, audience: str | None) -> bool:
    """True if a token for one resource is good for another: the same, or one below it.

    Args:
        bound: what the token was made for: a path of the gateway, or a whole URL.
        audience: the URL or path that it is shown to.
    """
    if audience is None or not bound.strip("/"):
        return False
    shown = audience if "://" in bound else urlsplit(audience).path
    return f"{shown}/".startswith(f"{bound.rstrip('/')}/")


def hashed(secret: str) -> str:
    """How a random secret is kept: SHA-256 in hex; it needs no salt and no slow hash."""
    return hashlib.sha256(secret.encode(errors="surrogatepass")).hexdigest()


def _token(row: TokenRow) -> Token:
    return Token(
        id=row.id,
        principal=row.principal,
        tenant=row.tenant,
        label=row.label,
        prefix=row.prefix,
        scopes=None if row.scopes is None else frozenset(row.scopes),
        audience=row.audience,
        created=row.created,
        expires=row.expires,
        used=row.used,
        revoked=row.revoked,
    )
