"""The roles that users are given, and what each includes."""

from __future__ import annotations

from tools.kernel.identity import Role

ROLES: dict[str, frozenset[Role]] = {
    "viewer": frozenset({Role.VIEWER}),
    "operator": frozenset({Role.VIEWER, Role.OPERATOR}),
    "approver": frozenset({Role.VIEWER, Role.OPERATOR, Role.APPROVER}),
    "admin": frozenset(Role),
}
"""What each role that a user is given includes."""


def role_of(roles: frozenset[Role]) -> str:
    """The highest role: the one that includes the others, as users are given it."""
    for name in reversed(ROLES):
        if Role(name) in roles:
            return name
    raise ValueError("somebody without a role is nobody")
