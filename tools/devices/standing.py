"""What devices poll for, kept in memory: a poll that finds nothing new touches no database.

An entry is dropped when its device changes: at once for changes of this process, within half a
second for those of others on the same database, which `Watch` looks for. A dropped entry is read
anew at the next poll.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime


@dataclass(slots=True)
class Standing:
    """How one device stands.

    Attributes:
        device: its id.
        credential: the digest of the credential that is in force.
        expires: when that ends; None if it does not.
        etag: names the desired state.
        body: the desired state as JSON.
        report: boot and sequence of the newest report.
        touched: when the device's record changed last.
    """

    device: int
    credential: str
    expires: datetime | None
    etag: str
    body: bytes
    report: tuple[int, int] | None
    touched: datetime | None


class Standings:
    """The entries of all devices that poll here; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._devices: dict[int, Standing] = {}
        self._credentials: dict[str, Standing] = {}
        self._dropped = 0

    @property
    def mark(self) -> int:
        """Take it before reading the database, and hand it to `keep`."""
        return self._dropped

    def keep(self, standing: Standing, mark: int) -> None:
        """Keep an entry that was read since `mark`; nothing if something was dropped meanwhile."""
        with self._lock:
            if self._dropped == mark:
                self._drop(standing.device)
                self._devices[standing.device] = standing
                self._credentials[standing.credential] = standing

    def drop(self, devices: Iterable[int]) -> None:
        """Forget devices that changed."""
        with self._lock:
            self._dropped += 1
            for device in devices:
                self._drop(device)

    def of(self, device: int) -> Standing | None:
        """A device's entry."""
        return self._devices.get(device)

    def holder(self, credential: str) -> Standing | None:
        """The entry of whoever has the credential with this digest."""
        return self._credentials.get(credential)

    def _drop(self, device: int) -> None:
        old = self._devices.pop(device, None)
        if old is not None:
            self._credentials.pop(old.credential, None)
