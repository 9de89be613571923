"""What the operations on users and access tokens take and answer."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr

from tools.kernel.entities import EntityKind, Slot
from tools.kernel.operations import Args, Result

RoleName = Literal["viewer", "operator", "approver", "admin"]
Tenant = Annotated[
    str | None,
    Field(
        description="The users' tenant, if not your own; for admins of the default tenant.",
        max_length=64,
        pattern=r"^[\w.-]+$",
    ),
]
UserName = Annotated[
    str,
    Slot(EntityKind.USER, "Which user?", closed=False),
    Field(description="The user's name.", min_length=1, max_length=128),
]
_ROLE = (
    "viewer reads; operator also acts; approver also decides on dangerous acts; admin may do "
    "everything."
)


class UsersArgs(Args):
    """Whose users to list."""

    tenant: Tenant = None


class AddUserArgs(Args):
    """Who to add."""

    name: Annotated[str, Slot(None, "What is the user's name?")] = Field(
        description="The user's name, unique here.",
        min_length=1,
        max_length=128,
        pattern=r"^[\w.@+-]+$",
    )
    role: Annotated[RoleName, Slot(None, "Which role: viewer, operator, approver or admin?")] = (
        Field(description=_ROLE)
    )
    tenant: Tenant = None
    password: bool = Field(
        True, description="False for a program, which signs in by its token alone."
    )


class RemoveUserArgs(Args):
    """Who to remove."""

    name: Annotated[str, Slot(EntityKind.USER, "Which user?")] = Field(
        description="The user's name.", max_length=128
    )


class UserArgs(Args):
    """Which user."""

    name: UserName
    tenant: Tenant = None


class SetRoleArgs(Args):
    """Who gets which role."""

    name: UserName
    role: Annotated[RoleName, Slot(None, "Which role: viewer, operator, approver or admin?")] = (
        Field(description=_ROLE)
    )
    tenant: Tenant = None


class TokensArgs(Args):
    """Whose tokens to list."""

    user: Annotated[str | None, Slot(EntityKind.USER, "Whose tokens?", closed=False)] = Field(
        None, description="Another user's tokens, for admins; `*` for everybody's.", max_length=128
    )


_RESOURCE = re.compile(r"(?P<path>/?mcp(/[a-z]+)?/?)|https?://[^\s?#]+")


def _resource(value: str | None) -> str | None:
    """A resource as a token keeps it: a path of the gateway, or a URL."""
    if value is None:
        return None
    found = _RESOURCE.fullmatch(value)
    if found is None:
        raise ValueError("must be mcp, one of its servers such as mcp/registry, or a URL")
    return f"/{value.strip('/')}" if found["path"] else value


class CreateTokenArgs(Args):
    """What the token is for."""

    label: Annotated[str, Slot(None, "What is the token for? A word will do.")] = Field(
        description="What the token is for.", min_length=1, max_length=64
    )
    scopes: list[str] = Field(
        default_factory=list,
        max_length=32,
        description="What it lends: `domain:effect` (`*:read`), operations (`registry.promote`), "
        "`approve`, and doors (api, mcp, chat, web). Everything you may do when empty.",
    )
    days: float | None = Field(
        90, gt=0, le=3650, description="After how many days it ends; null for never."
    )
    audience: Annotated[str | None, AfterValidator(_resource)] = Field(
        None,
        description="The one resource that it is good for: `mcp` for the MCP servers (their "
        "protocol takes no other token), `mcp/registry` for one of them, or a URL.",
        max_length=512,
    )
    user: Annotated[str | None, Slot(EntityKind.USER, "Whose token?", closed=False)] = Field(
        None, description="Whose token it is, for admins; yours when left out.", max_length=128
    )


class RevokeTokenArgs(Args):
    """Which token to end."""

    token: Annotated[str, Slot(None, "Which token (its id, such as T1a2b3c4d5e)?")] = Field(
        description="The token's id, such as `T1a2b3c4d5e`.", max_length=64
    )


class UserInfo(Result):
    """One user.

    Attributes:
        local: True for the owner, who has the home folder.
        signs_in: how: `password`, `provider`, `home` (the owner), or `token` alone.
        locked: True after too many failures to sign in.
    """

    name: str
    roles: list[str]
    local: bool
    signs_in: str
    locked: bool = False


class UserList(Result):
    """The owner and all users."""

    users: list[UserInfo]


class UserAdded(Result):
    """Who was added.

    Attributes:
        token: what the user's programs log in with. Handed out this once, kept nowhere.
        password: what the user signs in with at `/login`. Handed out this once as well.
    """

    name: str
    role: str
    tenant: str
    token: SecretStr
    password: SecretStr | None = None


class UserRemoved(Result):
    """Who was removed."""

    name: str
    roles: list[str]


class RoleSet(Result):
    """Who has another role now."""

    name: str
    before: str
    role: str


class PasswordReset(Result):
    """Whose password is another now.

    Attributes:
        password: handed out this once, kept nowhere in clear.
    """

    name: str
    password: SecretStr


class UserUnlocked(Result):
    """Who may try to sign in again.

    Attributes:
        was_locked: False if the account was not locked.
    """

    name: str
    was_locked: bool


class TokenInfo(Result):
    """One access token, without the token itself.

    Attributes:
        prefix: its first characters.
        scopes: what it lends; None if everything its holder may do.
        status: `active`, `expired` or `revoked`.
        used: when it was last shown, to the minute.
    """

    id: str
    user: str
    label: str
    prefix: str
    scopes: list[str] | None
    audience: str | None
    status: str
    created: datetime
    expires: datetime | None
    used: datetime | None


class TokenList(Result):
    """Access tokens, newest first."""

    tokens: list[TokenInfo]


class TokenCreated(Result):
    """A new token.

    Attributes:
        token: the token itself. Handed out this once, kept nowhere.
    """

    id: str
    user: str
    label: str
    scopes: list[str] | None
    expires: datetime | None
    token: SecretStr


class TokenRevoked(Result):
    """Which token ended."""

    id: str
    user: str
    label: str
