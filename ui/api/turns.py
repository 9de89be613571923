"""Turns of conversations: each runs to its end in the background, whoever listens.

A terminal that is closed only stops listening.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from tools.kernel.errors import Conflict, PilothouseError, Unavailable
from ui.errors import problem, unexpected

if TYPE_CHECKING:
    from graphs.events import AssistantEvent

log = logging.getLogger(__name__)
KEEPALIVE_SECONDS = 10.0
Key = tuple[str, str]
TurnObserver = Callable[[str, str, float], None]
"""Told `plan` once a turn has its plan, and `turn` with its status at its end; with the seconds."""


class Turn:
    """One turn of one thread: the lines that it has said, and whether it is over."""

    def __init__(self, thread: str) -> None:
        self.thread = thread
        self.over = False
        self._lines: list[bytes] = []
        self._changed = asyncio.Event()

    def say(self, line: str | dict[str, Any]) -> None:
        """Add a line of JSON."""
        text = line if isinstance(line, str) else json.dumps(line)
        self._lines.append(text.encode() + b"\n")
        self._wake()

    def finish(self) -> None:
        """No more lines come."""
        self.over = True
        self._wake()

    async def follow(self) -> AsyncIterator[bytes]:
        """All lines from the first, and a blank one every few seconds while nothing happens."""
        told = 0
        while True:
            changed = self._changed
            while told < len(self._lines):
                yield self._lines[told]
                told += 1
            if self.over:
                return
            try:
                async with asyncio.timeout(KEEPALIVE_SECONDS):
                    await changed.wait()
            except TimeoutError:
                yield b"\n"

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


class Turns:
    """The turns that run now: one a thread, and others beside those that wait for a job."""

    def __init__(self) -> None:
        self._running: dict[Key, list[asyncio.Task[None]]] = defaultdict(list)
        self._stopping = False
        self.observers: list[TurnObserver] = []

    def __len__(self) -> int:
        """How many run."""
        return sum(len(tasks) for tasks in self._running.values())

    def begin(
        self,
        tenant: str,
        thread: str,
        events: AsyncIterator[AssistantEvent],
        *,
        beside: bool = False,
    ) -> Turn:
        """Run a turn to its end in the background.

        Args:
            tenant: whose thread.
            thread: its name.
            events: the turn.
            beside: True if it may run beside what runs in the thread already.

        Raises:
            Conflict: if the thread's last turn still runs.
        """
        key = (tenant, thread)
        if key in self._running and not beside:
            raise Conflict(
                f"Thread {thread} is still busy with its last sentence.",
                hint="Wait for it, cancel it, or use another thread.",
            )
        turn = Turn(thread)
        task = asyncio.create_task(self._pump(turn, events))
        self._running[key].append(task)
        task.add_done_callback(lambda ended: self._over(key, ended))
        return turn

    def _over(self, key: Key, task: asyncio.Task[None]) -> None:
        self._running[key].remove(task)
        if not self._running[key]:
            del self._running[key]

    async def ended(self, tenant: str, thread: str, patience: float) -> None:
        """Wait for the thread's newest turn to end by itself; end it after `patience` seconds."""
        found = self._running.get((tenant, thread))
        if not found:
            return
        _, pending = await asyncio.wait(found[-1:], timeout=patience)
        for task in pending:
            task.cancel()

    async def stop(self) -> None:
        """Cut all turns off; listeners are told that the threads go on later."""
        self._stopping = True
        tasks = [task for running in self._running.values() for task in running]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _pump(self, turn: Turn, events: AsyncIterator[AssistantEvent]) -> None:
        began, status = time.perf_counter(), "failed"
        try:
            async for event in events:
                turn.say(event.model_dump_json())
                if event.kind == "plan":
                    self._observed("plan", "", began)
                status = event.status if event.kind == "done" else status
        except PilothouseError as error:
            turn.say(_line(turn, problem(error)))
        except asyncio.CancelledError:
            turn.say(_line(turn, problem(_stopped(self._stopping))))
            raise
        except Exception:
            reference = uuid4().hex[:12]
            log.exception("a turn of thread %s failed (%s)", turn.thread, reference)
            turn.say(_line(turn, unexpected(reference)))
        finally:
            turn.finish()
            self._observed("turn", status, began)

    def _observed(self, kind: str, status: str, began: float) -> None:
        for observer in self.observers:
            observer(kind, status, time.perf_counter() - began)


def _line(turn: Turn, error: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "error", "thread": turn.thread, "error": error}


def _stopped(stopping: bool) -> PilothouseError:
    if stopping:
        return Unavailable(
            "The platform is being stopped.",
            hint="The conversation and its jobs go on when it runs again.",
        )
    return Conflict("The turn was cancelled.")
