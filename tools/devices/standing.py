"""What devices poll for, kept in memory: a poll that finds nothing new touches no database.

An entry is dropped when its device changes: at once for changes of this process, within half a
second for those of others on the same database, which `Watch` looks for. A dropped entry is read
anew at the next poll.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from tools.devices.tables import DeviceRow, ReportRow


@dataclass(slots=True)
class Standing:
    """How one device stands.

    Attributes:
        row: its record, as it was read.
        newest: its newest report; another process may have stored a newer one.
        etag: names the desired state.
        body: the desired state as JSON.
    """

    row: DeviceRow
    newest: ReportRow | None
    etag: str
    body: bytes

    @property
    def expires(self) -> datetime | None:
        """When the credential in force ends; None if it does not."""
        return self.row.credential_expires

    @property
    def report(self) -> tuple[int, int] | None:
        """Boot and sequence of the newest report."""
        return None if self.newest is None else (self.newest.boot, self.newest.sequence)


def standing_of(row: DeviceRow, newest: ReportRow | None) -> Standing:
    """How the device of a record stands."""
    body = {"generation": row.generation, "serve": row.serve, "stage": row.stage}
    return Standing(row, newest, f'"{row.generation}"', json.dumps(body).encode())


class Standings:
    """The entries of all devices that poll here; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._devices: dict[int, Standing] = {}
        self._credentials: dict[str, Standing] = {}
        self._drops: dict[int, int] = {}
        self._dropped = 0

    @property
    def mark(self) -> int:
        """Take it before reading the database, and hand it to `keep`."""
        return self._dropped

    def keep(self, standing: Standing, mark: int) -> None:
        """Keep an entry that was read since `mark`, unless its device was dropped meanwhile.

        One whose device has no credential in force, such as a locked one, is not kept.
        """
        device, credential = standing.row.id, standing.row.credential_hash
        with self._lock:
            if credential is not None and self._drops.get(device, 0) <= mark:
                self._drop(device)
                self._devices[device] = standing
                self._credentials[credential] = standing

    def drop(self, devices: Iterable[int]) -> list[int]:
        """Forget devices that changed; answers with those that were known."""
        with self._lock:
            self._dropped += 1
            self._drops.update(dict.fromkeys(devices := [*devices], self._dropped))
            return [device for device in devices if self._drop(device)]

    def renew(self, rows: Iterable[DeviceRow], mark: int) -> None:
        """Let devices that this process has just changed stand as these records say.

        Those that are not known here, or were dropped since `mark`, are only dropped: somebody else
        has changed them as well.

        Args:
            rows: the records, as they were read and written after `mark`.
            mark: taken before they were read.
        """
        with self._lock:
            self._dropped += 1
            for row in rows:
                old, alone = self._devices.get(row.id), self._drops.get(row.id, 0) <= mark
                self._drop(row.id)
                self._drops[row.id] = self._dropped
                if old is not None and alone and row.credential_hash is not None:
                    fresh = standing_of(row, old.newest)
                    self._devices[row.id] = self._credentials[row.credential_hash] = fresh

    def of(self, device: int) -> Standing | None:
        """A device's entry."""
        return self._devices.get(device)

    def holder(self, credential: str) -> Standing | None:
        """The entry of whoever has the credential with this digest."""
        return self._credentials.get(credential)

    def _drop(self, device: int) -> bool:
        old = self._devices.pop(device, None)
        if old is not None and old.row.credential_hash is not None:
            self._credentials.pop(old.row.credential_hash, None)
        return old is not None
