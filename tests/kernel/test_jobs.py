"""Jobs: followed, cancelled, cut off by a stop, and ended exactly once."""

from __future__ import annotations

import threading
import time
from contextlib import suppress

import pytest

from tests.kernel.lab import SECRET, operations
from tools.kernel import completion
from tools.kernel.errors import Conflict, NeedsApproval, NotFound, Unavailable
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings


def start(lab, owner, shelf="a", name="lab.work"):
    return lab.gate.call(name, {"shelf": shelf}, owner).job


def until(lab, job, check, timeout=30):
    """Follow a job by its events until `check(row)` holds."""
    after, deadline = 0, time.monotonic() + timeout
    while time.monotonic() < deadline:
        if check(lab.jobs.get(job, "default")):
            return
        for event in lab.events.wait(f"job:{job}", after, 1):
            after = event.id
    pytest.fail("it did not come to that")


def kinds(lab, job):
    return [e.kind for e in lab.events.read(f"job:{job}")]


def test_a_call_answers_with_a_handle_and_the_job_ends_by_itself(running, owner, world):
    outcome = running.gate.call("lab.work", {}, owner)
    assert outcome.result.job == outcome.job == outcome.receipt.job
    row = running.jobs.wait(outcome.job, 30)
    assert (row.status, row.result, row.progress) == ("done", {"value": "worked"}, 1.0)
    assert row.metrics == {"loss": 0.5}
    assert world.acts == ["first a", "second a"]
    assert kinds(running, outcome.job) == ["job.progress", "job.done"]


def test_who_waits_is_told_at_the_end_not_later(running, owner, world):
    go_on = threading.Event()
    world.inside = lambda: go_on.wait(30)
    job = start(running, owner)
    waiter = threading.Thread(target=running.jobs.wait, args=(job, 60))
    waiter.start()
    go_on.set()
    waiter.join(30)
    assert not waiter.is_alive()


def test_a_dangerous_job_starts_only_when_granted(running, owner, world):
    with pytest.raises(NeedsApproval) as needed:
        start(running, owner, name="lab.clear")
    assert running.jobs.list("default") == []
    approval = needed.value.approval
    running.approvals.grant(approval["id"], owner.principal, approval["confirm"])
    job = start(running, owner, name="lab.clear")
    assert running.jobs.wait(job, 30).status == "done"
    assert running.receipts.for_job(job).approval == approval["id"]
    with pytest.raises(NeedsApproval):
        start(running, owner, name="lab.clear")


def test_an_expected_failure_is_told_and_an_unexpected_one_without_its_inside(running, owner):
    nailed = running.jobs.wait(start(running, owner, "conflict"), 30)
    assert (nailed.status, nailed.error["code"]) == ("failed", "conflict")
    broken = running.jobs.wait(start(running, owner, "boom"), 30)
    assert (broken.status, broken.error["code"]) == ("failed", "operation_failed")
    assert SECRET not in str(broken.error)
    receipt = running.receipts.for_job(broken.id)
    assert (receipt.status, receipt.undo) == ("failed", None)
    assert SECRET not in receipt.model_dump_json()


def test_a_running_job_is_cancelled_within_seconds_and_is_seen_cancelling(running, owner, world):
    job = start(running, owner, "long")
    until(running, job, lambda row: "first long" in world.acts)
    began = time.monotonic()
    row = running.jobs.cancel(job, "default")
    assert (row.status, row.message, row.error) == ("running", "cancelling", None)
    assert running.jobs.wait(job, 30).status == "cancelled"
    assert time.monotonic() - began < 5
    assert world.acts == ["first long"]
    assert kinds(running, job)[-2:] == ["job.cancelling", "job.cancelled"]
    assert running.receipts.for_job(job).status == "cancelled"


def test_progress_does_not_hide_that_a_job_is_cancelling(running, owner, world):
    reached, go_on = threading.Event(), threading.Event()

    def wait():
        reached.set()
        go_on.wait(30)

    world.inside = wait
    job = start(running, owner)
    assert reached.wait(30)
    running.jobs.cancel(job, "default")
    running.jobs.report(job, "default", 0.7, "still at it", {})
    assert running.jobs.get(job, "default").message == "cancelling"
    go_on.set()
    assert running.jobs.wait(job, 30).status == "cancelled"
    assert world.acts == ["first a"]


def test_a_queued_job_is_cancelled_at_once_and_never_begins(running, owner, world):
    busy = [start(running, owner, "long") for _ in range(2)]
    for job in busy:
        until(running, job, lambda row: row.status == "running")
    waiting = start(running, owner, "never")
    assert running.jobs.get(waiting, "default").status == "queued"
    row = running.jobs.cancel(waiting, "default")
    assert row.status == "cancelled"
    assert running.receipts.for_job(waiting).status == "cancelled"
    for job in busy:
        running.jobs.cancel(job, "default")
    last = start(running, owner, "last")
    assert running.jobs.wait(last, 30).status == "done"
    assert not [act for act in world.acts if "never" in act]
    assert running.receipts.for_job(waiting).number < running.receipts.for_job(last).number


