"""A platform whose assistant follows a script; kernel, gate, API and commands are the real ones.

python -m tests.ui.scripted        (with PILOTHOUSE_HOME set)
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from typing import Any, cast

from graphs.events import (
    ApprovalEvent,
    AssistantEvent,
    ConfirmEvent,
    Done,
    Message,
    PlanEvent,
    Preflight,
    Progress,
    QuestionEvent,
    StepFailed,
    StepFinished,
    StepStarted,
)
from graphs.plan import Plan, Question, Step
from tools.kernel.errors import Conflict, NeedsApproval, NotFound, PilothouseError
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from ui.platform import run


class ScriptedThreads:
    """What was said in each conversation."""

    def __init__(self, told: dict[str, list[dict[str, Any]]]) -> None:
        self._told = told

    def history(self, thread: str, context: RequestContext) -> list[dict[str, Any]]:
        if thread not in self._told:
            raise NotFound(f"There is no conversation {thread}.")
        return self._told[thread]

    def list(self, context: RequestContext) -> list[dict[str, Any]]:
        return [
            {"thread": name, "title": told[0]["text"], "updated": "2026-01-01T00:00:00+00:00"}
            for name, told in reversed(self._told.items())
        ]


class Scripted:
    """Understands `read`, `write N`, `danger N`, `question`, `dry N`, `slow N`, `boom`, `fail`."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._waiting: dict[str, tuple[Plan, RequestContext]] = {}
        self._cancelled: set[str] = set()
        self._told: dict[str, list[dict[str, Any]]] = {}
        self.threads = ScriptedThreads(self._told)

    def takes_more(self, thread: str) -> bool:
        """Never: what is scripted begins no job."""
        return False

    async def ask(
        self, text: str, context: RequestContext, *, auto_confirm: bool = False
    ) -> AsyncIterator[AssistantEvent]:
        thread = str(context.conversation)
        self._told.setdefault(thread, []).append({"text": text, "status": "running"})
        async for event in self._turn(text, context, thread, auto_confirm):
            if isinstance(event, Done):
                self._told[thread][-1]["status"] = event.status
            yield event.model_copy(update={"thread": thread})

    async def _turn(
        self, text: str, context: RequestContext, thread: str, auto_confirm: bool
    ) -> AsyncIterator[AssistantEvent]:
        word, _, rest = text.partition(" ")
        if word == "question":
            yield PlanEvent(plan=Plan(text=text, confidence=0.5))
            asked = Question(
                operation="training.start",
                slot="dataset",
                text="Which dataset?",
                candidates=["tickets", "mails"],
            )
            yield QuestionEvent(question=asked)
            yield Done(status="needs_input")
            return
        if word == "boom":
            yield PlanEvent(plan=Plan(text=text, confidence=0.5))
            raise RuntimeError("nobody expected this")
        if word == "slow":
            async for event in self._slow(text, thread, int(rest or 100)):
                yield event
            return
        plan = Plan(
            id=f"plan-{thread}-{rest}", text=text, confidence=0.5, steps=[self._step(word, rest)]
        )
        yield PlanEvent(plan=plan)
        if word == "dry":
            preview = self._kernel.gate.preview(
                "platform.add_user", {"name": rest, "role": "viewer"}, context
            )
            yield Preflight(step="s1", preview=preview.model_dump(mode="json"))
            yield Done(status="done")
        elif word == "write" and not auto_confirm:
            self._waiting[thread] = (plan, context)
            yield ConfirmEvent(text="Shall I?", steps=plan.steps)
            yield Done(status="needs_confirmation")
        else:
            async for event in self._carry_out(plan, context):
                yield event

    @staticmethod
    def _step(word: str, rest: str) -> Step:
        if word in ("danger", "dry"):
            return Step(
                id="s1",
                operation="platform.add_user",
                arguments={"name": rest, "role": "viewer"},
            )
        if word == "fail":
            return Step(id="s1", operation="datasets.describe", arguments={"dataset": "nowhere"})
        if word == "write":
            return Step(id="s1", operation="devices.enroll", arguments=_device(rest))
        return Step(id="s1", operation="platform.whoami")

    async def _slow(self, text: str, thread: str, ticks: int) -> AsyncIterator[AssistantEvent]:
        plan = Plan(text=text, confidence=0.5, steps=[Step(id="s1", operation="training.start")])
        yield PlanEvent(plan=plan)
        for tick in range(ticks):
            if thread in self._cancelled:
                self._cancelled.discard(thread)
                yield Done(status="cancelled")
                return
            yield Progress(step="s1", job=1, fraction=tick / ticks, message=f"tick {tick}")
            await asyncio.sleep(0.1)
        yield Message(text="slowly done")
        yield Done(status="done")

    async def _carry_out(
        self, plan: Plan, context: RequestContext
    ) -> AsyncIterator[AssistantEvent]:
        step = plan.steps[0]
        inside = context.for_step(plan.id, step.id)
        yield StepStarted(
            step="s1", operation=step.operation, agent="tester", arguments=step.arguments
        )
        try:
            outcome = await asyncio.to_thread(
                self._kernel.gate.call, step.operation, step.arguments, inside
            )
        except NeedsApproval as needed:
            self._waiting[str(context.conversation)] = (plan, context)
            yield ApprovalEvent(step="s1", approval=needed.approval)
            yield Done(status="needs_approval")
            return
        except PilothouseError as error:
            yield StepFailed(step="s1", error=error.as_dict())
            yield Done(status="failed")
            return
        yield StepFinished(
            step="s1",
            receipt=outcome.receipt.model_dump(mode="json"),
            result=outcome.result.model_dump(mode="json"),
        )
        yield Done(status="done", receipts=[outcome.receipt.id])

    async def resume(
        self,
        thread: str,
        context: RequestContext,
        *,
        confirmed: bool | None = None,
        approval: str | None = None,
    ) -> AsyncIterator[AssistantEvent]:
        if thread not in self._waiting:
            raise NotFound(f"Nothing waits in {thread}.")
        plan, asked_by = self._waiting.pop(thread)
        if confirmed is False:
            yield Message(thread=thread, text="Nothing was done.")
            yield Done(thread=thread, status="cancelled")
            return
        async for event in self._carry_out(plan, asked_by):
            yield event.model_copy(update={"thread": thread})

    async def cancel(self, thread: str, context: RequestContext) -> dict[str, Any]:
        if thread not in self._told:
            raise Conflict("Nothing runs.")
        self._cancelled.add(thread)
        return {"done": [], "not_done": ["s1"], "jobs": []}

    def prepare(self, context: RequestContext, names: Any = None) -> None:
        """There are no names."""

    def parse(
        self,
        said: str | list[str],
        context: RequestContext,
        names: Any = None,
        now: Any = None,
    ) -> Plan:
        text = said if isinstance(said, str) else said[-1]
        return Plan(text=text, steps=[self._step(*text.partition(" ")[::2])], confidence=0.5)

    async def close(self) -> None:
        return


def _device(name: str) -> dict[str, Any]:
    return {"name": name, "group": "thinkpads", "profile": "laptop"}


async def opened(kernel: Kernel) -> Any:
    return Scripted(kernel)


if __name__ == "__main__":
    run(open_assistant=cast("Any", opened))
    sys.exit(0)
