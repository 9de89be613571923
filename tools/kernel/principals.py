"""The principals of a home: the owner, who has its folder, and those added by name."""

from __future__ import annotations

import hashlib
import secrets
import unicodedata

from sqlalchemy import select
from sqlalchemy.orm import Session

from tools.kernel.errors import Conflict, InvalidInput, NotFound, Unauthenticated
from tools.kernel.identity import Principal, Role
from tools.kernel.storage import Database
from tools.kernel.tables import PrincipalRow

OWNER = "owner"


class Principals:
    """Who is known here; tokens are kept as SHA-256 hashes only (they are random, of 256 bits)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def local(self) -> Principal:
        """The person who has the home folder: `owner`, with every role."""
        return Principal(OWNER, frozenset(Role))

    def add(self, name: str, roles: frozenset[Role], tenant: str = "default") -> str:
        """Add a principal; returns the token, which is shown this once and not kept.

        Raises:
            Conflict: if the name is taken.
            InvalidInput: if the name is empty, too long, or no role is given.
        """
        if name != name.strip() or not name.isprintable() or not 0 < len(name) <= 128:
            raise InvalidInput("A user's name has 1 to 128 printable characters, no space around.")
        if not roles:
            raise InvalidInput("A user needs at least one role.")
        token = "ph_" + secrets.token_urlsafe(32)
        with self._database.writing() as session:
            known = session.scalar(_named(name, tenant))
            if _alike(name) in self._taken(session, tenant):
                raise Conflict(f"There is a user named {name!r}, or very much like it, already.")
            row = known or PrincipalRow(name=name, tenant=tenant)
            row.roles, row.active = sorted(r.value for r in roles), True
            row.token_hash = _hash(token)
            session.add(row)
        return token

    @staticmethod
    def _taken(session: Session, tenant: str) -> set[str]:
        query = select(PrincipalRow.name).where(PrincipalRow.tenant == tenant, PrincipalRow.active)
        return {_alike(OWNER), *(_alike(name) for name in session.scalars(query))}

    def remove(self, name: str, tenant: str = "default") -> None:
        """Take a principal's access away at once; its name stays in what it did.

        Raises:
            NotFound: if there is none of that name.
        """
        with self._database.session() as session:
            row = session.scalar(_named(name, tenant))
            if row is None or not row.active:
                raise NotFound(f"There is no user named {name!r}.")
            row.active, row.token_hash = False, None

    def list(self, tenant: str = "default") -> list[Principal]:
        """The owner and all active principals."""
        query = select(PrincipalRow).where(PrincipalRow.tenant == tenant, PrincipalRow.active)
        with self._database.session() as session:
            rows = session.scalars(query.order_by(PrincipalRow.name)).all()
        return [self.local(), *(_principal(r) for r in rows)]

    def current(self, principal: Principal) -> Principal:
        """The principal as it stands now: plans and jobs outlive what a role was when they began.

        One that is not kept here (the owner, or who comes from elsewhere) stays as it is.

        Raises:
            Unauthenticated: if it was removed.
        """
        if principal.name == OWNER:
            return principal
        with self._database.session() as session:
            row = session.scalar(_named(principal.name, principal.tenant))
        if row is None:
            return principal
        if not row.active:
            raise Unauthenticated(f"{principal.name} was removed.")
        return Principal(principal.name, principal.roles & _principal(row).roles, principal.tenant)

    def by_token(self, token: str) -> Principal:
        """The principal that holds a token.

        Raises:
            Unauthenticated: if nobody does.
        """
        query = select(PrincipalRow).where(PrincipalRow.token_hash == _hash(token))
        with self._database.session() as session:
            row = session.scalar(query)
        if row is None or not row.active:
            raise Unauthenticated("The token is not known here, or was taken back.")
        return _principal(row)


def _named(name: str, tenant: str):
    return select(PrincipalRow).where(PrincipalRow.tenant == tenant, PrincipalRow.name == name)


def _principal(row: PrincipalRow) -> Principal:
    return Principal(row.name, frozenset(Role(r) for r in row.roles), row.tenant)


def _alike(name: str) -> str:
    """Names that a person could take for one another are alike."""
    return unicodedata.normalize("NFKC", name).casefold()


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
