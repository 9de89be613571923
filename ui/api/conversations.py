"""`/api/v1/ask`, `/api/v1/threads`: sentences in, the assistant's events out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from tools.kernel.errors import NotFound
from tools.kernel.identity import RequestContext
from ui.api.door import WAIT_SECONDS, WAITERS, Caller, Door, TheDoor, thread_name
from ui.api.turns import Turn

if TYPE_CHECKING:
    from graphs.assistant import Assistant
    from tools.kernel.events import Events

router = APIRouter()
CANCEL_SECONDS = 15.0
NDJSON = "application/x-ndjson"
ASSISTANT = "assistant"


class Ask(BaseModel):
    """A sentence for a thread; a new thread when none is named."""

    text: str = Field(min_length=1, max_length=20_000)
    thread: str | None = None
    auto_confirm: bool = False


class Resume(BaseModel):
    """The answer to what the thread waits for."""

    confirmed: bool | None = None
    approval: str | None = None


@router.post("/ask")
async def ask(body: Ask, context: Caller, door: TheDoor) -> StreamingResponse:
    """Say a sentence; answers with the assistant's events, a line of JSON each."""
    thread = thread_name(body.thread or uuid4().hex[:10])
    assistant = await door.assistant()
    events = assistant.ask(body.text, _in(context, thread), auto_confirm=body.auto_confirm)
    return stream(door.turns.begin(context.tenant, thread, events))


@router.get("/threads")
async def threads(context: Caller, door: TheDoor) -> list[dict[str, Any]]:
    """The caller's conversations."""
    assistant = await door.assistant()
    return await run_in_threadpool(assistant.threads, context)


@router.get("/threads/{thread}")
async def history(thread: str, context: Caller, door: TheDoor) -> list[dict[str, Any]]:
    """What was said in a conversation."""
    assistant = await door.assistant()
    return await run_in_threadpool(assistant.history, thread_name(thread), context)


@router.get("/threads/{thread}/events")
async def follow(thread: str, context: Caller, door: TheDoor) -> StreamingResponse:
    """The events of a thread's last turn from its beginning, and further ones while it runs."""
    assistant = await door.assistant()
    told = await run_in_threadpool(assistant.history, thread_name(thread), context)
    if not told:
        raise NotFound(f"Nothing was said in thread {thread} yet.")
    return lines(_stored(door, assistant, thread, context), thread)


@router.post("/threads/{thread}/resume")
async def resume(thread: str, body: Resume, context: Caller, door: TheDoor) -> StreamingResponse:
    """Go on with a thread that waits for a yes, or whose approval was decided."""
    return stream(await resumed(door, thread_name(thread), context, body.confirmed, body.approval))


@router.post("/threads/{thread}/cancel")
async def cancel(thread: str, context: Caller, door: TheDoor) -> dict[str, Any]:
    """Stop the turn and the jobs that it started; says what was and was not done."""
    assistant = await door.assistant()
    told = await assistant.cancel(thread_name(thread), _in(context, thread))
    await door.turns.ended(context.tenant, thread, CANCEL_SECONDS)
    return told


async def _stored(
    door: Door, assistant: Assistant, thread: str, context: RequestContext
) -> AsyncIterator[bytes]:
    topic, events = f"conversation:{thread}", door.kernel.events
    after, loop = await run_in_threadpool(_turn_began, events, topic), asyncio.get_running_loop()
    while not door.stopping.is_set():
        found = await run_in_threadpool(events.read, topic, after)
        for event in found:
            after = event.id
            if event.kind == ASSISTANT:
                yield json.dumps(event.data).encode() + b"\n"
        if not found:
            told = await run_in_threadpool(assistant.history, thread, context)
            if told[-1]["status"] != "running":
                return
            yield b"\n"
            await loop.run_in_executor(WAITERS, events.wait, topic, after, WAIT_SECONDS)


def _turn_began(events: Events, topic: str) -> int:
    """The id of the event before the last turn's plan."""
    after = began = 0
    while found := events.read(topic, after):
        for event in found:
            if event.kind == ASSISTANT and event.data.get("kind") == "plan":
                began = event.id - 1
        after = found[-1].id
    return began


async def resumed(
    door: Door,
    thread: str,
    context: RequestContext,
    confirmed: bool | None = None,
    approval: str | None = None,
) -> Turn:
    """Begin the turn that goes on with a thread."""
    assistant = await door.assistant()
    inside = _in(context, thread)
    events = assistant.resume(thread, inside, confirmed=confirmed, approval=approval)
    return door.turns.begin(context.tenant, thread, events)


def stream(turn: Turn) -> StreamingResponse:
    """A turn as a response; closing it does not end the turn."""
    return lines(turn.follow(), turn.thread)


def lines(source: AsyncIterator[bytes], thread: str = "") -> StreamingResponse:
    """A stream of lines of JSON."""
    headers = {"X-Pilothouse-Thread": thread, "Cache-Control": "no-store"}
    return StreamingResponse(source, media_type=NDJSON, headers=headers)


def _in(context: RequestContext, thread: str) -> RequestContext:
    return replace(context, conversation=thread)
