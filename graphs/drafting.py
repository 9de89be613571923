"""Sentences that are being understood, each of which a person can stop.

That takes milliseconds, but seconds where a language model drafts the plan, or at the first
sentence after a start.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

from graphs.plan import Plan
from tools.kernel.errors import Conflict

STOPPED = "Stopped before there was a plan; nothing was done."


class Drafting:
    """What is being understood now, by conversation. Lives in one event loop."""

    def __init__(self) -> None:
        self._stops: dict[str, asyncio.Event] = {}

    @contextmanager
    def of(self, conversation: str) -> Iterator[asyncio.Event]:
        """Let a conversation's sentence be stopped while it is understood; set once it is."""
        stop = self._stops[conversation] = asyncio.Event()
        try:
            yield stop
        finally:
            self._stops.pop(conversation, None)

    def stop(self, conversation: str) -> bool:
        """Stop what is being understood in a conversation; False if nothing is."""
        stop = self._stops.get(conversation)
        if stop is not None:
            stop.set()
        return stop is not None


async def unless(stop: asyncio.Event, draft: Coroutine[Any, Any, Plan]) -> Plan | None:
    """The drafted plan, or None as soon as it is stopped."""
    task, stopped = asyncio.create_task(draft), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return None if stop.is_set() else task.result()
    finally:
        task.cancel()
        stopped.cancel()


def without_steps(parsed: Plan) -> Plan:
    """A sentence's plan after it was stopped: to do nothing, and to say so."""
    nothing = {"steps": [], "question": None, "abstained": False, "reply": STOPPED}
    return parsed.model_copy(update=nothing)


def refuse_if(stop: asyncio.Event) -> None:
    """Keep an answer to what waits from being taken after it was stopped.

    Raises:
        Conflict: if it was.
    """
    if stop.is_set():
        raise Conflict("Stopped before your answer was taken; what waited still waits.")
