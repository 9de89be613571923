"""The conversations that are kept: found, begun, renamed, read again, erased."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphs.stream import topic
from tools.kernel.errors import InvalidInput
from tools.kernel.identity import RequestContext

if TYPE_CHECKING:
    from graphs.conversations import Conversations
    from graphs.turns import Turns
    from tools.kernel.events import Events


class Threads:
    """The conversations of whoever asks.

    Args:
        events: what happened in them.
        conversations: where they are stored.
        turns: what runs in them.
    """

    def __init__(self, events: Events, conversations: Conversations, turns: Turns) -> None:
        self._events = events
        self._conversations = conversations
        self._turns = turns

    def list(
        self, context: RequestContext, limit: int = 50, skip: int = 0, search: str = ""
    ) -> Sequence[dict[str, Any]]:
        """The principal's conversations, newest first; those whose title holds `search`."""
        return [
            {"thread": r.id, "title": r.title, "updated": r.updated.isoformat()}
            for r in self._conversations.list(context, limit, skip, search)
        ]

    def owner(self, thread: str) -> tuple[str, str] | None:
        """Whose conversation it is, as tenant and name; None if there is no such conversation."""
        return self._conversations.owner(thread)

    def begin(self, thread: str, title: str, context: RequestContext) -> None:
        """Keep a conversation in which nothing was asked yet.

        Raises:
            NotFound: if it belongs to somebody else.
        """
        self._conversations.open(thread, title, context)

    def rename(self, thread: str, title: str, context: RequestContext) -> None:
        """Give a conversation another title.

        Raises:
            NotFound: if the principal has no such conversation.
            InvalidInput: if the title is empty.
        """
        self._conversations.get(thread, context)
        if not title.strip():
            raise InvalidInput("A conversation's title cannot be empty.")
        self._conversations.rename(thread, title)

    async def erase(self, thread: str, context: RequestContext) -> None:
        """Delete all that a conversation keeps: sentences, plans, events, checkpoints, feedback.

        What waits for an approval is withdrawn. Receipts and audit stay: they tell of acts, not of
        conversations.

        Raises:
            NotFound: if the principal has no such conversation.
            Conflict: if a turn of it still runs.
        """
        await asyncio.to_thread(self._conversations.get, thread, context)
        await self._turns.forget(thread, context)
        await asyncio.to_thread(self._events.erase, topic(thread))
        await asyncio.to_thread(self._conversations.erase, thread)

    def history(self, thread: str, context: RequestContext) -> Sequence[dict[str, Any]]:
        """A conversation's turns, oldest first, with their plans and results."""
        self._conversations.get(thread, context)
        return [
            {
                "turn": r.number,
                "text": r.text,
                "status": r.status,
                "plan": r.plan,
                "results": r.results,
            }
            for r in self._conversations.turns(thread)
        ]
