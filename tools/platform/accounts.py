"""Users and their access tokens, as operations change them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import SecretStr

from tools.kernel.entities import EntityName, nearest
from tools.kernel.errors import Conflict, InvalidInput, NotFound, PolicyDenied
from tools.kernel.identity import Channel, RequestContext, Role
from tools.kernel.lockout import account_key
from tools.kernel.operations import Evidence
from tools.kernel.passwords import generated, hash_password
from tools.kernel.principals import DEFAULT_TENANT, OWNER, Account
from tools.kernel.roles import ROLES, role_of
from tools.kernel.scopes import read_scopes
from tools.kernel.tokens import Token
from tools.platform.account_types import (
    PasswordReset,
    RoleName,
    RoleSet,
    TokenCreated,
    TokenInfo,
    TokenList,
    TokenRevoked,
    UserAdded,
    UserInfo,
    UserList,
    UserRemoved,
    UserUnlocked,
)

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

EVERYBODY = "*"


class Accounts:
    """Changes users and tokens; safe to use from several threads."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._principals = kernel.principals

    def tenant(self, context: RequestContext, tenant: str | None) -> str:
        """The tenant whose users are meant.

        Raises:
            PolicyDenied: if it is another than the asker's, who is no admin of the default one.
        """
        if tenant is None or tenant == context.tenant:
            return context.tenant
        if context.tenant != DEFAULT_TENANT or Role.ADMIN not in context.principal.roles:
            raise PolicyDenied("The users of another tenant are none of yours.")
        return tenant

    def users(self, tenant: str) -> UserList:
        """All users of a tenant."""
        return UserList(users=[self._shown(a) for a in self._principals.accounts(tenant)])

    def check_new_user(self, tenant: str, name: str) -> None:
        """Refuse a name that is taken.

        Raises:
            Conflict: if it is.
        """
        if any(p.name == name for p in self._principals.list(tenant)):
            raise Conflict(f"There is a user named {name!r} already.")

    def add_user(self, tenant: str, name: str, role: RoleName, password: bool) -> UserAdded:
        """Add a user with a role and those that it includes; the secrets are shown this once."""
        token = self._principals.add(name, ROLES[role], tenant)
        chosen = self._new_password(name, tenant) if password else None
        return UserAdded(
            name=name, role=role, tenant=tenant, token=SecretStr(token), password=chosen
        )

    def changeable(self, tenant: str, name: str, context: RequestContext) -> Account:
        """The account of a user whom somebody else may change.

        Raises:
            Conflict: for the owner, and for the one who asks.
            NotFound: if there is no such user; with the nearest names.
        """
        account = self._account(tenant, name)
        if (name, tenant) == (context.principal.name, context.tenant):
            raise Conflict("You cannot remove yourself or change your roles; ask another admin.")
        return account

    def remove_user(self, tenant: str, name: str) -> UserRemoved:
        """Take a user's access away."""
        account = self._account(tenant, name)
        self._principals.remove(name, tenant)
        return UserRemoved(name=name, roles=_roles(account))

    def set_role(self, tenant: str, name: str, role: RoleName) -> RoleSet:
        """Give a user another role; what is signed in with the old one is signed out."""
        before = self._principals.set_roles(name, ROLES[role], tenant)
        return RoleSet(name=name, before=role_of(before), role=role)

    def reset_password(self, tenant: str, name: str) -> PasswordReset:
        """Give a user a new, generated password, and end what is signed in with the old one.

        Raises:
            Conflict: for somebody whom an identity provider signs in.
        """
        if self._account(tenant, name).issuer is not None:
            raise Conflict(f"{name} signs in at an identity provider and has no password here.")
        password = self._new_password(name, tenant)
        self._kernel.lockout.forget(account_key(tenant, name))
        return PasswordReset(name=name, password=password)

    def unlock(self, tenant: str, name: str) -> UserUnlocked:
        """Let a user try to sign in again."""
        key = account_key(tenant, self._account(tenant, name).principal.name)
        locked = self._kernel.lockout.is_locked(key)
        self._kernel.lockout.forget(key)
        return UserUnlocked(name=name, was_locked=locked)

    def user_evidence(self, tenant: str, name: str) -> list[Evidence]:
        """The user's roles now; `none` without access."""
        account = self._principals.account(name, tenant)
        value = ", ".join(_roles(account)) if account else "none"
        return [Evidence(fact=f"access of {name}", value=value, source="principals")]

    def sign_in_evidence(self, tenant: str, name: str) -> list[Evidence]:
        """How the user signs in now."""
        shown = self._shown(self._account(tenant, name))
        return [
            Evidence(fact=f"{name} signs in by", value=shown.signs_in, source="principals"),
            Evidence(fact=f"{name} is locked", value=shown.locked, source="principals"),
        ]

    def user_names(self, tenant: str) -> list[EntityName]:
        """Every user by name."""
        return [EntityName(p.name) for p in self._principals.list(tenant)]

    def tokens(self, context: RequestContext, user: str | None) -> TokenList:
        """Access tokens, newest first.

        Raises:
            NotFound: if nobody has this name, nor had a token under it; with the nearest names.
        """
        holder = None if user == EVERYBODY else user or context.principal.name
        if holder != context.principal.name:
            _require_admin(context)
        found = self._kernel.tokens.list(context.tenant, holder)
        if not found and holder not in (None, context.principal.name):
            self._account(context.tenant, holder)
        return TokenList(tokens=[_token(t) for t in found])

    def check_new_token(
        self, context: RequestContext, user: str | None, scopes: list[str]
    ) -> tuple[str, frozenset[str] | None]:
        """Whose token it will be, and what it lends.

        Raises:
            PolicyDenied: if the asker may not make it.
            InvalidInput: for what is no scope.
        """
        if context.principal.scopes is not None or context.channel in (Channel.MCP, Channel.AGENT):
            raise PolicyDenied(
                "A token is made by a person who is signed in, not with another, narrower token.",
                hint="Sign in, or run `pilothouse tokens create` in a terminal.",
            )
        holder = user or context.principal.name
        if holder != context.principal.name:
            _require_admin(context)
            self._account(context.tenant, holder)
        lent = read_scopes(scopes, {o.domain for o in self._kernel.operations})
        return holder, lent or None

    def create_token(
        self,
        context: RequestContext,
        label: str,
        scopes: list[str],
        days: float | None,
        audience: str | None,
        user: str | None,
    ) -> TokenCreated:
        """Make an access token, which is shown this once."""
        holder, lent = self.check_new_token(context, user, scopes)
        token, secret = self._kernel.tokens.create(
            holder,
            context.tenant,
            label,
            scopes=lent,
            lifetime=None if days is None else timedelta(days=days),
            audience=audience,
        )
        return TokenCreated(
            id=token.id,
            user=holder,
            label=label,
            scopes=None if lent is None else sorted(lent),
            expires=token.expires,
            token=SecretStr(secret),
        )

    def revocable(self, context: RequestContext, token: str) -> Token:
        """A token that the asker may end.

        Raises:
            NotFound: if there is none of that id, or it is somebody else's.
            InvalidInput: if it is over already.
        """
        found = self._kernel.tokens.get(token, context.tenant)
        admin = Role.ADMIN in context.principal.roles
        if found.principal != context.principal.name and not admin:
            raise NotFound(f"There is no token {token!r}.")
        if found.status != "active":
            raise InvalidInput(f"Token {found.id} ({found.label}) is {found.status} already.")
        return found

    def revoke_token(self, context: RequestContext, token: str) -> TokenRevoked:
        """End a token at once."""
        found = self.revocable(context, token)
        self._kernel.tokens.revoke(found.id, context.tenant)
        return TokenRevoked(id=found.id, user=found.principal, label=found.label)

    def token_evidence(self, tenant: str, token: str) -> list[Evidence]:
        """The token's status now."""
        status = self._kernel.tokens.get(token, tenant).status
        return [Evidence(fact=f"status of token {token}", value=status, source="tokens")]

    def _account(self, tenant: str, name: str) -> Account:
        if name == OWNER:
            raise Conflict("The owner has the home folder; nothing of theirs is changed here.")
        account = self._principals.account(name, tenant)
        if account is None:
            known = [p.name for p in self._principals.list(tenant)]
            raise NotFound(f"There is no user named {name!r}.", suggestions=nearest(name, known))
        return account

    def _new_password(self, name: str, tenant: str) -> SecretStr:
        password = generated()
        self._principals.set_password(name, hash_password(password), tenant)
        return SecretStr(password)

    def _shown(self, account: Account) -> UserInfo:
        principal = account.principal
        local = principal == self._principals.local()
        how = "provider" if account.issuer else "password" if account.password else "token"
        return UserInfo(
            name=principal.name,
            roles=_roles(account),
            local=local,
            signs_in="home" if local else how,
            locked=self._kernel.lockout.is_locked(account_key(principal.tenant, principal.name)),
        )


def _require_admin(context: RequestContext) -> None:
    if Role.ADMIN not in context.principal.roles:
        raise PolicyDenied(
            f"{context.principal.name} may see and make only tokens of their own.",
            hint="It needs the role admin.",
        )


def _roles(account: Account) -> list[str]:
    return sorted(r.value for r in account.principal.roles)


def _token(token: Token) -> TokenInfo:
    return TokenInfo(
        id=token.id,
        user=token.principal,
        label=token.label,
        prefix=token.prefix,
        scopes=None if token.scopes is None else sorted(token.scopes),
        audience=token.audience,
        status=token.status,
        created=token.created,
        expires=token.expires,
        used=token.used,
    )
