"""Policy is data: the first rule whose pattern matches says which roles may; no match refuses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from tools.kernel.errors import PolicyDenied
from tools.kernel.identity import Principal, Role


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
    Rule("*:read", EVERYONE),
    Rule("*:write", OPERATORS),
    Rule("*:dangerous", OPERATORS),
)


def authorise(
    principal: Principal, operation: str, scope: str, rules: Sequence[Rule] = RULES
) -> None:
    """Let the call pass, or refuse it.

    Args:
        principal: who calls.
        operation: `domain.verb`.
        scope: `domain:effect` of this very call.

    Raises:
        PolicyDenied: naming the roles that may.
    """
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


def may_approve(principal: Principal) -> bool:
    """True if the principal holds a role that grants approvals."""
    return bool(principal.roles & APPROVERS)
