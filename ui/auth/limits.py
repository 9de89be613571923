"""Rates: a token bucket (as in RFC 2697's terms: rate and burst) per principal and per address.

Buckets live in this process: with several processes each allows the rate.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Hashable

from tools.kernel.errors import TooManyRequests

MOST_BUCKETS = 50_000


class Limits:
    """Buckets by key, each of which holds a minute's worth; safe to use from several threads.

    Args:
        per_minute: how many requests a minute refill a bucket, and fit in it.
        what: of what too many are told, such as `this address`.
    """

    def __init__(self, per_minute: int, what: str) -> None:
        self._rate = per_minute / 60
        self._burst = float(max(1, per_minute))
        self._what = what
        self._buckets: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: Hashable) -> None:
        """Take one from a bucket.

        Raises:
            TooManyRequests: if it is empty; says after how many seconds it no longer is.
        """
        moment = time.monotonic()
        with self._lock:
            left, since = self._buckets.pop(key, (self._burst, moment))
            left = min(self._burst, left + (moment - since) * self._rate)
            self._buckets[key] = (left - 1 if left >= 1 else left, moment)
            if len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)
        if left < 1:
            wait = (1 - left) / self._rate
            raise TooManyRequests(
                f"Too many requests from {self._what}.", retry_after=max(1.0, wait)
            )
