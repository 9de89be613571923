"""What an access token lends, by its scopes."""

from __future__ import annotations

import pytest

from tools.kernel.errors import InvalidInput, PolicyDenied
from tools.kernel.identity import Channel, Principal, Role
from tools.kernel.policy import authorise, may_approve
from tools.kernel.scopes import lends, opens, read_scopes

DOMAINS = ("datasets", "registry", "training")
EVERYTHING = frozenset(Role)


@pytest.mark.parametrize(
    ("scopes", "operation", "scope", "lent"),
    [
        (None, "registry.promote", "registry:dangerous", True),
        ({"*:read"}, "registry.list", "registry:read", True),
        ({"*:read"}, "registry.register", "registry:write", False),
        ({"registry:*"}, "registry.promote", "registry:dangerous", True),
        ({"registry:*"}, "datasets.list", "datasets:read", False),
        ({"registry.promote"}, "registry.promote", "registry:dangerous", True),
        ({"registry.promote"}, "registry.archive", "registry:dangerous", False),
        ({"mcp"}, "registry.promote", "registry:dangerous", True),
        ({"mcp", "*:read"}, "registry.promote", "registry:dangerous", False),
        ({"approve"}, "registry.list", "registry:read", False),
    ],
)
def test_patterns_narrow_and_doors_alone_do_not(
    scopes: set[str] | None, operation: str, scope: str, lent: bool
) -> None:
    given = None if scopes is None else frozenset(scopes)
    assert lends(given, operation, scope) is lent
    who = Principal("kim", EVERYTHING, scopes=given)
    if lent:
        authorise(who, operation, scope)
    else:
        with pytest.raises(PolicyDenied, match="does not lend"):
            authorise(who, operation, scope)


def test_a_scope_gives_no_right_that_its_holder_lacks() -> None:
    viewer = Principal("vera", frozenset({Role.VIEWER}), scopes=frozenset({"*:*", "approve"}))
    with pytest.raises(PolicyDenied, match="may not call"):
        authorise(viewer, "registry.promote", "registry:dangerous")
    assert not may_approve(viewer)


@pytest.mark.parametrize("door", [Channel.API, Channel.CHAT, Channel.WEB, Channel.CLI])
def test_a_named_door_is_the_only_one(door: Channel) -> None:
    assert not opens(frozenset({"mcp", "*:read"}), door)
    assert opens(frozenset({"mcp"}), Channel.MCP) and opens(frozenset({"*:read"}), door)


def test_approving_is_lent_only_by_name() -> None:
    assert may_approve(Principal("kim", EVERYTHING))
    assert not may_approve(Principal("kim", EVERYTHING, scopes=frozenset({"*:*"})))
    assert may_approve(Principal("kim", EVERYTHING, scopes=frozenset({"*:*", "approve"})))


@pytest.mark.parametrize("scope", ["", "read", "registry", "registry:all", "regstry:read", "a:b:c"])
def test_what_is_no_scope_is_refused(scope: str) -> None:
    with pytest.raises(InvalidInput):
        read_scopes([scope], DOMAINS)


def test_the_nearest_domain_is_suggested() -> None:
    with pytest.raises(InvalidInput) as refused:
        read_scopes(["registri:read"], DOMAINS)
    assert refused.value.suggestions == ("registry:read",)
