"""Handing a request to a server group: when this device is unsure, or the request is too large.

Off unless the operator names servers. A device that is cut off answers alone, and stops asking for
a while. What was handed over says so in its answer and is counted.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast
from urllib.error import HTTPError, URLError
from urllib.request import ProxyHandler, Request, build_opener

from edge.runtime import Prediction

HEADER = "X-Handed-Over-By"
_REST_SECONDS = (2.0, 60.0)
_MAX_ANSWER = 4 << 20


@dataclass(frozen=True, slots=True)
class Policy:
    """When to hand a request over, and to whom.

    Attributes:
        servers: base URLs of the group's devices, such as `http://10.0.0.5:8080`; none means never.
        below: confidence under which an answer is not good enough, 0 to 1.
        longer: characters above which a text is too large for this device; None for no limit.
        seconds: how long a server may take.
        key: what the servers ask for, if they do.
    """

    servers: tuple[str, ...] = ()
    below: float = 0.0
    longer: int | None = None
    seconds: float = 5.0
    key: str | None = None


class HandOver:
    """Hands requests over; safe to use from several threads.

    Args:
        policy: the operator's.
        device: this device's name.

    Attributes:
        handed: requests that a server answered.
        failed: requests for which no server could be reached.
        last: the device that answered last.
    """

    def __init__(self, policy: Policy, device: str) -> None:
        self._policy = policy
        self._device = device
        self._lock = threading.Lock()
        self._opener = build_opener(ProxyHandler({}))
        self._resting_until = 0.0
        self._troubles = 0
        self.handed = 0
        self.failed = 0
        self.last: str | None = None

    def too_large(self, texts: Sequence[str]) -> str | None:
        """Why a request should go to a server before this device tries."""
        longest, limit = max(map(len, texts), default=0), self._policy.longer
        if not self._policy.servers or limit is None or longest <= limit:
            return None
        return f"{longest} characters, {limit} are taken here"

    def unsure(self, found: Sequence[Prediction]) -> str | None:
        """Why an answer of this device is not good enough."""
        least = min((p.confidence for p in found), default=1.0)
        if not self._policy.servers or least >= self._policy.below:
            return None
        return f"confidence {least:.2f}, {self._policy.below:.2f} is asked for"

    def ask(self, path: str, body: dict[str, Any], reason: str) -> dict[str, Any] | None:
        """The answer of the first server that gives one, or None.

        Args:
            path: `/predict` or `/v1/chat/completions`.
            body: the request.
            reason: why it is handed over; goes into the answer.
        """
        if time.monotonic() < self._resting_until:
            return None
        servers = list(self._policy.servers)
        random.shuffle(servers)
        for server in servers:
            answer = self._one(server.rstrip("/") + path, body)
            if answer is not None:
                with self._lock:
                    self.handed, self._troubles = self.handed + 1, 0
                    self.last = str(answer.get("device", server))
                return {**answer, "handed_over": {"by": self._device, "reason": reason}}
        self._rest()
        return None

    def _one(self, url: str, body: dict[str, Any]) -> dict[str, Any] | None:
        request = Request(url, data=json.dumps(body).encode())  # noqa: S310 - the operator's URL
        request.add_header("Content-Type", "application/json")
        request.add_header(HEADER, self._device)
        if self._policy.key:
            request.add_header("Authorization", f"Bearer {self._policy.key}")
        try:
            with self._opener.open(request, timeout=self._policy.seconds) as answer:
                found = json.loads(answer.read(_MAX_ANSWER))
        except HTTPError as error:
            error.close()
            return None
        except (URLError, OSError, ValueError):
            return None
        return cast(dict[str, Any], found) if isinstance(found, dict) else None

    def _rest(self) -> None:
        first, most = _REST_SECONDS
        with self._lock:
            self.failed += 1
            self._troubles += 1
            rest = min(most, first * 2 ** min(self._troubles, 10))
            self._resting_until = time.monotonic() + random.uniform(first, rest)  # noqa: S311
