"""A sentence for later, from its words to what was carried out."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from graphs.assistant import Assistant
from graphs.events import Message, PlanEvent, StepFinished
from tests.support.turns import Say, kinds, status
from tools.kernel.identity import Channel, Principal, RequestContext, Role
from tools.kernel.kernel import Kernel
from tools.kernel.plan_runs import TOPIC
from tools.schedules.service import ScheduleService

RUNBOOK = "model-rollback-runbook.md"


def told(events: list[Any]) -> str:
    return " ".join(e.text for e in events if isinstance(e, Message))


async def make_due(kernel: Kernel, number: int = 1) -> None:
    """Tell the service that the next moment has come, as its timer does from a thread."""
    service = kernel.get(ScheduleService)
    moment = service.row(number).next_due
    assert moment is not None
    await asyncio.to_thread(service.due, str(number), moment)


async def stands(kernel: Kernel, wanted: str, number: int = 1) -> Any:
    """Wait until the newest run of a schedule has a status."""
    after = 0
    while True:
        runs = kernel.plan_runs.of(f"schedule-{number}")
        if runs and runs[0].status == wanted:
            return runs[0]
        events = await asyncio.to_thread(kernel.events.wait, TOPIC, after, 20)
        assert events, f"{[(r.status, r.note) for r in runs]}"
        after = events[-1].id


async def test_it_is_shown_with_its_next_times_and_kept_once_confirmed(say: Say, kernel: Kernel):
    asked = await say("every night at two list the datasets")
    assert status(asked) == "needs_confirmation"
    plan = next(e for e in asked if isinstance(e, PlanEvent)).plan
    assert [s.operation for s in plan.steps] == ["datasets.list"]
    assert told(asked).count("02:00") == 4
    assert kernel.get(ScheduleService).list("default", ended=True, limit=5) == []
    done = await say("yes")
    assert status(done) == "done"
    (finished,) = [e for e in done if isinstance(e, StepFinished)]
    assert finished.receipt["operation"] == "schedules.create"
    assert finished.receipt["evidence"]


async def test_no_keeps_nothing(say: Say, kernel: Kernel):
    await say("every night at two list the datasets")
    assert status(await say("no")) == "cancelled"
    assert kernel.get(ScheduleService).list("default", ended=True, limit=5) == []


async def test_what_is_due_runs_in_a_conversation_of_its_own(
    say: Say, kernel: Kernel, assistant: Assistant
):
    await say("every night at two list the datasets", auto_confirm=True)
    await make_due(kernel)
    run = await stands(kernel, "done")
    (receipt,) = [kernel.receipts.get(r, "default") for r in run.receipts]
    assert (receipt.operation, receipt.channel) == ("datasets.list", "job")
    owner = RequestContext(kernel.principals.local())
    (turn,) = assistant.threads.history(run.context["conversation"], owner)
    assert (turn["status"], turn["text"]) == ("done", "every night at two list the datasets")
    listed = await say("what is scheduled?")
    (finished,) = [e for e in listed if isinstance(e, StepFinished)]
    assert "run 1 done" in finished.receipt["says"]


async def test_it_is_cancelled_in_words_and_has_no_further_run(say: Say, kernel: Kernel):
    await say("every night at two list the datasets", auto_confirm=True)
    service = kernel.get(ScheduleService)
    moment = service.row(1).next_due
    assert moment is not None
    assert status(await say("cancel schedule 1", auto_confirm=True)) == "done"
    await asyncio.to_thread(service.due, "1", moment)
    assert kernel.plan_runs.of("schedule-1") == []
    assert status(await say("undo that", auto_confirm=True)) == "done"
    assert service.row(1).status == "active"


async def test_a_dangerous_step_waits_for_an_approval_when_it_is_due(
    say: Say, kernel: Kernel, assistant: Assistant
):
    asked = await say(f"every night at two forget the document {RUNBOOK}")
    assert "approval is asked for" in told(asked)
    await say("yes")
    await make_due(kernel)
    run = await stands(kernel, "waiting")
    (wanted,) = kernel.approvals.list("default", "pending")
    assert wanted.conversation is not None
    assert wanted.conversation == run.context["conversation"]
    await make_due(kernel)
    assert "still waiting" in kernel.plan_runs.of("schedule-1")[0].note
    owner = kernel.principals.local()
    kernel.approvals.grant(wanted.id, owner, wanted.confirm)
    context = RequestContext(owner, conversation=wanted.conversation)
    resumed = [e async for e in assistant.resume(wanted.conversation, context, approval=wanted.id)]
    assert status(resumed) == "done"
    assert kernel.plan_runs.of("schedule-1")[1].status == "done"


async def test_who_lost_the_role_meanwhile_is_refused_and_that_is_recorded(
    assistant: Assistant, kernel: Kernel
):
    roles = frozenset({Role.OPERATOR})
    kernel.principals.add("ada", roles)
    ada = RequestContext(Principal("ada", roles), Channel.CLI, conversation="t9")
    said = "every night at two protect the thinkpads"
    kernel.gate.call(
        "devices.enroll",
        {"name": "tp-1", "group": "thinkpads", "profile": "laptop"},
        RequestContext(kernel.principals.local()),
    )
    _ = [e async for e in assistant.ask(said, ada, auto_confirm=True)]
    kernel.principals.remove("ada")
    await make_due(kernel)
    run = await stands(kernel, "failed")
    assert "removed" in run.note
    kernel.principals.add("ada", frozenset({Role.VIEWER}))
    await make_due(kernel)
    run = await stands(kernel, "failed")
    assert run.number == 2 and "may not call" in run.note
    events = [r.body["event"] for r in kernel.audit.tail("default", 20)]
    assert "plan.refused" in events and "call.refused" in events


async def test_a_plan_waits_for_a_job_that_is_named(say: Say, kernel: Kernel):
    owner = RequestContext(kernel.principals.local())
    with kernel.database.writing() as session:
        job = kernel.jobs.create(session, "training.start", {"dataset": "tickets"}, owner, "")
    kernel.catalogue.changed()
    asked = await say(f"when job {job} has finished, list the datasets")
    assert f"when job {job} has ended" in told(asked)
    await say("yes")
    kernel.jobs.cancel(job, "default")
    run = await stands(kernel, "done")
    assert run.key == f"job-{job}"


async def test_the_time_of_a_pending_plan_is_changed_in_words(say: Say, kernel: Kernel):
    await say("every night at two list the datasets")
    again = await say("no, at four")
    assert status(again) == "needs_confirmation" and told(again).count("04:00") == 4
    await say("yes")
    (view,) = kernel.get(ScheduleService).list("default", ended=True, limit=5)
    assert view.timing["every"] == "0 4 * * *"


@pytest.mark.parametrize(
    ("first", "then", "cron"),
    [
        ("every night at two", "no, at five", "0 5 * * *"),
        ("daily at 5 pm", "no, at six", "0 18 * * *"),
    ],
)
async def test_the_half_of_the_day_stays_whatever_the_time_is_now(
    say: Say, kernel: Kernel, first: str, then: str, cron: str
):
    await say(f"list the datasets {first}")
    await say(then)
    await say("yes")
    (view,) = kernel.get(ScheduleService).list("default", ended=True, limit=5)
    assert view.timing["every"] == cron


async def test_what_cannot_be_kept_is_refused_with_its_reason(say: Say, kernel: Kernel):
    events = await say("list the datasets every other day")
    assert kinds(events)[-2:] == ["message", "done"]
    assert "every other one" in told(events)
    assert "reminders" in told(await say("remind me tomorrow to look at the canary"))
