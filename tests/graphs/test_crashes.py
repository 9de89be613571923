"""What a process finds that starts after another was killed in the middle of a turn."""

from __future__ import annotations

from pathlib import Path

from graphs.assistant import Assistant
from graphs.conversations import Conversations
from graphs.events import ApprovalEvent
from graphs.plan import Plan, Step
from graphs.understanding import Understanding
from tests.support.turns import Say, status
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