def test_what_has_ended_cannot_be_cancelled(running, owner):
    job = start(running, owner)
    running.jobs.wait(job, 30)
    with pytest.raises(Conflict, match="done already"):
        running.jobs.cancel(job, "default")


def test_cancelling_twice_is_no_harm(running, owner):
    job = start(running, owner, "long")
    until(running, job, lambda row: row.status == "running")
    running.jobs.cancel(job, "default")
    with suppress(Conflict):
        running.jobs.cancel(job, "default")
    assert running.jobs.wait(job, 30).status == "cancelled"


def test_two_jobs_run_at_once_and_a_third_waits_its_turn(running, owner, world):
    together, go_on = threading.Barrier(2), threading.Event()

    def meet():
        if not go_on.is_set():
            together.wait(30)
            go_on.set()

    world.inside = meet
    jobs = [start(running, owner, f"s{n}") for n in range(3)]
    assert [running.jobs.wait(j, 30).status for j in jobs] == ["done"] * 3


def test_jobs_are_found_by_number_operation_and_status_within_their_tenant(running, owner):
    job = start(running, owner)
    running.jobs.wait(job, 30)
    assert [r.id for r in running.jobs.list("default", operation="lab.work")] == [job]
    assert running.jobs.list("default", status="running") == []
    for act in (running.jobs.get, running.jobs.cancel):
        with pytest.raises(NotFound):
            act(job, "other")


def test_a_stop_cuts_a_job_off_and_the_next_start_finishes_it(running, owner, world, home):
    reached = threading.Event()
    world.inside = reached.set
    job = start(running, owner, "stubborn")
    assert reached.wait(30)
    running.jobs.stop()
    row = running.jobs.get(job, "default")
    assert (row.status, row.error) == ("running", None)
    assert running.receipts.for_job(job) is None
    work = running.operations.get("lab.work")
    finish = work.function
    work.function = lambda args, call: finish(args.model_copy(update={"shelf": "free"}), call)
    running.start()
    assert running.jobs.wait(job, 60).status == "done"
    assert world.acts == ["first stubborn", "second free"]


def test_a_stop_during_a_long_sleep_is_quick_and_the_sleep_goes_on(running, owner, world):
    job = start(running, owner, "long")
    until(running, job, lambda row: "first long" in world.acts)
    began = time.monotonic()
    running.jobs.stop()
    assert time.monotonic() - began < 14
    running.start()
    until(running, job, lambda row: row.attempts == 2)
    running.jobs.cancel(job, "default")
    assert running.jobs.wait(job, 30).status == "cancelled"
    assert world.acts == ["first long"]


def test_one_process_runs_the_jobs_of_one_home(running, home, tmp_path):
    other = Kernel(Settings(home=tmp_path / "other"), operations())
    with pytest.raises(Conflict, match="another home"):
        other.start()
    other.stop()
    assert running.jobs.engine


def test_an_end_that_cannot_be_stored_waits_until_it_can(running, owner, world, monkeypatch):
    from tools.kernel import job_engine

    monkeypatch.setattr(job_engine, "RETRY_SECONDS", 0.05)
    stored, full = completion.settle, threading.Event()
    tried = threading.Event()

    def settle(*args, **more):
        if full.is_set():
            tried.set()
            raise Unavailable("The disk is full.")
        return stored(*args, **more)

    monkeypatch.setattr(completion, "settle", settle)
    full.set()
    job = start(running, owner)
    assert tried.wait(30)
    assert running.jobs.get(job, "default").status == "running"
    full.clear()
    assert running.jobs.wait(job, 30).status == "done"
    assert world.acts == ["first a", "second a"]


def test_a_job_that_could_not_be_handed_over_is_handed_over_later(running, owner, monkeypatch):
    from tools.kernel import job_engine

    monkeypatch.setattr(job_engine, "RETRY_SECONDS", 0.05)
    hand_over = running.jobs.engine._hand_over
    failures = iter([OSError("full")])

    def sometimes(job):
        for failure in failures:
            raise failure
        hand_over(job)

    monkeypatch.setattr(running.jobs.engine, "_hand_over", sometimes)
    assert running.jobs.wait(start(running, owner), 30).status == "done"


def test_what_waits_costs_nothing_and_what_works_does(running, owner, world):
    running.settings.hourly_rate = 3600.0
    job = start(running, owner, "long")
    until(running, job, lambda row: "first long" in world.acts)
    threading.Event().wait(1.5)
    running.jobs.cancel(job, "default")
    running.jobs.wait(job, 30)
    receipt = running.receipts.for_job(job)
    assert receipt.seconds >= 1.5
    assert receipt.cost < receipt.seconds - 1.0


def test_a_job_acts_for_who_asked(running, world):
    from tests.kernel.conftest import person
    from tools.kernel.identity import Role

    context = person("ole", Role.OPERATOR).for_step("p1", "s1")
    job = start(running, context)
    running.jobs.wait(job, 30)
    receipt = running.receipts.for_job(job)
    assert (receipt.principal, receipt.plan, receipt.step) == ("ole", "p1", "s1")
