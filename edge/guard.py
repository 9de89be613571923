"""Watching the model that serves: when it fails or is too slow, the device falls back by itself."""

from __future__ import annotations

import statistics
import threading
from collections import deque
from collections.abc import Callable

TOO_SLOW = 5.0
"""A model may take so many times as long as the one that it replaced ..."""
TOO_SLOW_MS = 250.0
"""... and is never too slow below so many milliseconds."""
FAILURES = 3
_ANSWERS = 20


class Guard:
    """Judges a model on each answer; safe to use from several threads.

    Args:
        give_up: called once, with the reason, when a model is no good.
    """

    def __init__(self, give_up: Callable[[str], None]) -> None:
        self._give_up = give_up
        self._lock = threading.Lock()
        self._bundles: frozenset[str] = frozenset()
        self._limit_ms: float | None = None
        self._failures = 0
        self._times: deque[float] = deque(maxlen=_ANSWERS)

    def watch(self, bundles: frozenset[str], former_ms: float | None) -> None:
        """Judge these models from now on.

        Args:
            bundles: those that are new.
            former_ms: how long the former one took for an input; None if that is not known.
        """
        with self._lock:
            self._bundles, self._failures = bundles, 0
            self._times.clear()
            self._limit_ms = None if former_ms is None else max(TOO_SLOW_MS, TOO_SLOW * former_ms)

    def answered(self, bundle: str, milliseconds: float) -> None:
        """A model answered; the time is that of one input."""
        with self._lock:
            if bundle not in self._bundles:
                return
            self._failures = 0
            self._times.append(milliseconds)
            middle = statistics.median(self._times)
            slow = len(self._times) == _ANSWERS and middle > (self._limit_ms or float("inf"))
            if slow:
                self._bundles = frozenset()
        if slow:
            self._give_up(
                f"it is too slow: {middle:.0f} ms an answer, {self._limit_ms:.0f} allowed"
            )

    def failed(self, bundle: str, error: str) -> None:
        """A model failed to answer."""
        with self._lock:
            if bundle not in self._bundles:
                return
            self._failures += 1
            broken = self._failures >= FAILURES
            if broken:
                self._bundles = frozenset()
        if broken:
            self._give_up(f"it failed {FAILURES} times in a row: {error}")
