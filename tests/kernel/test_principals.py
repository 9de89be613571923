"""Who is known, by which token, with which roles."""

from __future__ import annotations

import pytest

from tests.kernel.test_receipts import everything_kept
from tools.kernel.errors import Conflict, InvalidInput, NotFound, Unauthenticated
from tools.kernel.identity import Role

OPERATOR = frozenset({Role.OPERATOR})


def test_who_has_the_home_is_its_owner_with_every_role(lab):
    assert lab.principals.local().roles == frozenset(Role)


def test_a_token_is_shown_once_and_not_kept(lab, home):
    token = lab.principals.add("ole", OPERATOR)
    assert lab.principals.by_token(token).name == "ole"
    assert not any(token in kept for kept in everything_kept(home))


@pytest.mark.parametrize("token", ["", "ph_", "ph_" + "x" * 43, "\ud800", "' or '1'='1"])
def test_an_unknown_token_is_refused(lab, token):
    lab.principals.add("ole", OPERATOR)
    with pytest.raises(Unauthenticated):
        lab.principals.by_token(token)


def test_access_ends_at_once_when_it_is_taken_away(lab):
    token = lab.principals.add("ole", OPERATOR)
    lab.principals.remove("ole")
    with pytest.raises(Unauthenticated):
        lab.principals.by_token(token)
    with pytest.raises(NotFound):
        lab.principals.remove("ole")
    assert [p.name for p in lab.principals.list()] == ["owner"]


def test_who_comes_back_has_a_new_token_and_the_new_roles(lab):
    old = lab.principals.add("ole", OPERATOR)
    lab.principals.remove("ole")
    new = lab.principals.add("ole", frozenset({Role.VIEWER}))
    assert lab.principals.by_token(new).roles == frozenset({Role.VIEWER})
    with pytest.raises(Unauthenticated):
        lab.principals.by_token(old)


@pytest.mark.parametrize("name", ["owner", "OWNER", "Owner", "ole", "OLE", "ｏｌｅ"])
def test_a_name_that_could_be_taken_for_another_is_refused(lab, name):
    lab.principals.add("Ole", OPERATOR)
    with pytest.raises(Conflict):
        lab.principals.add(name, OPERATOR)


@pytest.mark.parametrize("name", ["", " ", " ole", "ole ", "o\nle", "o\x1fle", "x" * 129])
def test_a_name_that_is_none_is_refused(lab, name):
    with pytest.raises(InvalidInput):
        lab.principals.add(name, OPERATOR)


def test_somebody_without_a_role_is_not_added(lab):
    with pytest.raises(InvalidInput):
        lab.principals.add("ole", frozenset())


def test_tenants_do_not_share_people(lab):
    token = lab.principals.add("ole", OPERATOR, "other")
    lab.principals.add("ole", OPERATOR)
    assert lab.principals.by_token(token).tenant == "other"
    lab.principals.remove("ole", "other")
    assert [p.name for p in lab.principals.list()] == ["owner", "ole"]
