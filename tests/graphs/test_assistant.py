"""Whole turns: what is asked before acting, what is done, and what is never done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graphs.assistant import Assistant
from graphs.events import (
    ApprovalEvent,
    Message,
    PlanEvent,
    Preflight,
    StepFailed,
    StepFinished,
)
from tests.support.turns import Say, kinds, status
from tools.kernel.errors import NotFound
from tools.kernel.identity import Principal, RequestContext, Role
from tools.kernel.kernel import Kernel
from ui.cards import secret_lines


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """A small data file."""
    path = tmp_path / "greetings.csv"
    lines = [f"hello number {i},hi" for i in range(12)] + [f"bye number {i},bye" for i in range(12)]
    path.write_text("text,label\n" + "\n".join(lines) + "\n")
    return path


def datasets(kernel: Kernel) -> set[str]:
    """The names of the home's own datasets."""
    context = RequestContext(kernel.principals.local())
    listed = kernel.gate.call("datasets.list", {}, context).result.model_dump()
    return {d["name"] for d in listed["datasets"]}


async def test_reading_never_asks(say: Say) -> None:
    events = await say("which datasets are there?")
    assert status(events) == "done"
    assert "confirm" not in kinds(events)
    assert any(isinstance(e, StepFinished) for e in events)


async def test_the_plan_is_shown_before_anything_is_done(say: Say) -> None:
    events = await say("who am I?")
    assert kinds(events)[0] == "plan"
    assert kinds(events).index("plan") < kinds(events).index("step_started")


async def test_writing_asks_once_and_yes_carries_it_out(
    say: Say, kernel: Kernel, rows: Path
) -> None:
    events = await say(f"add the dataset {rows} and call it greetings")
    assert status(events) == "needs_confirmation"
    assert "greetings" not in datasets(kernel)
    events = await say("yes please")
    assert status(events) == "done"
    assert "greetings" in datasets(kernel)


async def test_no_leaves_everything_as_it_was(say: Say, kernel: Kernel, rows: Path) -> None:
    before = datasets(kernel)
    await say(f"add the dataset {rows} and call it greetings")
    events = await say("no")
    assert status(events) == "cancelled"
    assert datasets(kernel) == before


async def test_a_question_in_between_does_not_lose_what_waits(
    say: Say, kernel: Kernel, rows: Path
) -> None:
    await say(f"add the dataset {rows} and call it greetings")
    assert status(await say("who am I?")) == "done"
    assert status(await say("yes")) == "done"
    assert "greetings" in datasets(kernel)


async def test_what_waits_can_be_asked_about_without_losing_it(
    say: Say, kernel: Kernel, rows: Path
) -> None:
    await say(f"add the dataset {rows} and call it greetings")
    assert status(await say("who am I?")) == "done"
    events = await say("what would that do?")
    (looked,) = [e for e in events if isinstance(e, Preflight)]
    assert "greetings" in json.dumps(looked.preview) and "greetings" not in datasets(kernel)
    assert status(await say("yes")) == "done"
    assert "greetings" in datasets(kernel)


@pytest.mark.parametrize("said", ["only if omar agrees", "no don't, we still need the old one"])
async def test_what_is_held_back_or_given_up_in_many_words_is_not_done_by_a_later_yes(
    say: Say, kernel: Kernel, rows: Path, said: str
) -> None:
    await say(f"add the dataset {rows} and call it greetings")
    await say(said)
    assert "step_started" not in kinds(await say("yes"))
    assert "greetings" not in datasets(kernel)


async def test_yes_without_anything_pending_does_nothing(say: Say) -> None:
    events = await say("yes")
    assert "step_started" not in kinds(events)


async def test_auto_confirm_answers_for_writing(say: Say, kernel: Kernel, rows: Path) -> None:
    events = await say(f"add the dataset {rows} and call it greetings", auto_confirm=True)
    assert status(events) == "done"
    finished = next(e for e in events if isinstance(e, StepFinished))
    assert finished.receipt["evidence"]


