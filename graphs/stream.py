"""The events of a turn: stored for whoever comes later, queued for whoever listens now."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from graphs.events import EVENT, AssistantEvent, Done
from tools.kernel.errors import PilothouseError
from tools.kernel.events import Events

log = logging.getLogger(__name__)

KIND = "assistant"


def topic(conversation: str) -> str:
    """The topic under which a conversation's events are stored."""
    return f"conversation:{conversation}"


class TurnStream:
    """One turn's events. Lives in the event loop; a listener who leaves stops nothing.

    Args:
        events: where they are stored.
        conversation: the thread.
        tenant: whose it is.
        turn: the turn's number in the conversation.
    """

    def __init__(self, events: Events, conversation: str, tenant: str, turn: int) -> None:
        self._events = events
        self._conversation = conversation
        self._tenant = tenant
        self._turn = turn
        self._seq = 0
        self._listeners: list[asyncio.Queue[AssistantEvent]] = []
        self._past: list[AssistantEvent] = []

    async def emit(self, event: AssistantEvent) -> None:
        """Number, store and deliver an event."""
        self._deliver(await self._store(event))

    async def finish(self, done: Done, settle: Callable[[], Awaitable[None]]) -> None:
        """End the turn: its last event is stored before the turn counts as over, for those who
        read the stored events, and delivered after, for those who then say the next thing.

        Args:
            done: the last event.
            settle: notes that the turn is over.
        """
        numbered = await self._store(done)
        await settle()
        self._deliver(numbered)

    async def _store(self, event: AssistantEvent) -> AssistantEvent:
        self._seq += 1
        place = {"seq": self._seq, "thread": self._conversation, "turn": self._turn}
        numbered = event.model_copy(update=place)
        data: dict[str, Any] = EVENT.dump_python(numbered, mode="json", exclude={"revealed"})
        try:
            await asyncio.to_thread(
                self._events.publish, topic(self._conversation), KIND, data, self._tenant
            )
        except PilothouseError as error:  # a full disk: whoever listens must still be told
            log.error("an event of conversation %s was not stored: %s", self._conversation, error)
        return numbered

    def _deliver(self, event: AssistantEvent) -> None:
        self._past.append(event)
        for listener in self._listeners:
            listener.put_nowait(event)

    async def listen(self) -> AsyncIterator[AssistantEvent]:
        """The turn's events from its beginning to its `Done`."""
        queue: asyncio.Queue[AssistantEvent] = asyncio.Queue()
        for event in self._past:
            queue.put_nowait(event)
        self._listeners.append(queue)
        try:
            while True:
                event = await queue.get()
                yield event
                if isinstance(event, Done):
                    return
        finally:
            self._listeners.remove(queue)
