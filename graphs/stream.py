"""The events of a turn: stored for whoever comes later, queued for whoever listens now."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from sqlalchemy.orm import Session

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
        self._unstored: list[dict[str, Any]] = []
        self._storing = threading.Lock()

    async def emit(self, event: AssistantEvent) -> None:
        """Number, store and deliver an event."""
        numbered = self.add(event)
        await self.flush()
        self.deliver(numbered)

    def hold(self, event: AssistantEvent) -> None:
        """Number and deliver an event at once; it is stored with the next one, or by `flush`."""
        self.deliver(self.add(event))

    def add(self, event: AssistantEvent) -> AssistantEvent:
        """Number an event, which is neither stored nor delivered yet."""
        self._seq += 1
        place = {"seq": self._seq, "thread": self._conversation, "turn": self._turn}
        numbered = event.model_copy(update=place)
        self._unstored.append(EVENT.dump_python(numbered, mode="json", exclude={"revealed"}))
        return numbered

    def take_back(self, event: AssistantEvent) -> None:
        """Forget an event that was added, if what it tells of could not be stored with it."""
        self._unstored[:] = [data for data in self._unstored if data["seq"] != event.seq]

    async def flush(self) -> None:
        """Store what is not stored yet. On a full disk whoever listens must still be told, and it
        is stored later.
        """
        try:
            await asyncio.to_thread(self._flush)
        except PilothouseError as error:
            log.error("events of conversation %s are not stored: %s", self._conversation, error)

    def _flush(self) -> None:
        with self.storing():
            pass

    @contextmanager
    def storing(self, session: Session | None = None) -> Iterator[Session]:
        """Store what is not stored yet, together with what else is written in this session.

        Args:
            session: of `Events.writing`, when one is open already; else one is opened.
        """
        with self._storing:
            told = list(self._unstored)
            with nullcontext(session) if session else self._events.writing() as writing:
                self._events.add_all(writing, topic(self._conversation), KIND, told, self._tenant)
                yield writing
            del self._unstored[: len(told)]

    def deliver(self, event: AssistantEvent) -> None:
        """Let listeners have a numbered event."""
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
