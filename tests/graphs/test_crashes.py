"""What a process finds that starts after another was killed in the middle of a turn."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from graphs.assistant import Assistant
from graphs.conversations import Conversations
from graphs.events import ApprovalEvent, AssistantEvent
from graphs.plan import Plan, Step
from graphs.understanding import Understanding
from tests.support.turns import Say, status
from tools.kernel.errors import Conflict, NotFound, Unavailable
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel

RUNBOOK = "model-rollback-runbook.md"


def cut_off(kernel: Kernel, path: Path, *, confirm: bool, dry_run: bool = False) -> str:
    """A turn that was stored and not begun: the process was killed between the two."""
    path.write_text("text,label\nhello there,hi\ngood bye now,bye\nhello,hi\nbye,bye\n")
    context = RequestContext(kernel.principals.local(), conversation="t1")
    step = Step(id="s1", operation="datasets.add", arguments={"path": str(path), "name": "mine"})
    conversations = Conversations(kernel.database)
    conversations.open("t1", "add it", context)
    plan = Plan(text="add it", steps=[step], dry_run=dry_run, confidence=0.9)
    return conversations.add_turn("t1", "add it", plan, context, confirm=confirm).id


async def after_restart(kernel: Kernel, understanding: Understanding, turn: str) -> str:
    """How the turn stands once a new assistant has taken it up."""
    conversations = Conversations(kernel.database)
    assistant = await Assistant.open(kernel, understanding)
    try:
        tasks = list(assistant._turns._tasks.values())
        for task in tasks:
            await task
        return conversations.turn(turn).status
    finally:
        await assistant.close()


def added(kernel: Kernel) -> bool:
    context = RequestContext(kernel.principals.local())
    listed = kernel.gate.call("datasets.list", {}, context).result.model_dump()
    return "mine" in {d["name"] for d in listed["datasets"]}


async def test_a_plan_that_nobody_confirmed_is_asked_about_again(
    kernel: Kernel, understanding: Understanding, tmp_path: Path
) -> None:
    turn = cut_off(kernel, tmp_path / "a.csv", confirm=True)
    assert await after_restart(kernel, understanding, turn) == "needs_confirmation"
    assert not added(kernel)


async def test_a_confirmed_plan_is_carried_out(
    kernel: Kernel, understanding: Understanding, tmp_path: Path
) -> None:
    turn = cut_off(kernel, tmp_path / "a.csv", confirm=False)
    assert await after_restart(kernel, understanding, turn) == "done"
    assert added(kernel)


async def test_a_dry_run_stays_dry(
    kernel: Kernel, understanding: Understanding, tmp_path: Path
) -> None:
    turn = cut_off(kernel, tmp_path / "a.csv", confirm=False, dry_run=True)
    assert await after_restart(kernel, understanding, turn) == "failed"
    assert not added(kernel)


def reading(kernel: Kernel, text: str = "list the datasets") -> str:
    """A reading turn whose process was killed before its end was stored, and so its events."""
    context = RequestContext(kernel.principals.local(), conversation="t1")
    conversations = Conversations(kernel.database)
    conversations.open("t1", text, context)
    plan = Plan(text=text, steps=[Step(id="s1", operation="datasets.list")], confidence=0.9)
    return conversations.add_turn("t1", text, plan, context, confirm=False).id


async def test_a_read_that_was_cut_off_is_read_again_and_told_once(
    kernel: Kernel, understanding: Understanding
) -> None:
    turn = reading(kernel)
    assert await after_restart(kernel, understanding, turn) == "done"
    told = [e.data["kind"] for e in kernel.events.read("conversation:t1")]
    assert told == ["step_started", "step_finished", "done"]
    (state,) = Conversations(kernel.database).turn(turn).results.values()
    assert state["receipt"]["operation"] == "datasets.list"


async def test_a_read_whose_end_cannot_be_stored_is_said_to_have_failed(
    say: Say, kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise Unavailable("The database could not be used: disk full.")

    with monkeypatch.context() as patched:
        patched.setattr(Conversations, "settle", full)
        events = await say("list the datasets")
    assert status(events) == "failed" and any("disk full" in str(e) for e in events)
    stored = [e.data for e in kernel.events.read("conversation:t1")]
    assert [e["status"] for e in stored if e["kind"] == "done"] == ["failed"]
    assert status(await say("list the datasets")) == "done"


@pytest.fixture
def slow(kernel: Kernel) -> Iterator[threading.Event]:
    """Reads that stand still until they are let go on, or the test ends."""
    go_on, began = threading.Event(), threading.Event()
    call = kernel.gate.call

    def waits(name: str, *args: Any, **more: Any) -> Any:
        began.set()
        go_on.wait(20)
        return call(name, *args, **more)

    kernel.gate.call = waits  # type: ignore[method-assign]
    yield began
    go_on.set()


async def test_a_read_is_stopped_at_once_and_the_conversation_goes_on(
    assistant: Assistant, kernel: Kernel, slow: threading.Event
) -> None:
    context = RequestContext(kernel.principals.local(), conversation="t1")
    asked = asyncio.create_task(heard(assistant, "list the datasets", context))
    await asyncio.to_thread(slow.wait, 20)
    told = await asyncio.wait_for(assistant.cancel("t1", context), 5)
    assert told == {"done": [], "not_done": ["s1"], "jobs": []}
    assert status(await asyncio.wait_for(asked, 5)) == "cancelled"
    assert assistant.threads.history("t1", context)[0]["status"] == "cancelled"
    stored = [e.data["kind"] for e in kernel.events.read("conversation:t1")]
    assert stored == ["plan", "step_started", "done"]


async def test_a_second_sentence_in_a_thread_waits_its_turn_and_another_thread_does_not(
    assistant: Assistant, kernel: Kernel, slow: threading.Event
) -> None:
    context = RequestContext(kernel.principals.local(), conversation="t1")
    first = asyncio.create_task(heard(assistant, "list the datasets", context))
    await asyncio.to_thread(slow.wait, 20)
    with pytest.raises(Conflict, match="busy"):
        await heard(assistant, "list the devices", context)
    stranger = replace(context, principal=replace(context.principal, name="eve"))
    with pytest.raises(NotFound):
        await heard(assistant, "list the devices", stranger)
    elsewhere = replace(context, conversation="t2")
    assert status(await heard(assistant, "hello", elsewhere)) == "needs_input"
    await assistant.cancel("t1", context)
    assert status(await first) == "cancelled"


async def heard(assistant: Assistant, text: str, context: RequestContext) -> list[AssistantEvent]:
    """All events of a sentence's turn."""
    return [event async for event in assistant.ask(text, context)]


async def test_no_takes_an_unused_grant_back(say: Say, kernel: Kernel) -> None:
    owner = RequestContext(kernel.principals.local())
    events = await say(f"forget the document {RUNBOOK}")
    wanted = next(e for e in events if isinstance(e, ApprovalEvent)).approval
    kernel.approvals.grant(wanted["id"], owner.principal, wanted["confirm"])
    assert status(await say("no")) == "failed"
    assert kernel.approvals.get(wanted["id"], "default").status == "revoked"
    sources = kernel.gate.call("knowledge.sources", {}, owner).result.model_dump()["sources"]
    assert RUNBOOK in {s["name"] for s in sources}


async def test_a_yes_goes_on_once_somebody_has_decided(say: Say, kernel: Kernel) -> None:
    owner = RequestContext(kernel.principals.local())
    events = await say(f"forget the document {RUNBOOK}")
    wanted = next(e for e in events if isinstance(e, ApprovalEvent)).approval
    kernel.approvals.grant(wanted["id"], owner.principal, wanted["confirm"])
    assert status(await say("yes")) == "done"
