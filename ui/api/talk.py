"""`/api/v1/ws`: a whole conversation over one WebSocket, for programs and load.

The client sends objects: `{"text": …}` says a sentence, `{"confirmed": true}` or `{"approval": id}`
answers what the turn waits for, `{"cancel": true}` stops the turn, `{"watch": true}` tells the last
turn again from its beginning, as after a break. It receives `hello` with the conversation's id,
then the assistant's events as they happen; `error` carries problem details.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Annotated, Any
from uuid import uuid4

from fastapi import APIRouter, Query, WebSocket
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.websockets import WebSocketDisconnect

from tools.kernel.errors import Conflict, InvalidInput, PilothouseError, Unauthenticated
from tools.kernel.identity import RequestContext
from ui.api.conversations import begun, cancelled, resumed, told_again
from ui.api.door import PREFIX, Caller, Door, TheDoor, thread_name
from ui.api.events import PATIENCE_SECONDS, TRY_AGAIN
from ui.errors import problem

router = APIRouter(prefix=PREFIX)
LARGEST = 100_000
POLICY_VIOLATION = 1008
ENDING_SECONDS = 5.0
"""How long the end of a turn, whose last event was told, is waited for."""
WANTS = ("text", "confirmed", "approval", "cancel", "watch")


class Said(BaseModel):
    """What a client sends: one of text, confirmed, approval, cancel and watch."""

    model_config = ConfigDict(extra="forbid", strict=True)

    text: str | None = Field(None, min_length=1, max_length=20_000)
    auto_confirm: bool = Field(False, strict=True)
    confirmed: bool | None = Field(None, strict=True)
    approval: str | None = Field(None, max_length=64)
    cancel: bool = Field(False, strict=True)
    watch: bool = Field(False, strict=True)

    @model_validator(mode="after")
    def _one(self) -> Said:
        given = [name for name in WANTS if getattr(self, name) not in (None, False)]
        if self.confirmed is False:
            given.append("confirmed")
        if len(given) != 1:
            raise ValueError(f"send one of {', '.join(WANTS)}")
        return self


@router.websocket("/ws")
async def converse(
    websocket: WebSocket,
    context: Caller,
    door: TheDoor,
    conversation: Annotated[str | None, Query(max_length=64)] = None,
) -> None:
    """Hold a conversation, a new one when none is named."""
    thread = thread_name(conversation or uuid4().hex[:10])
    await websocket.accept()
    await Talk(websocket, door, context, thread).hold()


class Talk:
    """One client's conversation; when the client leaves, its turn still runs to its end.

    Args:
        websocket: accepted.
        door: the platform.
        context: who talks.
        thread: the conversation.
    """

    def __init__(
        self, websocket: WebSocket, door: Door, context: RequestContext, thread: str
    ) -> None:
        self._websocket = websocket
        self._door = door
        self._context = context
        self._thread = thread
        self._telling: asyncio.Task[None] | None = None
        self._told_done = False
        self._sending = asyncio.Lock()

    async def hold(self) -> None:
        """Hear and answer until the client leaves."""
        try:
            await self._send(json.dumps({"kind": "hello", "thread": self._thread}))
            while True:
                await self._hear(await self._websocket.receive_text())
        except (WebSocketDisconnect, RuntimeError, KeyError):
            return  # the client has gone, or sent bytes
        except TimeoutError:
            await self._websocket.close(TRY_AGAIN, "too slow")
        except Unauthenticated as error:
            await self._websocket.close(POLICY_VIOLATION, error.message[:120])
        finally:
            if self._telling is not None:
                self._telling.cancel()

    async def _hear(self, text: str) -> None:
        await run_in_threadpool(self._door.gatekeeper.require_standing, self._context)
        try:
            await self._do(_read(text))
        except PilothouseError as error:
            await self._tell_error(error)

    async def _do(self, said: Said) -> None:
        if said.cancel:
            told = await cancelled(self._door, self._thread, self._context)
            await self._send(json.dumps({"kind": "cancelled", "thread": self._thread, **told}))
            return
        if self._telling is not None and self._told_done:
            await asyncio.wait([self._telling], timeout=ENDING_SECONDS)
        if self._telling is not None and not self._telling.done():
            raise Conflict(
                f"Conversation {self._thread} is still busy with its last sentence.",
                hint='Wait for its "done", or send {"cancel": true}.',
            )
        self._told_done = False
        self._telling = asyncio.create_task(self._tell(await self._lines(said)))

    async def _lines(self, said: Said) -> AsyncIterator[bytes]:
        door, thread, context = self._door, self._thread, self._context
        if said.watch:
            return await told_again(door, thread, context)
        if said.text is not None:
            turn = await begun(door, thread, context, said.text, said.auto_confirm)
        else:
            turn = await resumed(door, thread, context, said.confirmed, said.approval)
        return turn.follow()

    async def _tell(self, lines: AsyncIterator[bytes]) -> None:
        try:
            async for line in lines:
                if line.strip():
                    await self._send(line.decode())
                    self._told_done = json.loads(line).get("kind") == "done"
        except (WebSocketDisconnect, RuntimeError):
            return  # nobody listens; the turn goes on
        except TimeoutError:
            await self._websocket.close(TRY_AGAIN, "too slow")
        except PilothouseError as error:
            await self._tell_error(error)

    async def _tell_error(self, error: PilothouseError) -> None:
        told: dict[str, Any] = {"kind": "error", "thread": self._thread, "error": problem(error)}
        await self._send(json.dumps(told))

    async def _send(self, text: str) -> None:
        async with self._sending, asyncio.timeout(PATIENCE_SECONDS):
            await self._websocket.send_text(text.rstrip("\n"))


def _read(text: str) -> Said:
    if len(text) > LARGEST:
        raise InvalidInput(f"A message has at most {LARGEST} characters.")
    try:
        return Said.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise InvalidInput(
            f"The message is malformed: {f'{where}: ' if where else ''}{first['msg']}.",
            hint='Such as {"text": "which models are there?"}.',
        ) from error
