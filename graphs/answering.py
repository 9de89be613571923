"""Answering without an act: a question, a dry run, a reply."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from graphs.events import Done, Message, Preflight, QuestionEvent, Status, StepFailed
from graphs.plan import Plan, references
from graphs.stream import TurnStream
from graphs.tables import TurnRow
from tools.kernel.errors import PilothouseError
from tools.kernel.identity import RequestContext

if TYPE_CHECKING:
    from graphs.conversations import Conversations
    from tools.kernel.gate import Gate


class Answering:
    """Settles turns that carry nothing out.

    Args:
        gate: previews the steps of a dry run.
        conversations: where turns are settled.
    """

    def __init__(self, gate: Gate, conversations: Conversations) -> None:
        self._gate = gate
        self._conversations = conversations

    async def answer(
        self, turn: TurnRow, plan: Plan, context: RequestContext, stream: TurnStream
    ) -> None:
        """Settle a turn that carries nothing out: a question, a dry run, a reply."""
        status: Status = "done"
        if plan.question is not None:
            status = "needs_input"
            await stream.emit(QuestionEvent(question=plan.question))
        elif plan.dry_run and plan.steps:
            await self._preflight(plan, context, stream)
        if plan.reply:
            await stream.emit(Message(text=plan.reply))
        if plan.abstained:
            status = "needs_input"

        done = stream.add(Done(status=status, use=plan.use))

        def settle() -> None:
            with stream.storing() as session:
                self._conversations.settle(turn.id, status, {}, session)

        await asyncio.to_thread(settle)
        stream.deliver(done)

    async def _preflight(self, plan: Plan, context: RequestContext, stream: TurnStream) -> None:
        for step in plan.steps:
            if references(step.arguments):
                waits = f"Step {step.id} can be looked at once the steps before it are done."
                await stream.emit(Message(text=waits))
                continue
            try:
                preview = await asyncio.to_thread(
                    self._gate.preview, step.operation, step.arguments, context
                )
                await stream.emit(Preflight(step=step.id, preview=preview.model_dump(mode="json")))
            except PilothouseError as error:
                await stream.emit(StepFailed(step=step.id, error=error.as_dict()))
