"""Durable timers: a moment, or the end of a job, at which a domain is called, also after a crash.

A timer is a delayed workflow of the job engine, which keeps it in its database and holds no thread
while it waits. Whoever is called must take a second call for the same moment for the same one.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

log = logging.getLogger(__name__)


class TimerOwner(Protocol):
    """What a domain gives that wants to be called."""

    def due(self, key: str, at: datetime) -> None:
        """The moment `at`, set under `key`, has come; or it passed while nothing ran."""
        ...

    def job_ended(self, job: int) -> None:
        """A job has ended."""
        ...

    def started(self) -> None:
        """Jobs run in this process from now on: set the timers that are missing."""
        ...


_OWNERS: dict[str, Callable[[Kernel], TimerOwner]] = {}


def timer_owner(
    name: str,
) -> Callable[[Callable[[Kernel], TimerOwner]], Callable[[Kernel], TimerOwner]]:
    """Register the function `kernel -> owner` whose timers are set under this name."""

    def register(owner: Callable[[Kernel], TimerOwner]) -> Callable[[Kernel], TimerOwner]:
        _OWNERS[name] = owner
        return owner

    return register


class Timers:
    """Sets timers and passes on what is due; safe from several threads."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def set(self, owner: str, key: str, at: datetime) -> None:
        """Have `owner` called at a moment; setting the same again changes nothing.

        A timer is never taken back: whoever is called decides whether it still counts.

        Raises:
            Unavailable: if this process runs no jobs.
        """
        self._kernel.jobs.engine.set_timer(owner, key, at)

    def due(self, owner: str, key: str, at: datetime) -> None:
        """Pass a moment on; a timer whose owner is gone after an update does nothing."""
        if owner in _OWNERS:
            _OWNERS[owner](self._kernel).due(key, at)

    def job_ended(self, job: int) -> None:
        """Tell every owner that a job has ended; the job stays ended whatever they make of it."""
        for name, owner in tuple(_OWNERS.items()):
            try:
                owner(self._kernel).job_ended(job)
            except Exception:  # what is missed here is found by `started`
                log.exception("%s could not take note of the end of job %s", name, job)

    def started(self) -> None:
        """Let every owner catch up with what passed while no jobs ran."""
        for owner in tuple(_OWNERS.values()):
            owner(self._kernel).started()
