"""The principals of a home: the owner, who has its folder, and those added by name."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from tools.kernel.errors import Conflict, InvalidInput, NotFound, Unauthenticated
from tools.kernel.identity import Principal, Role
from tools.kernel.storage import Database
from tools.kernel.tables import PrincipalRow
from tools.kernel.tokens import FIRST, Tokens

OWNER = "owner"
DEFAULT_TENANT = "default"


@dataclass(frozen=True, slots=True)
class Account:
    """How a principal signs in.

    Attributes:
        epoch: grows with each change of roles or password.
        password: the password's hash, if there is one.
        issuer: the identity provider that vouches for it, if one does.
    """

    principal: Principal
    epoch: int
    password: str | None
    issuer: str | None


class Principals:
    """Who is known here; safe to use from several threads and processes.

    Args:
        database: where they are kept.
        tokens: their access tokens.
    """

    def __init__(self, database: Database, tokens: Tokens) -> None:
        self._database = database
        self._tokens = tokens

    def local(self) -> Principal:
        """The person who has the home folder: `owner`, with every role."""
        return Principal(OWNER, frozenset(Role))

    def add(self, name: str, roles: frozenset[Role], tenant: str = DEFAULT_TENANT) -> str:
        """Add a principal; returns the first token, which is shown this once and not kept.

        Raises:
            Conflict: if the name is taken.
            InvalidInput: if the name is empty, too long, or no role is given.
        """
        with self._database.writing() as session:
            self._add(session, name, roles, tenant)
            return self._tokens.issue(session, name, tenant, FIRST)[1]

    def add_account(
        self,
        name: str,
        roles: frozenset[Role],
        tenant: str = DEFAULT_TENANT,
        *,
        password: str | None = None,
        issuer: str | None = None,
        subject: str | None = None,
    ) -> None:
        """Add a principal who signs in by password (its hash is given), or by a provider's word.

        Raises:
            Conflict: if the name is taken.
            InvalidInput: if the name is empty, too long, or no role is given.
        """
        with self._database.writing() as session:
            row = self._add(session, name, roles, tenant)
            row.password_hash = password
            if issuer is not None:
                row.issuer, row.subject = issuer, subject

    def _add(
        self, session: Session, name: str, roles: frozenset[Role], tenant: str
    ) -> PrincipalRow:
        if name != name.strip() or not name.isprintable() or not 0 < len(name) <= 128:
            raise InvalidInput("A user's name has 1 to 128 printable characters, no space around.")
        if not roles:
            raise InvalidInput("A user needs at least one role.")
        known = session.scalar(_named(name, tenant))
        if _alike(name) in self._taken(session, tenant):
            raise Conflict(f"There is a user named {name!r}, or very much like it, already.")
        row = known or PrincipalRow(name=name, tenant=tenant, epoch=0)
        row.roles, row.active = _stored(roles), True
        row.password_hash = None
        row.epoch += 1
        session.add(row)
        return row

    @staticmethod
    def _taken(session: Session, tenant: str) -> set[str]:
        query = select(PrincipalRow.name).where(PrincipalRow.tenant == tenant, PrincipalRow.active)
        return {_alike(OWNER), *(_alike(name) for name in session.scalars(query))}

    def remove(self, name: str, tenant: str = DEFAULT_TENANT) -> None:
        """Take a principal's access away at once; its name stays in what it did.

        Raises:
            NotFound: if there is none of that name.
        """
        with self._database.writing() as session:
            row = self._active(session, name, tenant)
            row.active, row.password_hash = False, None  # a provider's word brings nobody back
            row.epoch += 1
            self._tokens.revoke_all(session, name, tenant)

    def set_roles(
        self, name: str, roles: frozenset[Role], tenant: str = DEFAULT_TENANT
    ) -> frozenset[Role]:
        """Give a principal other roles, which ends its sessions; returns those it had.

        Raises:
            NotFound: if there is none of that name.
        """
        with self._database.writing() as session:
            row = self._active(session, name, tenant)
            before = _principal(row).roles
            if before != roles:
                row.roles, row.epoch = _stored(roles), row.epoch + 1
            return before

    def set_password(
        self,
        name: str,
        password: str | None,
        tenant: str = DEFAULT_TENANT,
        *,
        renewed: bool = False,
    ) -> None:
        """Keep the hash of a principal's new password (None takes it away), and end its sessions.

        Args:
            name: the principal's.
            password: the hash.
            tenant: the principal's.
            renewed: True if it is the same password under newer parameters; sessions stay.

        Raises:
            NotFound: if there is none of that name.
        """
        with self._database.writing() as session:
            row = self._active(session, name, tenant)
            row.password_hash = password
            row.epoch += not renewed

    def list(self, tenant: str = DEFAULT_TENANT) -> list[Principal]:
        """All active principals, the owner first, who belongs to the default tenant."""
        return [account.principal for account in self.accounts(tenant)]

    def accounts(self, tenant: str = DEFAULT_TENANT) -> list[Account]:
        """The same with how each signs in."""
        query = select(PrincipalRow).where(PrincipalRow.tenant == tenant, PrincipalRow.active)
        with self._database.session() as session:
            rows = session.scalars(query.order_by(PrincipalRow.name)).all()
        owner = [Account(self.local(), 0, None, None)] if tenant == DEFAULT_TENANT else []
        return [*owner, *(_account(r) for r in rows)]

    def account(self, name: str, tenant: str = DEFAULT_TENANT) -> Account | None:
        """An active principal by name, with how it signs in; None if there is none."""
        return self._one(_named(name, tenant))

    def provided(self, issuer: str, subject: str) -> Account | None:
        """The principal that an identity provider knows by this subject; None if it is new here.

        Raises:
            Unauthenticated: if it was removed; only an admin brings it back, by adding it anew.
        """
        query = select(PrincipalRow).where(
            PrincipalRow.issuer == issuer, PrincipalRow.subject == subject
        )
        with self._database.session() as session:
            row = session.scalar(query)
        if row is not None and not row.active:
            raise Unauthenticated(f"{row.name} was removed here.", hint="Ask an admin.")
        return None if row is None else _account(row)

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
        return replace(principal, roles=principal.roles & _principal(row).roles)

    def by_token(self, token: str) -> Principal:
        """The principal that holds a token, with what the token lends.

        Raises:
            Unauthenticated: if nobody does, or no longer.
        """
        return self.held(token)[0]

    def held(
        self, token: str, audience: str | None = None, *, bound: bool = False
    ) -> tuple[Principal, str]:
        """The principal that holds a token, and the token's id.

        Args:
            token: as it was handed out.
            audience: the resource that it is shown to; a token bound to another is refused.
            bound: True if one that is bound to none is refused, too.

        Raises:
            Unauthenticated: if nobody does, or no longer, or it is meant for another resource.
        """
        found = self._tokens.find(token, audience, bound=bound)
        if (found.principal, found.tenant) == (OWNER, DEFAULT_TENANT):
            return replace(self.local(), scopes=found.scopes), found.id
        account = self.account(found.principal, found.tenant)
        if account is None:
            raise Unauthenticated("The token is not known here, or was taken back.")
        return replace(account.principal, scopes=found.scopes), found.id

    def _one(self, query: Select[Any]) -> Account | None:
        with self._database.session() as session:
            row = session.scalar(query)
        return _account(row) if row is not None and row.active else None

    @staticmethod
    def _active(session: Session, name: str, tenant: str) -> PrincipalRow:
        row = session.scalar(_named(name, tenant))
        if row is None or not row.active:
            raise NotFound(f"There is no user named {name!r}.")
        return row


def _named(name: str, tenant: str) -> Select[PrincipalRow]:
    return select(PrincipalRow).where(PrincipalRow.tenant == tenant, PrincipalRow.name == name)


def _principal(row: PrincipalRow) -> Principal:
    return Principal(row.name, frozenset(Role(r) for r in row.roles), row.tenant)


def _account(row: PrincipalRow) -> Account:
    return Account(_principal(row), row.epoch, row.password_hash, row.issuer)


def _stored(roles: frozenset[Role]) -> list[str]:
    return sorted(role.value for role in roles)


def _alike(name: str) -> str:
    """Names that a person could take for one another are alike."""
    return unicodedata.normalize("NFKC", name).casefold()
