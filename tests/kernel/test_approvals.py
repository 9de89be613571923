"""A person's decision on one exact call: who may give it, and what it lets happen, once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Barrier

import pytest
from sqlalchemy import update

from tests.kernel.conftest import person
from tools.kernel.errors import (
    ApprovalInvalid,
    BudgetExceeded,
    Conflict,
    InvalidInput,
    NeedsApproval,
    NotFound,
    PilothouseError,
    PolicyDenied,
    Unavailable,
)
from tools.kernel.identity import Role
from tools.kernel.storage import now
from tools.kernel.tables import ApprovalRow

OLE = person("ole", Role.OPERATOR)
ANN = person("ann", Role.APPROVER)
BOB = person("bob", Role.OPERATOR, Role.APPROVER)
VERA = person("vera", Role.VIEWER)


def wipe(lab, context, approval=None, **arguments):
    return lab.gate.call("lab.wipe", arguments, context, approval=approval)


def expire(lab, approval):
    with lab.database.session() as session:
        session.execute(
            update(ApprovalRow)
            .where(ApprovalRow.id == approval)
            .values(expires=now() - timedelta(seconds=1))
        )


def test_a_dangerous_call_does_nothing_and_says_what_needs_approving_by_whom_and_how(
    lab, owner, world
):
    with pytest.raises(NeedsApproval) as needed:
        wipe(lab, owner, shelf="b")
    approval = needed.value.approval
    assert world.acts == []
    assert approval["status"] == "pending"
    assert approval["arguments"] == {"shelf": "b", "value": "x"}
    assert approval["preview"]["summary"] == "Change shelf b."
    assert f"pilothouse approvals grant {approval['id']}" in str(needed.value)


def test_asking_again_finds_the_request_that_waits(lab, ask):
    assert ask().id == ask().id
    assert len(lab.approvals.list("default", "pending")) == 1


def test_many_who_ask_at_once_make_one_request(lab, owner):
    together = Barrier(8)

    def one(_):
        together.wait()
        try:
            wipe(lab, owner)
        except NeedsApproval as needed:
            return needed.approval["id"]

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(one, range(8)))) == 1


def test_a_grant_lets_the_call_act_once(lab, owner, world, granted):
    grant = granted()
    receipt = wipe(lab, owner, grant.id).receipt
    assert receipt.approval == grant.id
    assert lab.approvals.get(grant.id, "default").status == "used"
    with pytest.raises(ApprovalInvalid, match="used"):
        wipe(lab, owner, grant.id)
    assert len(world.acts) == 1


def test_a_grant_is_found_without_its_id_and_used_once(lab, owner, world, granted):
    granted()
    wipe(lab, owner)
    with pytest.raises(NeedsApproval):
        wipe(lab, owner)
    assert len(world.acts) == 1


def test_a_pending_approval_is_no_grant(lab, owner, world, ask):
    with pytest.raises(NeedsApproval):
        wipe(lab, owner, ask().id)
    assert world.acts == []


@pytest.mark.parametrize("made_up", ["A0000000000", "", "true", "yes", "*", "' or 1=1", 1, True])
def test_a_made_up_id_is_refused(lab, owner, world, granted, made_up):
    granted()
    with pytest.raises(ApprovalInvalid):
        wipe(lab, owner, made_up)
    assert world.acts == []


def test_other_arguments_are_another_call(lab, owner, world, granted):
    grant = granted(shelf="a")
    for other in ({"shelf": "b"}, {"shelf": "a", "value": "y"}, {"shelf": "a", "value": None}):
        with pytest.raises(ApprovalInvalid, match="another call"):
            wipe(lab, owner, grant.id, **other)
        with pytest.raises(NeedsApproval):
            wipe(lab, owner, **other)
    assert world.acts == []


def test_another_operation_is_another_call(lab, owner, world, granted):
    grant = granted(value="champion")
    with pytest.raises(ApprovalInvalid):
        lab.gate.call("lab.alias", {"value": "champion"}, owner, approval=grant.id)
    assert world.acts == []


def test_the_same_call_written_otherwise_is_the_same_call(lab, owner, world, granted):
    grant = granted(shelf="a", value="v9")
    wipe(lab, owner, grant.id, shelf="  a ", value="newest")
    assert world.acts == ["put a=v9"]


def test_what_newest_means_now_is_what_was_approved_or_it_does_not_act(lab, owner, world, granted):
    grant = granted(value="v8")
    with pytest.raises(ApprovalInvalid):
        wipe(lab, owner, grant.id, value="newest")
    assert world.acts == []


@pytest.mark.parametrize(
    "other",
    [
        BOB,
        person("owner", *Role, tenant="other"),
        person("Owner", *Role),
        person("owner", *Role).for_step("p1", "s1"),
    ],
    ids=["principal", "tenant", "name", "plan"],
)
def test_somebody_elses_or_another_plans_call_is_another_call(lab, world, granted, other):
    grant = granted()
    with pytest.raises(ApprovalInvalid):
        wipe(lab, other, grant.id)
    with pytest.raises(NeedsApproval):
        wipe(lab, other)
    assert world.acts == []


def test_another_step_of_the_plan_is_another_call(lab, owner, world, granted):
    grant = granted(owner.for_step("p1", "s1"))
    for other in (owner.for_step("p1", "s2"), owner.for_step("p2", "s1"), owner):
        with pytest.raises(ApprovalInvalid):
            wipe(lab, other, grant.id)
    wipe(lab, owner.for_step("p1", "s1"), grant.id)
    assert len(world.acts) == 1


def test_who_approves_an_act_of_their_own_types_what_it_names(lab, owner, world, ask):
    wanted = ask(shelf="kiosks")
    assert wanted.confirm == "kiosks"
    for typed in (None, "", "yes", "Kiosks", "kiosk", "true"):
        with pytest.raises(InvalidInput, match="nothing was granted"):
            lab.approvals.grant(wanted.id, owner.principal, typed)
    grant = lab.approvals.grant(wanted.id, owner.principal, " kiosks ")
    assert grant.self_approved
    receipt = wipe(lab, owner, grant.id, shelf="kiosks").receipt
    assert receipt.self_approved


def test_somebody_else_approves_without_typing(lab, world, ask):
    wanted = ask(OLE)
    grant = lab.approvals.grant(wanted.id, ANN.principal)
    assert (grant.decided_by, grant.self_approved) == ("ann", False)
    assert not wipe(lab, OLE, grant.id).receipt.self_approved


def test_what_is_protected_needs_a_second_person(lab, owner, world, ask):
    wanted = ask(shelf="prod-1")
    assert wanted.second_person
    with pytest.raises(PolicyDenied, match="second person"):
        lab.approvals.grant(wanted.id, owner.principal, wanted.confirm)
    grant = lab.approvals.grant(wanted.id, ANN.principal)
    wipe(lab, owner, grant.id, shelf="prod-1")
    assert len(world.acts) == 1


def test_what_became_protected_after_its_self_approval_asks_anew(lab, owner, world, granted):
    grant = granted(shelf="b")
    plain = lab.operations.get("lab.wipe").hooks["preview"]
    lab.operations.get("lab.wipe").hooks["preview"] = lambda args, call: plain(
        args, call
    ).model_copy(update={"second_person": True})
    with pytest.raises(ApprovalInvalid, match="second person"):
        wipe(lab, owner, grant.id, shelf="b")
    with pytest.raises(NeedsApproval) as needed:
        wipe(lab, owner, shelf="b")
    assert needed.value.approval["second_person"]
    assert world.acts == []


@pytest.mark.parametrize("context", [VERA, OLE])
def test_who_is_no_approver_decides_nothing(lab, ask, owner, granted, context):
    wanted = ask(shelf="w")
    for decide in (lab.approvals.grant, lab.approvals.deny):
        with pytest.raises(PolicyDenied):
            decide(wanted.id, context.principal)
    with pytest.raises(PolicyDenied):
        lab.approvals.revoke(granted().id, context.principal)


def test_an_approver_of_another_tenant_sees_nothing(lab, ask):
    stranger = person("ann", Role.APPROVER, tenant="other").principal
    wanted = ask()
    for decide in (lab.approvals.grant, lab.approvals.deny, lab.approvals.revoke):
        with pytest.raises(NotFound):
            decide(wanted.id, stranger)
    assert lab.approvals.list("other") == []


def test_who_asked_may_withdraw(lab, ask):
    wanted = ask(OLE)
    assert lab.approvals.deny(wanted.id, OLE.principal, "withdrawn").status == "denied"
    with pytest.raises(ApprovalInvalid, match="denied: withdrawn"):
        wipe(lab, OLE, wanted.id)


@pytest.mark.parametrize("end", ["denied", "used", "revoked", "expired", "granted"])
def test_what_is_decided_is_not_decided_again(lab, owner, ask, end):
    wanted = ask()
    if end == "denied":
        lab.approvals.deny(wanted.id, owner.principal)
    elif end == "expired":
        expire(lab, wanted.id)
    else:
        lab.approvals.grant(wanted.id, owner.principal, wanted.confirm)
    if end == "used":
        wipe(lab, owner, wanted.id)
    if end == "revoked":
        lab.approvals.revoke(wanted.id, owner.principal)
    assert lab.approvals.get(wanted.id, "default").status == end
    assert [a.id for a in lab.approvals.list("default", end)] == [wanted.id]
    for decide in (lab.approvals.grant, lab.approvals.deny):
        with pytest.raises(Conflict, match=end):
            decide(wanted.id, owner.principal)


@pytest.mark.parametrize("end", ["revoked", "expired"])
def test_a_grant_that_is_over_lets_nothing_happen(lab, owner, world, granted, end):
    grant = granted()
    if end == "revoked":
        lab.approvals.revoke(grant.id, owner.principal)
    else:
        expire(lab, grant.id)
    with pytest.raises(ApprovalInvalid, match=end):
        wipe(lab, owner, grant.id)
    with pytest.raises(NeedsApproval) as needed:
        wipe(lab, owner)
    assert needed.value.approval["id"] != grant.id
    assert world.acts == []


def test_an_expired_grant_cannot_be_revoked_nor_a_pending_one(lab, owner, ask, granted):
    with pytest.raises(Conflict, match="pending"):
        lab.approvals.revoke(ask(shelf="p").id, owner.principal)
    grant = granted(shelf="e")
    expire(lab, grant.id)
    with pytest.raises(Conflict, match="expired"):
        lab.approvals.revoke(grant.id, owner.principal)


@pytest.mark.parametrize("by_id", [True, False])
def test_of_threads_that_use_one_grant_exactly_one_acts(lab, owner, world, granted, by_id):
    grant, together = granted(), Barrier(8)

    def one(_):
        together.wait()
        try:
            return wipe(lab, owner, grant.id if by_id else None).receipt.number
        except (ApprovalInvalid, NeedsApproval):
            return None

    with ThreadPoolExecutor(8) as pool:
        acted = [r for r in pool.map(one, range(8)) if r]
    assert len(acted) == len(world.acts) == 1
    assert lab.audit.verify().intact


def test_of_people_who_decide_at_once_exactly_one_decides(lab, ask):
    wanted, together = ask(OLE), Barrier(6)

    def one(number):
        decide = lab.approvals.grant if number % 2 else lab.approvals.deny
        together.wait()
        try:
            return decide(wanted.id, person(f"a{number}", Role.APPROVER).principal).decided_by
        except Conflict:
            return None

    with ThreadPoolExecutor(6) as pool:
        deciders = [d for d in pool.map(one, range(6)) if d]
    assert deciders == [lab.approvals.get(wanted.id, "default").decided_by]
    told = [r.body["event"] for r in lab.audit.tail("default", 50)]
    assert sum(e in ("approval.granted", "approval.denied") for e in told) == 1


def test_a_grant_survives_what_stops_its_call_before_the_act(lab, world, owner, monkeypatch):
    lab.operations.get("lab.wipe").hooks["preview"] = lab.operations.get("lab.spend").hooks[
        "preview"
    ]
    lab.settings.daily_budget = 1.0
    with pytest.raises(NeedsApproval) as needed:
        wipe(lab, owner)
    wanted = needed.value.approval["id"]
    lab.approvals.grant(wanted, owner.principal, "lab.wipe")
    with pytest.raises(BudgetExceeded):
        wipe(lab, owner, wanted)
    lab.settings.daily_budget = None

    def full(*args):
        raise Unavailable("full")

    with monkeypatch.context() as patched:
        patched.setattr(lab.audit, "link_up", full)
        with pytest.raises(Unavailable):
            wipe(lab, owner, wanted)
    assert world.acts == []
    assert lab.approvals.get(wanted, "default").status == "granted"
    wipe(lab, owner, wanted)


def test_decisions_are_events_and_audit_records(lab, owner, ask, granted):
    grant = granted()
    lab.approvals.revoke(grant.id, owner.principal)
    kinds = [e.kind for e in lab.events.read("approvals")]
    assert kinds == ["approval.requested", "approval.granted", "approval.revoked"]
    told = [r.body["event"] for r in lab.audit.tail("default")]
    assert told[-2:] == ["approval.granted", "approval.revoked"]


def test_a_conversation_hears_of_its_approvals(lab, ask, owner):
    from dataclasses import replace

    ask(replace(owner, conversation="c1"))
    assert [e.kind for e in lab.events.read("conversation:c1")] == ["approval.requested"]


def test_every_refusal_is_an_expected_error(lab, owner):
    for odd in ("A" * 10_000, "\x00", "\ud800"):
        with pytest.raises(PilothouseError):
            wipe(lab, owner, odd)
        with pytest.raises(PilothouseError):
            lab.approvals.grant(odd, owner.principal)
