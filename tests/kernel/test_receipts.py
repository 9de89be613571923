"""Receipts: numbered, findable, and without a secret anywhere that is kept."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from tests.kernel.conftest import person
from tests.kernel.lab import SECRET
from tools.kernel.errors import NotFound
from tools.kernel.identity import Role
from tools.kernel.secrets import masked, revealed


def everything_kept(home):
    """All text of all tables, and all other files of the home but its keys."""
    with closing(sqlite3.connect(home / "pilothouse.db")) as raw:
        tables = [r[0] for r in raw.execute("select name from sqlite_master where type='table'")]
        for table in tables:
            yield from (str(row) for row in raw.execute(f'select * from "{table}"'))
    for path in home.rglob("*"):
        if path.is_file() and path.suffix not in (".db", ".key"):
            yield path.read_bytes().decode(errors="replace")


def test_a_secret_is_shown_once_to_who_asked_and_kept_nowhere(lab, owner, home):
    outcome = lab.gate.call("lab.secret", {}, owner, idempotency_key="k")
    assert outcome.result.token.get_secret_value() == SECRET
    assert SECRET not in outcome.receipt.model_dump_json()
    assert SECRET not in repr(outcome)
    assert not any(SECRET in kept for kept in everything_kept(home))


def test_the_repetition_of_a_call_does_not_tell_its_secret_again(lab, owner):
    lab.gate.call("lab.secret", {}, owner, idempotency_key="k")
    again = lab.gate.call("lab.secret", {}, owner, idempotency_key="k")
    assert SECRET not in str(revealed(again.result))


def test_revealing_opens_secrets_wherever_they_are(lab, owner):
    result = lab.gate.call("lab.secret", {}, owner).result
    assert revealed(result) == {
        "token": SECRET,
        "nested": {"inner": SECRET},
        "many": [SECRET],
        "named": {"k": {"inner": SECRET}},
    }
    assert SECRET not in str(masked(result))


def test_numbers_are_unique_and_without_gaps_under_threads(lab, owner):
    with ThreadPoolExecutor(16) as pool:
        calls = pool.map(lambda i: lab.gate.call("lab.read", {}, owner).receipt.number, range(160))
    assert sorted(calls) == list(range(1, 161))
    assert lab.audit.verify().intact


def test_a_receipt_tells_who_did_what_when_with_which_evidence(lab, owner):
    context = owner.for_step("p1", "s2")
    receipt = lab.gate.call("lab.put", {"shelf": "b"}, context).receipt
    assert (receipt.name, receipt.principal, receipt.plan, receipt.step) == (
        "R1",
        "owner",
        "p1",
        "s2",
    )
    assert receipt.evidence[0].fact == "shelf b"
    assert receipt.evidence[0].value == "x"
    record = lab.audit.tail("default")[-1]
    assert (record.sequence, record.body["receipt"]) == (receipt.audit, receipt.id)


def test_a_stored_receipt_equals_the_one_that_was_handed_out(lab, owner):
    receipt = lab.gate.call("lab.put", {}, owner).receipt
    assert lab.receipts.get(receipt.id, "default") == receipt


@pytest.mark.parametrize("reference", ["R1", "r1", "1", 1, " R1 "])
def test_a_receipt_is_found_by_number(lab, owner, reference):
    receipt = lab.gate.call("lab.put", {}, owner).receipt
    assert lab.receipts.get(reference, "default").id == receipt.id


@pytest.mark.parametrize("reference", ["R2", "R", "", "R²", "1" * 40, "\ud800", "R-1", -1])
def test_a_receipt_that_is_not_there_is_not_found(lab, owner, reference):
    lab.gate.call("lab.put", {}, owner)
    with pytest.raises(NotFound):
        lab.receipts.get(reference, "default")


def test_a_tenant_sees_its_own_receipts_only(lab, owner):
    other = person("owner", *Role, tenant="other")
    mine = lab.gate.call("lab.put", {}, owner).receipt
    theirs = lab.gate.call("lab.put", {}, other).receipt
    assert [r.id for r in lab.receipts.list("default")] == [mine.id]
    with pytest.raises(NotFound):
        lab.receipts.get(theirs.name, "default")


def test_receipts_are_listed_newest_first_by_conversation_principal_and_effect(lab, owner):
    from dataclasses import replace

    lab.gate.call("lab.put", {}, replace(owner, conversation="c1"))
    lab.gate.call("lab.read", {}, replace(owner, conversation="c1"))
    lab.gate.call("lab.put", {}, person("ole", Role.OPERATOR))
    found = lab.receipts.list
    assert [r.number for r in found("default")] == [3, 2, 1]
    assert [r.number for r in found("default", conversation="c1", effects=("write",))] == [1]
    assert [r.number for r in found("default", principal="ole")] == [3]
    assert [r.number for r in found("default", limit=2)] == [3, 2]


def test_a_job_has_two_receipts_and_the_second_has_evidence_and_cost(running, owner):
    running.settings.hourly_rate = 3600.0
    outcome = running.gate.call("lab.work", {"shelf": "j"}, owner)
    assert outcome.receipt.status == "started"
    assert running.jobs.wait(outcome.job, 30).status == "done"
    done = running.receipts.for_job(outcome.job)
    assert done.status == "done"
    assert done.job == outcome.job
    assert done.evidence[0].value == "worked"
    assert 0 < done.cost <= done.seconds + 0.01
    assert running.budget.used(owner.principal, "money") == done.cost
    assert [r.status for r in running.receipts.list("default")] == ["done", "started"]


def test_reading_costs_nothing(lab, owner):
    assert lab.gate.call("lab.read", {}, owner).receipt.cost == 0
