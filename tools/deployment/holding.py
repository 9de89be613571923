"""What a step of a rollout waits for, told to those who follow its job."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.kernel.jobs import JobContext

TELL_SECONDS = 1.0


class Holding:
    """Tells what a step waits for when that changes, and at most once a second.

    Args:
        job: the rollout's job.
        at: how far the job is meanwhile, from 0 to 1.
        step: what the step is called.
    """

    def __init__(self, job: JobContext, at: float, step: str) -> None:
        self._job, self._at, self._step = job, at, step
        self._told: str | None = None
        self._when = -TELL_SECONDS

    def __call__(self, hold: str | None) -> None:
        """Tell it; None means that the step waits for nothing but its time."""
        if hold is None or hold == self._told or time.monotonic() - self._when < TELL_SECONDS:
            return
        self._told, self._when = hold, time.monotonic()
        self._job.progress(self._at, f"{self._step}: {hold}")
