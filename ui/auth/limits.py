"""Rates: a token bucket (as in RFC 2697's terms: rate and burst) per principal and per address.

Buckets live in this process: with several processes each allows the rate.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from typing import TYPE_CHECKING, Generic, TypeVar

from tools.kernel.errors import PilothouseError, TooManyRequests

if TYPE_CHECKING:
    from tools.kernel.audit import Audit

log = logging.getLogger(__name__)
MOST_BUCKETS = 50_000
TOGETHER_SECONDS = 10.0
NAMED = 5
K = TypeVar("K", bound=Hashable)


class Limits(Generic[K]):
    """Buckets by key, each of which holds a minute's worth; safe to use from several threads.

    Args:
        per_minute: how many requests a minute refill a bucket, and fit in it.
        what: of what too many are told, such as `this address`.
        refused: told the key of each request that is refused; must not block.
    """

    def __init__(
        self, per_minute: int, what: str, refused: Callable[[K], None] | None = None
    ) -> None:
        self._rate = per_minute / 60
        self._burst = float(max(1, per_minute))
        self._what = what
        self._refused = refused
        self._buckets: OrderedDict[K, tuple[float, float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, key: K) -> None:
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
            if self._refused is not None:
                self._refused(key)
            wait = (1 - left) / self._rate
            raise TooManyRequests(
                f"Too many requests from {self._what}.", retry_after=max(1.0, wait)
            )


class Refusals:
    """Notes in the audit who asked too often: those of a few seconds in one record a tenant, so
    that a flood of requests does not become a flood of records.

    Args:
        audit: where it is noted.
        seconds: how long refusals are gathered.
    """

    def __init__(self, audit: Audit, seconds: float = TOGETHER_SECONDS) -> None:
        self._audit = audit
        self._seconds = seconds
        self._lock = threading.Lock()
        self._gathered: dict[str, Counter[str]] = {}

    def note(self, tenant: str, who: str) -> None:
        """Count a refused request; safe from any thread, and returns at once."""
        with self._lock:
            first = not self._gathered
            self._gathered.setdefault(tenant, Counter())[who] += 1
        if first:
            timer = threading.Timer(self._seconds, self.write)
            timer.daemon = True
            timer.start()

    def write(self) -> None:
        """Write what was gathered."""
        with self._lock:
            gathered, self._gathered = self._gathered, {}
        for tenant, counts in gathered.items():
            body = {
                "event": "requests.refused",
                "requests": counts.total(),
                "callers": len(counts),
                "most": dict(counts.most_common(NAMED)),
            }
            try:
                self._audit.append(tenant, body)
            except PilothouseError as error:
                log.error("%s refused requests could not be audited: %s", counts.total(), error)
