"""Undo: only while the world is as the receipt left it, and only once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from tests.kernel.conftest import person
from tools.kernel.errors import Conflict, NeedsApproval, NotFound, PolicyDenied
from tools.kernel.identity import Role
from tools.kernel.undo import last_undoable, undo


def put(lab, context, name="lab.put", **arguments):
    return lab.gate.call(name, arguments, context).receipt


def test_an_act_is_undone_and_its_receipt_says_by_what(lab, owner, world):
    put(lab, owner, value="old")
    receipt = put(lab, owner, value="new")
    outcome = undo(lab, receipt, owner)
    assert world.shelves == {"a": "old"}
    assert lab.receipts.get(receipt.id, "default").undone_by == outcome.receipt.id


def test_an_act_is_not_undone_twice(lab, owner, world):
    receipt = put(lab, owner)
    undo(lab, receipt, owner)
    with pytest.raises(Conflict, match="R1 was undone already, by R2"):
        undo(lab, receipt, owner)


def test_of_many_who_undo_at_once_exactly_one_does(lab, owner, world):
    put(lab, owner, value="old")
    receipt, together = put(lab, owner, value="new"), Barrier(6)

    def one(_):
        together.wait()
        try:
            return undo(lab, receipt, owner).receipt.id
        except Conflict:
            return None

    with ThreadPoolExecutor(6) as pool:
        assert len([r for r in pool.map(one, range(6)) if r]) == 1
    assert len(world.acts) == 3


def test_undo_refuses_when_the_world_has_moved_on_and_says_what_moved(lab, owner, world):
    receipt = put(lab, owner, value="mine")
    put(lab, owner, value="theirs")
    acts = list(world.acts)
    with pytest.raises(Conflict, match="shelf a was 'mine' and is 'theirs'"):
        undo(lab, receipt, owner)
    assert world.acts == acts


def test_undo_refuses_when_what_it_acted_on_is_gone(lab, owner, world):
    receipt = put(lab, owner, value="mine")
    world.shelves.clear()
    with pytest.raises(Conflict, match="shelf a was 'mine' and is None"):
        undo(lab, receipt, owner)


def test_what_drifts_by_nature_does_not_stop_undo(lab, owner, world):
    receipt = put(lab, owner)
    put(lab, owner, shelf="elsewhere")
    undo(lab, receipt, owner)
    assert "a" not in world.shelves


def test_an_undo_can_be_undone(lab, owner, world):
    receipt = put(lab, owner, value="new")
    back = undo(lab, receipt, owner).receipt
    undo(lab, back, owner)
    assert world.shelves == {"a": "new"}


def test_a_dangerous_inverse_asks_for_approval_and_changes_nothing_without(
    lab, owner, world, granted
):
    grant = granted(value="new")
    receipt = lab.gate.call("lab.wipe", {"value": "new"}, owner, approval=grant.id).receipt
    with pytest.raises(NeedsApproval) as needed:
        undo(lab, receipt, owner)
    assert world.shelves == {"a": "new"}
    assert lab.receipts.get(receipt.id, "default").undone_by is None
    wanted = needed.value.approval
    assert wanted["arguments"] == {"shelf": "a", "value": None}
    lab.approvals.grant(wanted["id"], owner.principal, wanted["confirm"])
    undo(lab, receipt, owner)
    assert world.shelves == {}


def test_a_grant_to_undo_is_void_when_the_world_moves_before_it_is_used(lab, owner, world, granted):
    grant = granted(value="new")
    receipt = lab.gate.call("lab.wipe", {"value": "new"}, owner, approval=grant.id).receipt
    with pytest.raises(NeedsApproval) as needed:
        undo(lab, receipt, owner)
    wanted = needed.value.approval
    lab.approvals.grant(wanted["id"], owner.principal, wanted["confirm"])
    put(lab, owner, value="moved")
    with pytest.raises(Conflict, match="moved on"):
        undo(lab, receipt, owner)


def test_what_has_no_inverse_cannot_be_undone(lab, owner):
    receipt = lab.gate.call("lab.secret", {}, owner).receipt
    with pytest.raises(Conflict, match="has no inverse"):
        undo(lab, receipt, owner)


def test_what_could_not_be_read_back_is_not_undone_blindly(lab, owner):
    receipt = put(lab, owner, "lab.unread")
    with pytest.raises(Conflict, match="moved on"):
        undo(lab, receipt, owner)


def test_who_may_not_act_may_not_undo(lab, owner, world):
    receipt = put(lab, owner)
    with pytest.raises(PolicyDenied):
        undo(lab, receipt, person("vera", Role.VIEWER))
    assert world.shelves == {"a": "x"}


def test_the_last_act_is_that_of_the_conversation_then_of_the_person(lab, owner):
    with pytest.raises(NotFound):
        last_undoable(lab, owner)
    talk = replace(owner, conversation="c1")
    first = put(lab, talk, shelf="in")
    put(lab, person("ole", Role.OPERATOR), shelf="other")
    mine = put(lab, owner, shelf="out")
    lab.gate.call("lab.read", {}, talk)
    assert last_undoable(lab, talk).id == first.id
    assert last_undoable(lab, owner).id == mine.id
    undo(lab, first, talk)
    assert last_undoable(lab, talk).conversation == "c1"


def test_an_undo_by_a_job_that_fails_counts_as_not_undone(running, owner, world):
    outcome = running.gate.call("lab.invest", {"shelf": "i"}, owner)
    running.jobs.wait(outcome.job, 30)
    receipt = running.receipts.for_job(outcome.job)
    started = undo(running, receipt, owner)
    assert running.jobs.wait(started.job, 30).status == "failed"
    assert running.receipts.get(receipt.id, "default").undone_by is None


def test_an_undo_by_a_job_points_to_the_receipt_of_its_end(running, owner, world):
    invest = running.operations.get("lab.invest")
    put_elsewhere = invest.hooks["inverse"]

    def to_work(args, result, call):
        return put_elsewhere(args, result, call).model_copy(update={"arguments": {"shelf": "w"}})

    invest.hooks["inverse"] = to_work
    outcome = running.gate.call("lab.invest", {"shelf": "i"}, owner)
    running.jobs.wait(outcome.job, 30)
    receipt = running.receipts.for_job(outcome.job)
    started = undo(running, receipt, owner)
    assert running.jobs.wait(started.job, 30).status == "done"
    done = running.receipts.for_job(started.job)
    assert running.receipts.get(receipt.id, "default").undone_by == done.id
