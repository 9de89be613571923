"""Waking whoever waits: devices that long-poll, and rollouts that wait for reports.

A change made by this process wakes its waiters at once. Changes of other processes on the same
database are noticed by one small query twice a second, made only while somebody waits.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

LOOK_SECONDS = 0.5


@dataclass(eq=False, slots=True)
class Waiter:
    """One device that waits, in one event loop, without a thread of its own."""

    device: int
    loop: asyncio.AbstractEventLoop
    woken: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self, seconds: float) -> bool:
        """Wait until something has changed for the device; False if nothing did in time."""
        try:
            await asyncio.wait_for(self.woken.wait(), seconds)
        except TimeoutError:
            return False
        self.woken.clear()
        return True


def _rouse(waiters: Iterable[Waiter]) -> None:
    """In their own loop: thousands are woken by one message to it."""
    for waiter in waiters:
        waiter.woken.set()


class Watch:
    """Who waits for what; safe to use from several threads and event loops.

    Args:
        changes: a cheap look for devices that another process changed; it drops what is known of
            them and answers with their ids.
        flush: writes down which devices were there.
    """

    def __init__(self, changes: Callable[[], set[int]], flush: Callable[[], bool]) -> None:
        self._changes = changes
        self._flush = flush
        self._looked = 0.0
        self._lock = threading.Lock()
        self._waiters: set[Waiter] = set()
        self._lookers: dict[asyncio.AbstractEventLoop, asyncio.Task[None]] = {}
        self._reports = threading.Condition()
        self._reported = 0
        self.closed = False
        self.away = False

    @contextmanager
    def waiting(self, device: int) -> Iterator[Waiter]:
        """Register before reading the state, so that no change between is missed."""
        waiter = Waiter(device, asyncio.get_running_loop())
        with self._lock:
            self._waiters.add(waiter)
            looker = self._lookers.get(waiter.loop)
            if looker is None or looker.done():
                self._lookers[waiter.loop] = waiter.loop.create_task(self._look(waiter.loop))
        try:
            yield waiter
        finally:
            with self._lock:
                self._waiters.discard(waiter)

    def wake(self, devices: Iterable[int] | None = None) -> None:
        """Wake the long polls of these devices, or of all."""
        wanted = None if devices is None else set(devices)
        with self._lock:
            woken = [w for w in self._waiters if wanted is None or w.device in wanted]
        for loop in {waiter.loop for waiter in woken}:
            if not loop.is_closed():
                mine = [waiter for waiter in woken if waiter.loop is loop]
                loop.call_soon_threadsafe(_rouse, mine)

    def reported(self) -> None:
        """Tell rollouts that a report has arrived, or that a decision was made."""
        with self._reports:
            self._reported += 1
            self._reports.notify_all()

    @property
    def reports(self) -> int:
        """How many reports have arrived; hand it to `wait_report`."""
        return self._reported

    def wait_report(self, seen: int, seconds: float) -> None:
        """Wait until a report has arrived beyond the `seen`-th, at most so many seconds."""
        with self._reports:
            self._reports.wait_for(lambda: self._reported != seen or self.closed, seconds)

    def send_away(self) -> None:
        """End all long polls, and hold none from now on: the server is about to stop."""
        self.away = True
        self.wake()

    def close(self) -> None:
        """Wake everybody for good."""
        self.closed = True
        self.reported()
        self.send_away()

    async def catch_up(self) -> None:
        """Look for changes of other processes, unless somebody did in the last half second."""
        if time.monotonic() - self._looked >= LOOK_SECONDS:
            self._looked = time.monotonic()
            await asyncio.to_thread(self._look_once)

    def _look_once(self) -> None:
        changed = self._changes()
        if changed:
            self.wake(changed)
        if self._flush():
            self.reported()

    async def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        while not self.away and self._anybody(loop):
            await self.catch_up()
            await asyncio.sleep(LOOK_SECONDS)

    def _anybody(self, loop: asyncio.AbstractEventLoop) -> bool:
        with self._lock:
            there = any(w.loop is loop for w in self._waiters)
            if not there:
                self._lookers.pop(loop, None)
            return there
