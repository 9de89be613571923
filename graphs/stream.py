"""The events of a turn: stored for whoever comes later, queued for whoever listens now."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
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
    """

    def __init__(self, events: Events, conversation: str, tenant: str) -> None:
        self._events = events
        self._conversation = conversation
        self._tenant = tenant
        self._seq = 0
        self._listeners: list[asyncio.Queue[AssistantEvent]] = []
        self._past: list[AssistantEvent] = []

    async def emit(self, event: AssistantEvent) -> None:
        """Number, store and deliver an event."""
        self._seq += 1
        numbered = event.model_copy(update={"seq": self._seq, "thread": self._conversation})
        data: dict[str, Any] = EVENT.dump_python(numbered, mode="json", exclude={"revealed"})
        try:
            await asyncio.to_thread(
                self._events.publish, topic(self._conversation), KIND, data, self._tenant
            )
        except PilothouseError as error:  # a full disk: whoever listens must still be told
            log.error("an event of conversation %s was not stored: %s", self._conversation, error)
        self._past.append(numbered)
        for listener in self._listeners:
            listener.put_nowait(numbered)

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
