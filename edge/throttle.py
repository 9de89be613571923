"""A limit on how fast downloads may go, shared by all their threads."""

from __future__ import annotations

import threading
import time


class Throttle:
    """Lets so many bytes a second pass; safe to use from several threads.

    Args:
        bytes_per_second: None for no limit.
    """

    def __init__(self, bytes_per_second: float | None = None) -> None:
        self._rate = bytes_per_second
        self._lock = threading.Lock()
        self._free = time.monotonic()

    def take(self, size: int) -> None:
        """Wait until `size` more bytes may have passed."""
        if self._rate is None:
            return
        with self._lock:
            self._free = max(self._free, time.monotonic()) + size / self._rate
            wait = self._free - time.monotonic()
        if wait > 0:
            time.sleep(wait)
