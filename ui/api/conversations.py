"""`/api/v1/ask`, `/api/v1/conversations`: sentences in, the assistant's events out."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Path
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from tools.kernel.errors import NotFound
from tools.kernel.identity import RequestContext
from ui.api.door import PREFIX, Caller, Door, TheDoor, thread_name
from ui.api.paging import PAGED, Page
from ui.api.streams import LINES, lines
from ui.api.turns import Turn

if TYPE_CHECKING:
    from graphs.assistant import Assistant
    from tools.kernel.events import Events

router = APIRouter(prefix=PREFIX, tags=["conversations"])
THREAD = r"^[A-Za-z0-9_.-]{1,64}$"
Id = Annotated[str, Path(pattern=THREAD)]
CANCEL_SECONDS = 15.0
LOOK_SECONDS = 3.0
ASSISTANT = "assistant"


class Ask(BaseModel):
    """A sentence for a thread; a new thread when none is named."""

    model_config = ConfigDict(extra="forbid")

    text: str = Field(min_length=1, max_length=20_000)
    thread: str | None = Field(None, pattern=THREAD)
    auto_confirm: bool = Field(False, strict=True)


class Resume(BaseModel):
    """The answer to what the thread waits for."""

    model_config = ConfigDict(extra="forbid")

    confirmed: bool | None = Field(None, strict=True)
    approval: str | None = Field(None, max_length=64)


class Conversation(BaseModel):
    """A conversation in a list."""

    thread: str
    title: str
    updated: datetime


class TurnTold(BaseModel):
    """One turn of a conversation: what was said, how it ended, its plan and results."""

    turn: int | None = None
    text: str
    status: str
    plan: dict[str, Any] | None = None
    results: Any = None


@router.post("/ask", response_class=StreamingResponse, responses=LINES)
async def ask(body: Ask, context: Caller, door: TheDoor) -> StreamingResponse:
    """Say a sentence; answers with the assistant's events, a line of JSON each."""
    thread = thread_name(body.thread or uuid4().hex[:10])
    return stream(await begun(door, thread, context, body.text, body.auto_confirm))


@router.get("/conversations", responses=PAGED)
async def threads(context: Caller, door: TheDoor, page: Page) -> list[Conversation]:
    """The caller's conversations, newest first."""
    assistant = await door.assistant()
    found = await run_in_threadpool(assistant.threads.list, context)
    return [Conversation(**told) for told in page.cut(found)]


@router.get("/conversations/{thread}")
async def history(thread: Id, context: Caller, door: TheDoor) -> list[TurnTold]:
    """What was said in a conversation."""
    assistant = await door.assistant()
    found = await run_in_threadpool(assistant.threads.history, thread_name(thread), context)
    return [TurnTold(**told) for told in found]


@router.get("/conversations/{thread}/events", response_class=StreamingResponse, responses=LINES)
async def follow(thread: Id, context: Caller, door: TheDoor) -> StreamingResponse:
    """The events of a thread's last turn from its beginning, and further ones while it runs."""
    return lines(await told_again(door, thread_name(thread), context), thread)


@router.post("/conversations/{thread}/resume", response_class=StreamingResponse, responses=LINES)
async def resume(thread: Id, body: Resume, context: Caller, door: TheDoor) -> StreamingResponse:
    """Go on with a thread that waits for a yes, or whose approval was decided."""
    return stream(await resumed(door, thread_name(thread), context, body.confirmed, body.approval))


@router.post("/conversations/{thread}/cancel")
async def cancel(thread: Id, context: Caller, door: TheDoor) -> dict[str, Any]:
    """Stop the turn and the jobs that it started; says what was and was not done."""
    return await cancelled(door, thread_name(thread), context)


async def begun(
    door: Door, thread: str, context: RequestContext, text: str, auto_confirm: bool
) -> Turn:
    """Begin the turn of a sentence."""
    assistant = await door.assistant()
    events = assistant.ask(text, _in(context, thread), auto_confirm=auto_confirm)
    beside = assistant.takes_more(thread)
    return door.turns.begin(context.tenant, thread, events, beside=beside)


async def cancelled(door: Door, thread: str, context: RequestContext) -> dict[str, Any]:
    """Stop a thread's turn and its jobs, and wait until it has ended."""
    assistant = await door.assistant()
    told = await assistant.cancel(thread, _in(context, thread))
    await door.turns.ended(context.tenant, thread, CANCEL_SECONDS)
    return told


async def told_again(door: Door, thread: str, context: RequestContext) -> AsyncIterator[bytes]:
    """The lines of a thread's last turn from its beginning, and further ones while it runs.

    Raises:
        NotFound: if nothing was said in it, or it is somebody else's.
    """
    assistant = await door.assistant()
    if not await run_in_threadpool(assistant.threads.history, thread, context):
        raise NotFound(f"Nothing was said in thread {thread} yet.")
    return _stored(door, assistant, thread, context)


async def _stored(
    door: Door, assistant: Assistant, thread: str, context: RequestContext
) -> AsyncIterator[bytes]:
    topic = f"conversation:{thread}"
    after = await run_in_threadpool(_turn_began, door.kernel.events, topic)
    async with await door.notifier.follow(topic, context.tenant, after) as follower:
        async for event in follower.events(LOOK_SECONDS):
            if event is not None and event.kind != ASSISTANT:
                continue
            yield b"\n" if event is None else json.dumps(event.data).encode() + b"\n"
            said_done = event is not None and event.data.get("kind") == "done"
            if event is None and not await _runs(assistant, thread, context):
                return
            if said_done and await _comes_to_rest(assistant, thread, context):
                return


async def _runs(assistant: Assistant, thread: str, context: RequestContext) -> bool:
    told = await run_in_threadpool(assistant.threads.history, thread, context)
    return any(turn["status"] == "running" for turn in told)


async def _comes_to_rest(assistant: Assistant, thread: str, context: RequestContext) -> bool:
    """True once a turn whose last event was told counts as over; False if another one runs."""
    for _ in range(20):
        if not await _runs(assistant, thread, context):
            return True
        await asyncio.sleep(0.05)
    return False


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


def _in(context: RequestContext, thread: str) -> RequestContext:
    return replace(context, conversation=thread)
