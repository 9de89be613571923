"""Schedules on a real kernel and job engine, without an assistant: what becomes due, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tools.kernel.errors import Conflict, InvalidInput, NotFound, PolicyDenied
from tools.kernel.identity import Principal, RequestContext, Role
from tools.kernel.kernel import Kernel
from tools.kernel.plan_runs import TOPIC
from tools.kernel.undo import undo
from tools.schedules.service import ScheduleService

LIST = [{"id": "s1", "operation": "datasets.list"}]
NIGHTLY = {"every": "0 2 * * *", "zone": "UTC", "said": "every night at two"}


@pytest.fixture
def create(call):
    def run(timing: dict[str, Any], steps: list[dict[str, Any]] | None = None, **more: Any) -> Any:
        given = {"sentence": "said so", "steps": steps or LIST, "timing": timing, **more}
        return call("schedules.create", **given)

    return run


def soon(seconds: float = 1.0) -> dict[str, Any]:
    return {"at": (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()}


def due(kernel: Kernel, count: int = 1, timeout: float = 20) -> list[Any]:
    """Wait until so many plans have become due."""
    seen: list[Any] = []
    after = 0
    while len(seen) < count:
        events = kernel.events.wait(TOPIC, after, timeout)
        assert events, "nothing became due"
        after = events[-1].id
        seen += [e for e in events if e.kind == "plan.due"]
    return kernel.plan_runs.due()


def at_moment(kernel: Kernel, number: int) -> None:
    """Tell the service that the schedule's next moment has come, as its timer does."""
    service = kernel.get(ScheduleService)
    moment = service.row(number).next_due
    assert moment is not None
    service.due(str(number), moment)


def test_a_plan_becomes_due_at_its_moment_once(kernel, create):
    made = create(soon())
    assert made.receipt.evidence[0].value == "active"
    (run,) = due(kernel)
    assert (run.source, run.number, run.steps[0]["operation"]) == ("schedule-1", 1, "datasets.list")
    assert kernel.get(ScheduleService).row(1).status == "ended"


def test_what_ran_within_a_day_is_listed_still(kernel, create, call):
    create({"every": "0 2 * * *", "zone": "UTC"}, name="kept")
    create(soon(), name="over")
    due(kernel)
    listed = call("schedules.list").result.schedules
    assert [(s.schedule, s.status) for s in listed] == [("over", "ended"), ("kept", "active")]


def test_the_same_moment_told_twice_is_due_once(kernel, create):
    create(NIGHTLY)
    service = kernel.get(ScheduleService)
    moment = service.row(1).next_due
    service.due("1", moment)
    service.due("1", moment)
    assert len(kernel.plan_runs.due()) == 1
    assert service.row(1).next_due > moment


def test_its_last_day_is_listed_and_ends_it(kernel, create, call):
    last = (datetime.now(UTC) + timedelta(days=2)).isoformat()
    create({"every": "0 2 * * *", "zone": "UTC", "until": last}, name="two-nights")
    (view,) = call("schedules.list").result.schedules
    assert len(view.next) == 2 and ", until " in view.when
    at_moment(kernel, 1)
    at_moment(kernel, 1)
    assert kernel.get(ScheduleService).row(1).status == "ended"


def test_a_cancelled_schedule_does_not_fire(kernel, create, call):
    create(soon(2), name="once")
    call("schedules.cancel", schedule="once")
    create(soon(2.2), name="later")
    (run,) = due(kernel)
    assert run.source == "schedule-2"


def test_a_cancellation_can_be_undone_as_long_as_its_moment_is_to_come(
    kernel, create, call, context
):
    create(NIGHTLY, name="nightly")
    cancelled = call("schedules.cancel", schedule="nightly")
    with pytest.raises(NotFound):
        call("schedules.pause", schedule="nightly")
    undo(kernel, cancelled.receipt, context)
    view = kernel.get(ScheduleService).view(1)
    assert (view.status, len(view.next)) == ("active", 3)
    assert kernel.plan_runs.due() == []


def test_creating_can_be_undone(kernel, create, context):
    made = create(NIGHTLY)
    undo(kernel, made.receipt, context)
    assert kernel.get(ScheduleService).row(1).status == "cancelled"


