"""Who can write to the database, but has not the home's key, still approves nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from tests.kernel.conftest import person
from tests.kernel.test_approvals import ANN, wipe
from tools.kernel.errors import ApprovalInvalid, NeedsApproval
from tools.kernel.identity import Role

BOB = person("bob", Role.OPERATOR, Role.APPROVER)


def sql(lab, statement, *values):
    with closing(sqlite3.connect(lab.settings.home / "pilothouse.db", timeout=20)) as raw:
        rows = raw.execute(statement, values).fetchall()
        raw.commit()
    return rows


def refused(lab, world, context, approval, **arguments):
    before = list(world.acts)
    with pytest.raises(ApprovalInvalid):
        wipe(lab, context, approval, **arguments)
    with pytest.raises(NeedsApproval):
        wipe(lab, context, **arguments)
    assert world.acts == before


@pytest.mark.parametrize("seal", [None, "", "0" * 64, "granted"])
def test_a_request_that_a_statement_granted_lets_nothing_happen(lab, world, owner, ask, seal):
    wanted = ask()
    sql(
        lab,
        "update ph_approvals set status='granted', decided_by='ann', seal=?, decided=expires",
        seal,
    )
    refused(lab, world, owner, wanted.id)


def test_a_request_keeps_no_seal_that_makes_it_a_grant(lab, world, owner, ask):
    wanted = ask()
    sql(lab, "update ph_approvals set status='granted', decided_by='owner', self_approved=1")
    refused(lab, world, owner, wanted.id)


def test_a_row_copied_from_a_real_grant_lets_nothing_happen(lab, world, owner, ask, granted):
    granted(shelf="a")
    wanted = ask(shelf="b")
    sql(
        lab,
        "update ph_approvals set status='granted', (seal, decided_by, self_approved, decided,"
        " expires) = (select seal, decided_by, self_approved, decided, expires from ph_approvals"
        " where status='granted') where id=?",
        wanted.id,
    )
    refused(lab, world, owner, wanted.id, shelf="b")


def test_a_used_grant_set_back_lets_nothing_happen(lab, world, owner, granted):
    grant = granted()
    wipe(lab, owner, grant.id)
    sql(lab, "update ph_approvals set status='granted'")
    refused(lab, world, owner, grant.id)


def test_a_used_grant_restored_with_its_seal_lets_nothing_happen(lab, world, owner, granted):
    grant = granted()
    ((seal,),) = sql(lab, "select seal from ph_approvals where id=?", grant.id)
    wipe(lab, owner, grant.id)
    for _ in range(2):
        sql(lab, "update ph_approvals set status='granted', seal=?", seal)
        with pytest.raises(ApprovalInvalid, match="used already"):
            wipe(lab, owner, grant.id)
        with pytest.raises(ApprovalInvalid, match="used already"):
            wipe(lab, owner)
    assert len(world.acts) == 1


@pytest.mark.parametrize("end", ["revoked", "denied"])
def test_a_decision_set_back_lets_nothing_happen(lab, world, owner, ask, granted, end):
    if end == "revoked":
        grant = granted()
        lab.approvals.revoke(grant.id, owner.principal)
    else:
        grant = ask()
        lab.approvals.deny(grant.id, owner.principal)
    sql(lab, "update ph_approvals set status='granted'")
    refused(lab, world, owner, grant.id)


def test_an_expiry_put_off_lets_nothing_happen(lab, world, owner, granted):
    grant = granted()
    sql(lab, "update ph_approvals set expires='2099-01-01 00:00:00.000000'")
    refused(lab, world, owner, grant.id)


def test_a_digest_put_on_another_calls_grant_lets_nothing_happen(lab, world, owner, ask, granted):
    grant, wanted = granted(shelf="a"), ask(shelf="b")
    sql(
        lab,
        "update ph_approvals set digest=(select digest from ph_approvals where id=?) where id=?",
        wanted.id,
        grant.id,
    )
    with pytest.raises(ApprovalInvalid, match="seal"):
        wipe(lab, owner, grant.id, shelf="b")
    assert world.acts == []


def test_protection_taken_off_a_request_is_found_when_it_is_granted(lab, owner, ask):
    wanted = ask(shelf="prod-1")
    sql(lab, "update ph_approvals set second_person=0")
    with pytest.raises(ApprovalInvalid, match="seal"):
        lab.approvals.grant(wanted.id, owner.principal, wanted.confirm)


def test_a_proposer_under_another_name_is_found_when_it_is_granted(lab, ask):
    wanted = ask(BOB, shelf="prod-1")
    sql(lab, "update ph_approvals set proposer='somebody'")
    with pytest.raises(ApprovalInvalid, match="seal"):
        lab.approvals.grant(wanted.id, BOB.principal)


@pytest.mark.parametrize(
    "change",
    [
        'arguments = \'{"shelf": "harmless", "value": "x"}\'',
        "operation = 'lab.read'",
        "preview = replace(preview, 'shelf b', 'shelf harmless')",
        'preview = replace(preview, \'"confirm": "b"\', \'"confirm": "y"\')',
        "plan = 'p9'",
        "digest = 'ab'",
        "seal = null",
    ],
)
def test_what_the_approver_sees_is_what_was_asked(lab, ask, change):
    wanted = ask(shelf="b")
    sql(lab, f"update ph_approvals set {change}")
    with pytest.raises(ApprovalInvalid, match="seal"):
        lab.approvals.grant(wanted.id, ANN.principal)


def test_a_request_that_a_statement_made_cannot_be_granted(lab, ask):
    wanted = ask(shelf="a")
    sql(lab, "update ph_approvals set id='A111'")
    with pytest.raises(ApprovalInvalid, match="seal"):
        lab.approvals.grant("A111", ANN.principal)
    assert wanted.id != "A111"


def test_a_forged_request_does_not_stand_in_for_a_real_one(lab, owner, ask):
    wanted = ask(shelf="a")
    sql(lab, "update ph_approvals set preview=replace(preview, 'shelf a', 'nothing')")
    fresh = ask(shelf="a")
    assert fresh.id != wanted.id
    assert fresh.preview.summary == "Change shelf a."


def test_another_homes_key_seals_nothing_here(lab, world, owner, granted):
    grant = granted()
    key = lab.settings.home / "keys" / "seal.key"
    key.chmod(0o600)
    key.write_bytes(b"k" * 32)
    del lab.keys.__dict__["_seal_key"]
    with pytest.raises(ApprovalInvalid, match="seal"):
        wipe(lab, owner, grant.id)
    assert world.acts == []