async def test_auto_confirm_never_answers_for_a_dangerous_step(
    say: Say, kernel: Kernel, rows: Path
) -> None:
    await say(f"add the dataset {rows} and call it greetings", auto_confirm=True)
    events = await say("forget the document model-rollback-runbook.md", auto_confirm=True)
    assert status(events) == "needs_approval"
    assert "step_finished" not in kinds(events)


async def test_a_yes_in_words_is_no_approval(say: Say) -> None:
    await say("forget the document model-rollback-runbook.md")
    events = await say("yes")
    assert status(events) == "needs_approval"
    assert any(isinstance(e, Message) and "approvals grant" in e.text for e in events)


async def test_a_granted_approval_lets_the_turn_go_on(
    say: Say, assistant: Assistant, kernel: Kernel
) -> None:
    owner = RequestContext(kernel.principals.local(), conversation="t1")
    events = await say("forget the document model-rollback-runbook.md")
    wanted = next(e for e in events if isinstance(e, ApprovalEvent)).approval
    kernel.approvals.grant(wanted["id"], owner.principal, wanted["confirm"])
    events = [e async for e in assistant.resume("t1", owner, approval=wanted["id"])]
    assert status(events) == "done"
    finished = next(e for e in events if isinstance(e, StepFinished))
    assert finished.receipt["approval"] == wanted["id"]
    assert finished.receipt["self_approved"] is True


async def test_resuming_without_a_grant_does_nothing(
    say: Say, assistant: Assistant, kernel: Kernel
) -> None:
    owner = RequestContext(kernel.principals.local(), conversation="t1")
    await say("forget the document model-rollback-runbook.md")
    events = [e async for e in assistant.resume("t1", owner)]
    assert status(events) == "needs_approval"
    assert "step_finished" not in kinds(events)


async def test_a_denied_approval_fails_the_step_and_says_why(
    say: Say, assistant: Assistant, kernel: Kernel
) -> None:
    owner = RequestContext(kernel.principals.local(), conversation="t1")
    events = await say("forget the document model-rollback-runbook.md")
    wanted = next(e for e in events if isinstance(e, ApprovalEvent)).approval
    kernel.approvals.deny(wanted["id"], owner.principal, "we need it")
    events = [e async for e in assistant.resume("t1", owner)]
    assert status(events) == "failed"
    failed = next(e for e in events if isinstance(e, StepFailed))
    assert "we need it" in failed.error["message"]


async def test_a_conversation_of_somebody_else_is_not_found(
    say: Say, assistant: Assistant, kernel: Kernel
) -> None:
    await say("who am I?")
    stranger = RequestContext(Principal("eve", frozenset({Role.ADMIN})), conversation="t1")
    with pytest.raises(NotFound):
        [e async for e in assistant.ask("who am I?", stranger)]
    with pytest.raises(NotFound):
        assistant.threads.history("t1", stranger)


async def test_what_cannot_be_done_is_said_plainly(say: Say) -> None:
    events = await say("please order a pizza for the whole team")
    plan = next(e for e in events if isinstance(e, PlanEvent)).plan
    assert plan.steps == []
    assert plan.abstained
    assert any(isinstance(e, Message) for e in events)


async def test_history_keeps_plans_and_results(
    say: Say, assistant: Assistant, kernel: Kernel
) -> None:
    await say("who am I?")
    owner = RequestContext(kernel.principals.local())
    turns = assistant.threads.history("t1", owner)
    assert [t["status"] for t in turns] == ["done"]
    assert turns[0]["results"]["s1"]["receipt"]["operation"] == "platform.whoami"


async def test_a_new_token_reaches_the_asker_and_is_kept_nowhere(say: Say, kernel: Kernel) -> None:
    events = await say("enroll a laptop called lap-1 in the group sales", auto_confirm=True)
    finished = next(e for e in events if isinstance(e, StepFinished))
    assert finished.revealed is not None
    token = finished.revealed["token"]
    assert secret_lines(finished.model_dump(mode="json")) == [f"token: {token}   (shown only now)"]
    stored = [e.data for e in kernel.events.read("conversation:t1")]
    assert token not in json.dumps([stored, finished.receipt, finished.result])
