"""What a session sent lately, for a client whose connection broke (`Last-Event-ID`)."""

from __future__ import annotations

from collections import deque

from mcp.server.streamable_http import EventCallback, EventMessage, EventStore
from mcp.types import JSONRPCMessage

BYTES = 64 * 1024


class Replay(EventStore):
    """The messages of one session, oldest first, up to a size; the newest one always stays.

    One of these belongs to one session, so that no event id of another session means anything.

    Args:
        most: how many bytes of messages are kept.
    """

    def __init__(self, most: int = BYTES) -> None:
        self._most = most
        self._kept = 0
        self._events: deque[tuple[int, str, str]] = deque()
        self._last = 0

    async def store_event(self, stream_id: str, message: JSONRPCMessage | None) -> str:
        """Keep a message, or a mere position in a stream; returns its id."""
        text = message.model_dump_json(by_alias=True, exclude_none=True) if message else ""
        self._last += 1
        self._events.append((self._last, stream_id, text))
        self._kept += len(text)
        while len(self._events) > 1 and (self._kept > self._most or len(self._events) > 1000):
            self._kept -= len(self._events.popleft()[2])
        return str(self._last)

    async def replay_events_after(
        self, last_event_id: str, send_callback: EventCallback
    ) -> str | None:
        """Send again what came after an event in its stream.

        Returns:
            The stream; None if the event is unknown, or too old to go on from without a gap.
        """
        stream = next((s for n, s, _ in self._events if str(n) == last_event_id), None)
        if stream is None:
            return None
        after = int(last_event_id)
        for number, of, text in list(self._events):
            if of == stream and number > after and text:
                message = JSONRPCMessage.model_validate_json(text)
                await send_callback(EventMessage(message, str(number)))
        return stream