def test_a_paused_schedule_has_no_run_until_it_is_resumed(kernel, create, call):
    create(NIGHTLY)
    service = kernel.get(ScheduleService)
    moment = service.row(1).next_due
    call("schedules.pause", schedule="1")
    service.due("1", moment)
    assert kernel.plan_runs.due() == []
    resumed = call("schedules.resume", schedule="nightly-datasets")
    assert resumed.result.next[0] == moment


def test_a_moment_during_the_run_before_it_is_skipped_and_noted(kernel, create):
    create(NIGHTLY)
    at_moment(kernel, 1)
    at_moment(kernel, 1)
    newest, before = kernel.plan_runs.of("schedule-1")
    assert (before.status, newest.status) == ("due", "skipped")
    assert "run 1 was still due" in newest.note


def test_a_plan_becomes_due_when_its_job_has_ended(kernel, create):
    job = waiting_job(kernel)
    create({"after_job": job})
    assert kernel.plan_runs.due() == []
    kernel.jobs.cancel(job, "default")
    (run,) = due(kernel)
    assert run.key == f"job-{job}"
    assert kernel.get(ScheduleService).row(1).status == "ended"


def test_a_trigger_on_success_notes_that_the_job_did_not(kernel, create):
    job = waiting_job(kernel)
    create({"after_job": job, "on": "success"}, name="on-success")
    create({"after_job": job, "on": "failure"}, name="on-failure")
    kernel.jobs.cancel(job, "default")
    (run,) = due(kernel)
    assert run.source == "schedule-2"
    assert "cancelled" in kernel.get(ScheduleService).row(1).note


def test_a_trigger_on_a_job_that_has_ended_already_is_due_at_once(kernel, create):
    job = waiting_job(kernel)
    kernel.jobs.cancel(job, "default")
    create({"after_job": job})
    assert len(due(kernel)) == 1


def waiting_job(kernel: Kernel) -> int:
    """A job that is queued and never begins."""
    context = RequestContext(kernel.principals.local())
    with kernel.database.writing() as session:
        return kernel.jobs.create(session, "training.start", {"dataset": "tickets"}, context, "")


@pytest.mark.parametrize(
    ("steps", "error"),
    [
        ([{"id": "s1", "operation": "datasets.explode"}], NotFound),
        ([{"id": "s1", "operation": "schedules.list"}], InvalidInput),
        (
            [{"id": "s1", "operation": "datasets.describe", "arguments": {"nmae": "x"}}],
            InvalidInput,
        ),
        (
            [{"id": "s1", "operation": "training.start", "arguments": {"dataset": "tikets"}}],
            NotFound,
        ),
        ([{"id": "s1", "operation": "datasets.list", "depends_on": ["s0"]}], InvalidInput),
        ([LIST[0], LIST[0]], InvalidInput),
    ],
)
def test_a_plan_that_could_not_be_carried_out_is_refused(create, kernel, steps, error):
    with pytest.raises(error):
        create(NIGHTLY, steps)
    assert kernel.get(ScheduleService).list("default", ended=True, limit=5) == []


def test_a_moment_that_has_passed_is_refused(create):
    with pytest.raises(Conflict):
        create(soon(-60))


def test_an_unknown_job_is_refused(create):
    with pytest.raises(NotFound):
        create({"after_job": 99})


def test_nobody_schedules_what_they_may_not_do(kernel):
    kernel.principals.add("ada", frozenset({Role.OPERATOR}))
    ada = RequestContext(Principal("ada", frozenset({Role.OPERATOR})))
    steps = [{"id": "s1", "operation": "platform.add_user"}]
    with pytest.raises(PolicyDenied):
        kernel.gate.call("schedules.create", {"steps": steps, "timing": NIGHTLY}, ada)


def test_names_are_short_and_never_taken_twice(create):
    names = [create(NIGHTLY).result.schedule for _ in range(3)]
    assert names == ["nightly-datasets", "nightly-datasets-2", "nightly-datasets-3"]


def test_what_is_dangerous_is_said_before(kernel, context):
    steps = [
        {
            "id": "s1",
            "operation": "knowledge.forget",
            "arguments": {"source": "model-rollback-runbook.md"},
        }
    ]
    given = {"steps": steps, "timing": NIGHTLY}
    preview = kernel.gate.preview("schedules.create", given, context)
    assert "waits for an approval each time" in preview.warnings[0]
    assert [c.what for c in preview.changes] == ["due 1", "due 2", "due 3"]
