"""A key lets a call act once, whoever repeats it, and whatever cut it off."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Event

import pytest
from sqlalchemy import update

from tests.kernel.conftest import person
from tools.kernel.errors import Conflict, InvalidInput, NeedsApproval, OperationFailed, Unavailable
from tools.kernel.idempotency import claimant
from tools.kernel.identity import Role
from tools.kernel.tables import IdempotencyRow


def call(lab, context, name="lab.put", key="k1", **arguments):
    return lab.gate.call(name, arguments, context, idempotency_key=key)


def left_behind(lab, owner, world, name, *, acting, by):
    """The claim of a process that was killed in the middle of its call."""

    def killed():
        raise KeyboardInterrupt

    world.inside = killed
    release, lab.idempotency.release = lab.idempotency.release, lambda key, context: None
    with pytest.raises(KeyboardInterrupt):
        call(lab, owner, name, shelf="a")
    world.inside, lab.idempotency.release = lambda: None, release
    with lab.database.session() as session:
        session.execute(update(IdempotencyRow).values(claimant=by, acting=acting))


@pytest.fixture(scope="module")
def dead():
    """What a process that has ended called itself."""
    code = "from tools.kernel.idempotency import claimant; print(claimant())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_the_second_call_gets_the_first_ones_receipt_and_acts_not_again(lab, owner, world):
    first = call(lab, owner)
    second = call(lab, owner)
    assert second.receipt == first.receipt
    assert second.result == first.result
    assert world.acts == ["put a=x"]


def test_the_key_goes_before_what_the_act_has_made_impossible(lab, owner, world):
    first = call(lab, owner, "lab.place", value="unique")
    assert call(lab, owner, "lab.place", value="unique").receipt.id == first.receipt.id


def test_the_same_key_with_other_arguments_is_a_conflict(lab, owner, world):
    call(lab, owner)
    with pytest.raises(Conflict, match="another call"):
        call(lab, owner, shelf="b")
    with pytest.raises(Conflict, match="another call"):
        call(lab, owner, "lab.read")
    assert world.acts == ["put a=x"]


def test_keys_belong_to_their_principal_and_tenant(lab, owner, world):
    call(lab, owner)
    call(lab, person("ole", Role.OPERATOR))
    call(lab, person("ole", Role.OPERATOR, tenant="other"))
    assert len(world.acts) == 3


def test_another_step_of_the_plan_is_another_call(lab, owner, world):
    call(lab, owner.for_step("p", "s1"))
    with pytest.raises(Conflict):
        call(lab, owner.for_step("p", "s2"))


def test_of_many_at_once_exactly_one_acts(lab, owner, world):
    together = Barrier(8)

    def one(_):
        together.wait()
        try:
            return call(lab, owner).receipt.id
        except Conflict:
            return None

    with ThreadPoolExecutor(8) as pool:
        receipts = set(pool.map(one, range(8)))
    assert world.acts == ["put a=x"]
    assert len(receipts - {None}) == 1


def test_while_the_first_call_runs_the_second_is_refused(lab, owner, world):
    inside, go_on = Event(), Event()

    def wait():
        inside.set()
        go_on.wait(20)

    world.inside = wait
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(call, lab, owner)
        inside.wait(20)
        with pytest.raises(Conflict, match="still runs"):
            call(lab, owner)
        go_on.set()
        assert first.result().receipt.status == "done"


@pytest.mark.parametrize("name", ["lab.refuse", "lab.boom"])
def test_a_call_that_failed_gives_its_key_back(lab, owner, name):
    for _ in range(2):
        with pytest.raises((Conflict, OperationFailed), match=r"nailed|unexpectedly"):
            call(lab, owner, name)


def test_a_call_that_waits_for_approval_gives_its_key_back(lab, owner, world):
    with pytest.raises(NeedsApproval) as needed:
        call(lab, owner, "lab.wipe")
    approval = needed.value.approval
    lab.approvals.grant(approval["id"], owner.principal, approval["confirm"])
    call(lab, owner, "lab.wipe")
    call(lab, owner, "lab.wipe")
    assert len(world.acts) == 1


def test_an_act_whose_receipt_is_lost_keeps_its_key(lab, owner, world, monkeypatch):
    def refuse(*args):
        raise Unavailable("The disk is full.")

    monkeypatch.setattr(lab.receipts, "add", refuse)
    with pytest.raises(OperationFailed):
        call(lab, owner)
    with pytest.raises(Conflict):
        call(lab, owner)
    assert len(world.acts) == 1


@pytest.mark.parametrize("key", ["", "x" * 201, "a\nb", "a\x00"])
def test_a_key_that_is_none_is_refused(lab, owner, world, key):
    with pytest.raises(InvalidInput):
        call(lab, owner, key=key)
    assert world.acts == []


def test_a_key_of_a_killed_process_that_had_not_acted_is_free(lab, owner, world, dead):
    left_behind(lab, owner, world, "lab.put", acting=False, by=dead)
    assert call(lab, owner, shelf="a").receipt.status == "done"


def test_a_key_of_a_killed_process_that_acted_is_not_used_again(lab, owner, world, dead):
    left_behind(lab, owner, world, "lab.put", acting=True, by=dead)
    with pytest.raises(Conflict, match="cut off while it acted"):
        call(lab, owner, shelf="a")
    assert len(world.acts) == 1


def test_what_may_be_repeated_is_repeated_after_a_kill(lab, owner, world, dead):
    left_behind(lab, owner, world, "lab.repeat", acting=True, by=dead)
    assert call(lab, owner, "lab.repeat", shelf="a").receipt.status == "done"


def test_a_key_whose_process_lives_is_not_free(lab, owner, world):
    left_behind(lab, owner, world, "lab.put", acting=False, by=claimant())
    with pytest.raises(Conflict, match="still runs"):
        call(lab, owner, shelf="a")


def test_a_key_of_a_former_container_is_free(lab, owner, world):
    left_behind(lab, owner, world, "lab.put", acting=False, by="former-container/1/12.0")
    call(lab, owner, shelf="a")


def test_a_repeated_start_finds_the_job_that_was_started(running, owner):
    first = call(running, owner, "lab.work")
    running.jobs.wait(first.job, 30)
    second = call(running, owner, "lab.work")
    assert (second.job, second.receipt.id) == (first.job, first.receipt.id)
    assert len(running.jobs.list("default")) == 1


def test_a_crash_after_the_job_was_stored_leaves_its_key_settled(running, owner, monkeypatch):
    def killed(job):
        raise KeyboardInterrupt

    monkeypatch.setattr(running.jobs, "enqueue", killed)
    with pytest.raises(KeyboardInterrupt):
        call(running, owner, "lab.work")
    monkeypatch.undo()
    again = call(running, owner, "lab.work")
    assert [row.id for row in running.jobs.list("default")] == [again.job]
