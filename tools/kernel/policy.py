"""Policy is data: the first rule whose pattern matches says which roles may; no match refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tools.kernel.errors import PolicyDenied
from tools.kernel.identity import Channel, Principal, Role
from tools.kernel.scopes import APPROVE, lends, opens


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may make calls whose operation name or scope matches the pattern.

    Attributes:
        pattern: a glob over `domain.verb` or `domain:effect`.
        roles: any one of these is enough.
    """

    pattern: str
    roles: frozenset[Role]


EVERYONE = frozenset(Role)
OPERATORS = frozenset({Role.OPERATOR, Role.ADMIN})
APPROVERS = frozenset({Role.APPROVER, Role.ADMIN})
ADMINS = frozenset({Role.ADMIN})

RULES: tuple[Rule, ...] = (
    Rule("platform.users", ADMINS | APPROVERS),
    Rule("platform.*_user", ADMINS),
    Rule("platform.set_role", ADMINS),
    Rule("platform.reset_password", ADMINS),
    Rule("platform.create_token", EVERYONE),  # of one's own; others' need an admin
    Rule("platform.revoke_token", EVERYONE),
    Rule("*:read", EVERYONE),
    Rule("*:write", OPERATORS),
    Rule("*:dangerous", OPERATORS),
)


def authorise(
    principal: Principal,
    operation: str,
    scope: str,
    rules: Sequence[Rule] = RULES,
    channel: Channel | None = None,
) -> None:
    """Let the call pass, or refuse it: by the caller's token first, then by the caller's roles.

    Args:
        principal: who calls.
        operation: `domain.verb`.
        scope: `domain:effect` of this very call.
        rules: who may what.
        channel: the door, where it is known; a token may be good for some doors only.

    Raises:
        PolicyDenied: naming the roles, or the token's scopes, that may.
    """
    require_lent(principal, operation, scope, channel)
    for rule in rules:
        if fnmatchcase(operation, rule.pattern) or fnmatchcase(scope, rule.pattern):
            if principal.roles & rule.roles:
                return
            needed = " or ".join(sorted(r.value for r in rule.roles))
            raise PolicyDenied(
                f"{principal.name} may not call {operation} ({scope}).",
                hint=f"It needs the role {needed}.",
            )
    raise PolicyDenied(f"No policy rule allows {operation} ({scope}).")


def require_lent(
    principal: Principal, operation: str, scope: str, channel: Channel | None = None
) -> None:
    """Refuse what a narrowed token does not lend, whatever its holder's roles are.

    Raises:
        PolicyDenied: naming the scope that the token would need.
    """
    if channel is not None and not opens(principal.scopes, channel):
        raise PolicyDenied(
            f"This token of {principal.name} is not good for the door {channel.value}.",
            hint="`pilothouse tokens list` shows its scopes.",
        )
    if not lends(principal.scopes, operation, scope):
        raise PolicyDenied(
            f"This token of {principal.name} does not lend {operation} ({scope}).",
            hint=f"It would need the scope {scope}.",
        )


def may_decide(principal: Principal) -> bool:
    """True if what the principal came with may decide approvals at all, their own included."""
    return lends(principal.scopes, APPROVE, APPROVE)


def may_approve(principal: Principal) -> bool:
    """True if the principal holds a role that grants approvals, and a token that lends it."""
    return bool(principal.roles & APPROVERS) and may_decide(principal)
