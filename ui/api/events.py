"""`/api/v1/events`: what happens, as server-sent events and over WebSockets, resumable.

Both speak of the same stored events by the same ids: an answer that breaks off is taken up with
`Last-Event-ID` (browsers send it by themselves) or `?after=`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query, Response, WebSocket
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.types import Send
from starlette.websockets import WebSocketDisconnect

from tools.kernel.errors import InvalidInput, NotFound, Unauthenticated
from tools.kernel.events import Event
from tools.kernel.identity import RequestContext
from tools.kernel.jobs import ENDED
from ui.api.door import PREFIX, Caller, Door, TheDoor, thread_name
from ui.api.notifier import Follower
from ui.api.paging import BIGGEST
from ui.api.resources import rollout_of

router = APIRouter(prefix=f"{PREFIX}/events", tags=["events"])
PATIENCE_SECONDS = 30.0
"""How long a reader may leave what was sent to it lying before its connection is closed."""
RETRY_MS = 2000
SSE = "text/event-stream"
DONE, POLICY_VIOLATION, SERVICE_RESTART, TRY_AGAIN = 1000, 1008, 1012, 1013
FINAL = {f"job.{status}" for status in ENDED}
EVENT: dict[str, Any] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "event": {"type": "string"},
        "data": {"type": "string", "contentMediaType": "application/json"},
    },
}
STREAM: dict[int | str, dict[str, Any]] = {
    200: {"description": "Server-sent events.", "content": {SSE: {"schema": EVENT}}},
    204: {"description": "It has ended, and nothing comes after the event that was named."},
}


class Feed(StrEnum):
    """What can be followed as a whole."""

    JOBS = "jobs"
    ROLLOUTS = "rollouts"
    DEVICES = "devices"
    APPROVALS = "approvals"


class Kind(StrEnum):
    """What can be followed one by one."""

    JOBS = "jobs"
    ROLLOUTS = "rollouts"
    CONVERSATIONS = "conversations"


FEEDS = {
    Feed.JOBS: ("job:*", "platform.jobs"),
    Feed.ROLLOUTS: ("deployment", "deployment.status"),
    Feed.DEVICES: ("devices", "devices.list"),
    Feed.APPROVALS: ("approvals", "platform.approvals"),
}
"""The topic of each feed, and the operation that who follows it must be allowed to call."""
After = Annotated[int | None, Query(ge=0, le=BIGGEST, description="The last id that is known.")]
LastEventId = Annotated[str | None, Header(description="The same, as browsers say it.")]
Id = Annotated[str, Path(max_length=64)]


@router.get("/{feed}", responses=STREAM, response_class=Response)
async def follow_feed(
    feed: Feed,
    context: Caller,
    door: TheDoor,
    after: After = None,
    last_event_id: LastEventId = None,
) -> Response:
    """All that happens to jobs, rollouts, devices or approvals; from now on if no id is given."""
    topic = await run_in_threadpool(_feed, door, context, feed)
    follower = await door.notifier.follow(topic, context.tenant, _place(after, last_event_id))
    return EventStream(_told(door, context, follower))


@router.get("/{kind}/{name}", responses=STREAM, response_class=Response)
async def follow_one(
    kind: Kind,
    name: Id,
    context: Caller,
    door: TheDoor,
    after: After = None,
    last_event_id: LastEventId = None,
) -> Response:
    """All that happened and happens to one job, rollout or conversation.

    A job's stream ends with the event that ends the job.
    """
    topic, ended = await _one(door, context, kind, name)
    place = _place(after, last_event_id) or 0
    if ended and await _is_told(door, topic, context.tenant, place):
        return Response(status_code=204)
    follower = await door.notifier.follow(topic, context.tenant, place)
    return EventStream(_told(door, context, follower))


@router.websocket("/{feed}")
async def socket_of_feed(
    websocket: WebSocket, feed: Feed, context: Caller, door: TheDoor, after: After = None
) -> None:
    """The same over a WebSocket, a JSON object each."""
    topic = await run_in_threadpool(_feed, door, context, feed)
    follower = await door.notifier.follow(topic, context.tenant, after)
    try:  # what happens from the moment that the client is let in is told
        await websocket.accept()
        await _send(websocket, door, context, follower)
    finally:
        follower.close()


@router.websocket("/{kind}/{name}")
async def socket_of_one(
    websocket: WebSocket,
    kind: Kind,
    name: Id,
    context: Caller,
    door: TheDoor,
    after: After = None,
) -> None:
    """The same over a WebSocket, a JSON object each."""
    topic, ended = await _one(door, context, kind, name)
    await websocket.accept()
    if ended and await _is_told(door, topic, context.tenant, after or 0):
        await websocket.close(DONE, f"after={after or 0}")
        return
    follower = await door.notifier.follow(topic, context.tenant, after or 0)
    await _send(websocket, door, context, follower)


class EventStream(StreamingResponse):
    """Server-sent events; a reader that leaves them lying too long is let go."""

    def __init__(self, content: AsyncIterator[str]) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(content, media_type=SSE, headers=headers)

    async def stream_response(self, send: Send) -> None:
        """Send, each piece within `PATIENCE_SECONDS`."""

        async def patiently(message: Any) -> None:
            await asyncio.wait_for(send(message), PATIENCE_SECONDS)

        await super().stream_response(patiently)


async def _told(door: Door, context: RequestContext, follower: Follower) -> AsyncIterator[str]:
    async with follower:
        yield f"retry: {RETRY_MS}\n\n"
        async for event in _until_the_end(follower):
            yield _sse(event) if event else ": still here\n\n"
            if event is None and not await _stands(door, context):
                return
        if door.notifier.stopping:
            yield f"event: goodbye\ndata: {json.dumps({'resume_after': follower.after})}\n\n"


async def _until_the_end(follower: Follower) -> AsyncIterator[Event | None]:
    """A topic's events, to the one that ends a job."""
    async for event in follower.events():
        yield event
        if event is not None and event.kind in FINAL and not follower.topic.endswith("*"):
            return


