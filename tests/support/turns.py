"""Reading a turn's events in tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from graphs.events import AssistantEvent, Done

Say = Callable[..., Awaitable[list[AssistantEvent]]]


def status(events: list[AssistantEvent]) -> str:
    """How a turn ended."""
    last = events[-1]
    assert isinstance(last, Done)
    return last.status


def kinds(events: list[AssistantEvent]) -> list[str]:
    """The kinds of a turn's events, in order."""
    return [e.kind for e in events]
