"""Scopes: what an access token lends of its holder's rights. It never lends more than they have.

A scope is a pattern over operations (`training:read`, `*:read`, `registry.promote`), the word
`approve`, which lets the token decide approvals, or a door (`api`, `mcp`, `chat`, `web`). A token
without patterns lends everything; one without doors is good for each of them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase

from tools.kernel.errors import InvalidInput
from tools.kernel.identity import Channel

APPROVE = "approve"
DOORS = frozenset({Channel.API, Channel.MCP, Channel.CHAT, Channel.WEB})
EFFECTS = ("read", "write", "dangerous", "*")
_BY_EFFECT = re.compile(r"^[a-z_*]+:(read|write|dangerous|\*)$")
_BY_NAME = re.compile(r"^[a-z_]+\.[a-z_*]+$")


def read_scopes(given: Iterable[str], domains: Iterable[str]) -> frozenset[str]:
    """The scopes as they are kept.

    Args:
        given: as a person wrote them.
        domains: which domains there are.

    Raises:
        InvalidInput: for the first that is none; with the nearest domain.
    """
    known = sorted(set(domains))
    return frozenset(_read(scope.strip(), known) for scope in given)


def lends(scopes: frozenset[str] | None, operation: str, scope: str) -> bool:
    """True if scopes let a call of the operation (`domain.verb`, `domain:effect`) pass."""
    patterns = [s for s in scopes or () if s not in DOORS]
    if not patterns:
        return True
    return any(fnmatchcase(operation, p) or fnmatchcase(scope, p) for p in patterns)


def opens(scopes: frozenset[str] | None, door: Channel) -> bool:
    """True if scopes let a request through this door pass."""
    doors = [s for s in scopes or () if s in DOORS]
    return not doors or door.value in doors


def _read(scope: str, domains: list[str]) -> str:
    if scope == APPROVE or scope in DOORS:
        return scope
    domain = re.split(r"[.:]", scope, maxsplit=1)[0]
    if (_BY_EFFECT.match(scope) or _BY_NAME.match(scope)) and any(
        fnmatchcase(name, domain) for name in domains
    ):
        return scope
    from tools.kernel.entities import nearest

    raise InvalidInput(
        f"{scope[:80]!r} is no scope.",
        suggestions=[f"{name}:read" for name in nearest(domain, domains, limit=1)],
        hint="A scope is domain:effect with an effect of read, write or dangerous (`*` stands for"
        " any), an operation's name, approve, or a door: api, mcp, chat, web.",
    )
