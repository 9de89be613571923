"""Answers to what waits: a yes, a no, a decided approval, and the turn that each is for."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from graphs.events import Done, Message
from graphs.stream import TurnStream
from graphs.tables import TurnRow
from tools.kernel.errors import NotFound
from tools.kernel.identity import RequestContext
from tools.kernel.policy import may_approve

if TYPE_CHECKING:
    from graphs.conversations import Conversations
    from graphs.turns import Turns
    from tools.kernel.kernel import Kernel


class Deciding:
    """Takes answers to what waits.

    Args:
        kernel: for approvals and events.
        conversations: where turns wait.
        turns: goes on with them.
    """

    def __init__(self, kernel: Kernel, conversations: Conversations, turns: Turns) -> None:
        self._kernel = kernel
        self._conversations = conversations
        self._turns = turns

    async def take(self, decision: str, waiting: TurnRow, context: RequestContext) -> TurnStream:
        """A yes, no or cancel that answers what waits."""
        if waiting.status == "needs_confirmation":
            return self._turns.resume(waiting, context, confirmed=decision == "yes")
        if decision == "yes" and await self._undecided(waiting, context):
            return await self._point_to_approvals(waiting, context)
        if decision != "yes":
            await self._turns.withdraw(waiting, context)
        return self._turns.resume(waiting, context, confirmed=None)

    async def _undecided(self, waiting: TurnRow, context: RequestContext) -> bool:
        found = await asyncio.to_thread(self._turns.pending_approvals, waiting, context)
        return all(approval.status == "pending" for approval in found)

    async def _point_to_approvals(self, waiting: TurnRow, context: RequestContext) -> TurnStream:
        """Words are no approval: say how it is given."""
        stream = TurnStream(
            self._kernel.events, waiting.conversation, context.tenant, waiting.number
        )
        pending = self._turns.pending_approvals(waiting, context)
        ways = "; ".join(f"{a.id}: {a.how}" for a in pending)
        await stream.emit(Message(text=f"A dangerous step is not approved by a yes. {ways}."))
        await stream.emit(Done(status="needs_approval"))
        return stream

    def waiting(
        self, thread: str, context: RequestContext, confirmed: bool | None, approval: str | None
    ) -> TurnRow:
        """The turn that an answer or a decided approval is for.

        Args:
            thread: the conversation.
            context: who gave it.
            confirmed: the answer, if the turn waits for a confirmation.
            approval: the decided approval's id, if it waits for one.

        Raises:
            NotFound: if nothing waits there for whoever asks.
        """
        if approval is not None:
            found = self._kernel.approvals.get(approval, context.tenant)
            if context.principal.name != found.proposer and not may_approve(context.principal):
                raise NotFound(f"No turn of yours waits for approval {approval}.")
            for turn in self._conversations.turns(found.conversation or thread):
                if (turn.plan or {}).get("id") == found.plan and turn.status == "needs_approval":
                    return turn
            raise NotFound(f"No turn waits for approval {approval}.")
        self._conversations.get(thread, context)
        kind = "needs_approval" if confirmed is None else "needs_confirmation"
        waiting = self._conversations.waiting(thread, (kind,))
        if waiting is None:
            raise NotFound(f"Nothing in conversation {thread} waits for that.")
        return waiting
