"""One open chat: it follows its conversation's events and draws each as it happens.

Whichever door a turn was begun or an approval decided through, the events come here. What the chat
shows of them is drawn by `Transcript` alone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphs.events import AssistantEvent, Done, Progress, StepFinished
from tools.kernel.errors import Conflict, NotFound, PilothouseError
from tools.kernel.events import Event
from tools.kernel.identity import RequestContext
from ui.chat.markdown import code, plain, problem
from ui.chat.people import of_session
from ui.chat.sheet import Changes
from ui.chat.transcript import Transcript
from ui.errors import problem as as_problem

if TYPE_CHECKING:
    from ui.api.door import Door

Json = dict[str, Any]
log = logging.getLogger(__name__)
KIND = "chat"
OTHERS_FIRST_SECONDS = 2.0
"""How long another door that decided an approval has to go on with it itself."""


@dataclass
class Expected:
    """What the next message answers, if it is not a new request: `deny` or `approve`."""

    what: str
    approval: str
    confirm: str = ""


class LiveChat:
    """The chat of one browser tab.

    Args:
        door: the platform.
        session: Chainlit's session.
        transcript: what is drawn already.
    """

    def __init__(self, door: Door, session: Any, transcript: Transcript) -> None:
        self.transcript = transcript
        self.expected: Expected | None = None
        self._door = door
        self._session = session
        self._shown_actions: dict[str, list[str]] = {}
        self._follower: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self._mine: set[str] = set()

    @property
    def thread(self) -> str:
        """The conversation."""
        return self._session.thread_id

    def context(self) -> RequestContext:
        """Who speaks here, as of now.

        Raises:
            Unauthenticated: if they have logged out since.
        """
        return of_session(self._session, self._door.gatekeeper)

    def begin(self) -> None:
        """Follow the conversation from where it is drawn to."""
        if self._follower is None:
            self._follower = asyncio.create_task(self._follow())

    def end(self) -> None:
        """Stop following; turns go on."""
        if self._follower is not None:
            self._follower.cancel()
            self._follower = None

    async def draw_buttons(self) -> None:
        """Show all buttons of what is drawn already: Chainlit keeps none with a conversation."""
        for message in self.transcript.actions:
            await self._show_actions(message)

    async def tell(self, kind: str, **data: Any) -> None:
        """Keep something that happened in the chat itself; it is drawn when it comes back."""
        await asyncio.to_thread(
            self._door.kernel.events.publish,
            f"conversation:{self.thread}",
            KIND,
            {"kind": kind, **data},
            self.context().tenant,
        )

    async def place(self) -> None:
        """Tell the page where this conversation is found again, for its address bar."""
        await self._session.emit("window_message", {"pilothouse": {"thread": self.thread}})

    async def note(self, markdown: str) -> None:
        """Keep a line of the chat's own."""
        await self.tell("note", markdown=markdown)

    async def toast(self, text: str, kind: str = "info") -> None:
        """Show a line that passes."""
        await self._session.emit("toast", {"message": text, "type": kind})

    async def run(self, events: AsyncIterator[AssistantEvent]) -> None:
        """Carry out a turn; returns when it has ended, halted, or begun a job that takes long."""
        free = asyncio.Event()
        task = asyncio.create_task(self._consume(events, free))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await self._session.emit("task_start", {})
        try:
            await free.wait()
        finally:
            await self._session.emit("task_end", {})

    async def _consume(self, events: AsyncIterator[AssistantEvent], free: asyncio.Event) -> None:
        try:
            async for event in events:
                if isinstance(event, StepFinished) and event.revealed:
                    await self._whisper(event)
                if isinstance(event, Done) or (isinstance(event, Progress) and event.job):
                    free.set()
        except PilothouseError as error:
            await self.note(f"✘ {problem(as_problem(error))}")
        except Exception:
            log.exception("a turn of the chat failed")
            await self.note("✘ Something went wrong; the platform's log has the details.")
        finally:
            free.set()

    async def _whisper(self, event: StepFinished) -> None:
        """Show what is for the asker's eyes alone, now and never again; it is stored nowhere."""
        for name, value in (event.revealed or {}).items():
            if value == event.result.get(name) or not isinstance(value, str):
                continue
            said = {
                "id": f"once-{event.turn}-{event.step}-{name}",
                "threadId": self.thread,
                "name": "Pilothouse",
                "type": "assistant_message",
                "output": f"**{plain(name)}**, shown only now: {code(value)}",
                "createdAt": None,
            }
            await self._session.emit("new_message", said)

    def hold(self, approval: str) -> None:
        """Mark an approval as being decided here, so that this chat goes on with it at once."""
        self._mine.add(approval)

    def resume_soon(self, approval: str, *, mine: bool) -> None:
        """Go on with what a decided approval was for."""
        task = asyncio.create_task(self._resume(approval, mine=mine))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _resume(self, approval: str, *, mine: bool) -> None:
        if not mine:
            await asyncio.sleep(OTHERS_FIRST_SECONDS)
        try:
            assistant, context = await self._door.assistant(), self.context()
            events = assistant.resume(self.thread, context, approval=approval)
            first = await anext(events)
        except (Conflict, NotFound, StopAsyncIteration):
            return  # another door goes on with it
        except PilothouseError as error:
            log.info("approval %s is not gone on with here: %s", approval, error)
            return
        await self.run(_again(first, events))

    async def _follow(self) -> None:
        try:
            topic, tenant = f"conversation:{self.thread}", self.context().tenant
            async with await self._door.notifier.follow(
                topic, tenant, self.transcript.last
            ) as follower:
                async for event in follower.events():
                    if event is not None:
                        await self._happened(event)
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("conversation %s is no longer followed", self.thread)
            with suppress(Exception):
                await self.toast("The connection to the conversation broke; reload.", "error")

    async def _happened(self, event: Event) -> None:
        await self._show(self.transcript.take(event))
        if event.kind in ("approval.granted", "approval.denied"):
            approval = str(event.data.get("approval"))
            if approval in self._mine:
                self._mine.discard(approval)
            elif self.transcript.holds_card(approval):
                self.resume_soon(approval, mine=False)

    async def _show(self, changes: Changes) -> None:
        for step in changes.steps:
            await self._session.emit("new_message", self.transcript.steps[step])
        for element in changes.elements:
            await self._session.emit("element", self.transcript.elements[element])
        for message in changes.actions:
            await self._show_actions(message)
        if changes.toast:
            await self.toast(changes.toast, "success")

    async def _show_actions(self, message: str) -> None:
        for shown in self._shown_actions.pop(message, []):
            await self._session.emit("remove_action", {"id": shown})
        actions = self.transcript.actions[message]
        self._shown_actions[message] = [a["id"] for a in actions]
        for action in actions:
            await self._session.emit("remove_action", {"id": action["id"]})
            await self._session.emit("action", action)


async def _again(
    first: AssistantEvent, rest: AsyncIterator[AssistantEvent]
) -> AsyncIterator[AssistantEvent]:
    yield first
    async for event in rest:
        yield event