async def _is_told(door: Door, topic: str, tenant: str, after: int) -> bool:
    """True if nothing is stored after an event."""
    return not await run_in_threadpool(door.kernel.events.read, topic, after, 1, tenant)


async def _send(
    websocket: WebSocket, door: Door, context: RequestContext, follower: Follower
) -> None:
    async with follower:
        listening = asyncio.create_task(_drain(websocket))
        try:
            async for event in _until_the_end(follower):
                if listening.done():
                    return
                told = _data(event) if event else {"kind": "heartbeat", "id": follower.after}
                await asyncio.wait_for(websocket.send_json(told), PATIENCE_SECONDS)
                if event is None and not await _stands(door, context):
                    await websocket.close(POLICY_VIOLATION, f"signed out; after={follower.after}")
                    return
            code = SERVICE_RESTART if door.notifier.stopping else DONE
            await websocket.close(code, f"after={follower.after}")
        except TimeoutError:
            await websocket.close(TRY_AGAIN, f"too slow; after={follower.after}")
        except (WebSocketDisconnect, RuntimeError):
            return  # the reader has gone
        finally:
            listening.cancel()


async def _stands(door: Door, context: RequestContext) -> bool:
    """True while what the reader came in with still holds; looked at in every silence."""
    try:
        await run_in_threadpool(door.gatekeeper.require_standing, context)
    except Unauthenticated:
        return False
    return True


async def _drain(websocket: WebSocket) -> None:
    """Read on, so that it is seen when the reader leaves; what it says means nothing here."""
    while (await websocket.receive())["type"] != "websocket.disconnect":
        pass


def _feed(door: Door, context: RequestContext, feed: Feed) -> str:
    topic, operation = FEEDS[feed]
    door.kernel.gate.admit(operation, context)
    return topic


async def _one(door: Door, context: RequestContext, kind: Kind, name: str) -> tuple[str, bool]:
    """The topic of one thing that the caller may see, and whether it has ended."""
    if kind is Kind.CONVERSATIONS:
        assistant = await door.assistant()
        if not await run_in_threadpool(assistant.threads.history, thread_name(name), context):
            raise NotFound(f"Nothing was said in conversation {name} yet.")
        return f"conversation:{name}", False
    number = _number(kind, name)
    if kind is Kind.ROLLOUTS:
        found = await run_in_threadpool(rollout_of, door, context, number)
        return f"rollout:{found.rollout}", False
    return await run_in_threadpool(_job, door, context, number)


def _job(door: Door, context: RequestContext, number: int) -> tuple[str, bool]:
    tenant = door.kernel.gate.admit("platform.jobs", context).tenant
    row = door.kernel.jobs.get(number, tenant)
    return f"job:{row.id}", row.status in ENDED


def _number(kind: Kind, name: str) -> int:
    if not (name.isascii() and name.isdecimal()) or not 0 < int(name) <= BIGGEST:
        raise NotFound(f"There is nothing numbered {name!r} in {kind.value}.", hint="Such as 7.")
    return int(name)


def _place(after: int | None, last_event_id: str | None) -> int | None:
    if last_event_id is None or not last_event_id.strip():
        return after
    text = last_event_id.strip()
    if not (text.isascii() and text.isdecimal()) or int(text) > BIGGEST:
        raise InvalidInput(f"Last-Event-ID {text[:40]!r} is no event's id.", hint="Such as 17.")
    return int(text)


def _data(event: Event) -> dict[str, Any]:
    return {
        "id": event.id,
        "topic": event.topic,
        "kind": event.kind,
        "data": event.data,
        "at": event.at.isoformat(),
    }


def _sse(event: Event) -> str:
    return f"id: {event.id}\ndata: {json.dumps(_data(event))}\n\n"
