"""Events as they happen, for many readers at once: one look at the store serves all of them.

A follower costs a coroutine and a short queue, no thread. One that reads too slowly loses its
queue, not its place: it goes on from the store, and nobody else waits for it.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TypeVar

from fastapi.concurrency import run_in_threadpool

from tools.kernel.errors import PilothouseError, Unavailable
from tools.kernel.events import Event, Events

T = TypeVar("T")
log = logging.getLogger(__name__)
LOOK_SECONDS = 1.0
"""How long an event of another process may go unseen."""
BATCH = 500
QUEUE = 256
HEARTBEAT_SECONDS = 15.0


class Notifier:
    """Reads new events once, and hands each to whoever follows its topic.

    Lives in the event loop. Events of this process wake it at once, those of others within
    `LOOK_SECONDS`; `wake` may be called from any thread by whatever hears of them sooner. Events
    get their ids in the order in which they are committed, because their writers take turns.

    Args:
        events: the store.
    """

    def __init__(self, events: Events) -> None:
        self._events = events
        self._followers: dict[str, set[Follower]] = {}
        self._seen = 0
        self._woken = asyncio.Event()
        self._beginning = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="notifier")
        self.stopping = False

    def __len__(self) -> int:
        """How many follow something."""
        return sum(map(len, self._followers.values()))

    async def follow(self, topic: str, tenant: str, after: int | None = None) -> Follower:
        """Follow a topic; leave with `Follower.close`, or use it in an `async with`.

        Args:
            topic: such as `job:7`; `job:*` means all topics that begin so.
            tenant: whose events.
            after: the id of the last event that is known; None for only what comes from now on.

        Raises:
            Unavailable: if the platform is being stopped.
        """
        if self.stopping:
            raise Unavailable("The platform is being stopped.", hint="Try again in a moment.")
        async with self._beginning:
            if not self._followers:
                self._seen = await self._read(self._events.newest)
            if self._task is None or self._task.done():
                self._loop = asyncio.get_running_loop()
                self._events.listeners.append(self.wake)
                self._task = asyncio.create_task(self._run())
            if after is None:  # what is stored already may not have been seen yet
                after = await self._read(self._events.newest)
            follower = Follower(self, topic, tenant, after)
            self._followers.setdefault(topic, set()).add(follower)
        return follower

    def leave(self, follower: Follower) -> None:
        """Hand it nothing more."""
        found = self._followers.get(follower.topic, set())
        found.discard(follower)
        if not found:
            self._followers.pop(follower.topic, None)

    def wake(self) -> None:
        """Look at the store now; may be called from any thread."""
        if self._loop is not None and self._followers and not self._woken.is_set():
            with suppress(RuntimeError):  # the loop has been closed
                self._loop.call_soon_threadsafe(self._woken.set)

    async def stop(self) -> None:
        """Let every follower go, each with its place to resume from."""
        self.stopping = True
        for followers in list(self._followers.values()):
            for follower in list(followers):
                follower.end()
        if self._task is not None:
            self._events.listeners.remove(self.wake)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        self._reader.shutdown(wait=False)

    def stored(self, topic: str, after: int, tenant: str) -> list[Event]:
        """The next stored events of a topic."""
        return self._events.read(topic, after, BATCH, tenant)

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), LOOK_SECONDS)
            self._woken.clear()
            if self._followers:
                try:
                    await self._look()
                except PilothouseError as error:  # a full disk, a lost server: look again later
                    log.error("events could not be read: %s", error)

    async def _look(self) -> None:
        while found := await self._read(self._events.since, self._seen, BATCH):
            for event in found:
                self._seen = event.id
                self._deliver(event)

    def _deliver(self, event: Event) -> None:
        family = f"{event.topic.partition(':')[0]}:*"
        for topic in (event.topic, family):
            for follower in self._followers.get(topic, ()):
                if follower.tenant == event.tenant:
                    follower.take(event)

    async def _read(self, function: Callable[..., T], *arguments: int) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._reader, function, *arguments)


class Follower:
    """One reader's place in a topic: first what is stored, then what happens.

    Attributes:
        after: the id of the last event that was handed out; where to resume.
    """

    def __init__(self, notifier: Notifier, topic: str, tenant: str, after: int) -> None:
        self.topic = topic
        self.tenant = tenant
        self.after = after
        self._notifier = notifier
        self._queue: deque[Event] = deque()
        self._behind = True
        self._changed = asyncio.Event()
        self._ended = False

    async def __aenter__(self) -> Follower:
        return self

    async def __aexit__(self, *_error: object) -> None:
        self.close()

    def close(self) -> None:
        """Follow no longer."""
        self._notifier.leave(self)

    def take(self, event: Event) -> None:
        """Queue an event; one that finds the queue full is read from the store later."""
        if len(self._queue) >= QUEUE:
            self._behind = True
            self._queue.clear()
        if not self._behind:
            self._queue.append(event)
        self._changed.set()

    def end(self) -> None:
        """Hand nothing more out; the platform stops."""
        self._ended = True
        self._changed.set()

    async def events(self, heartbeat: float = HEARTBEAT_SECONDS) -> AsyncIterator[Event | None]:
        """Events in order, without gaps or repeats, until the platform stops.

        Args:
            heartbeat: seconds of silence after which None is handed out.
        """
        while not self._ended:
            self._changed.clear()
            if self._behind:
                self._behind = False
                async for event in self._stored():
                    yield event
            while self._queue and not self._behind:
                event = self._queue.popleft()
                if event.id > self.after:
                    self.after = event.id
                    yield event
            if self._behind or self._changed.is_set():
                continue
            try:
                await asyncio.wait_for(self._changed.wait(), heartbeat)
            except TimeoutError:
                yield None

    async def _stored(self) -> AsyncIterator[Event]:
        while not self._ended:
            found = await run_in_threadpool(
                self._notifier.stored, self.topic, self.after, self.tenant
            )
            for event in found:
                self.after = event.id
                yield event
            if not found:
                return
