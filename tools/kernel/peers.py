"""The other processes that share this one's home and database, when it is a PostgreSQL.

Each holds the lease `process:<its number>` for life. What one changes, the others notice by a small
query twice a second; the jobs of one that died are taken up by whoever sees it first.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from tools.kernel.errors import Conflict, PilothouseError
from tools.kernel.tables import ReceiptRow

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

log = logging.getLogger(__name__)
LOOK_SECONDS = 0.5
ADOPT_SECONDS = 10.0
START_SECONDS = 5.0


class Peers:
    """Watches the others from a thread of its own."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._seen = 0

    def start(self) -> None:
        """Say that this process is there, and watch; nothing with SQLite, where it is alone.

        Raises:
            Conflict: if a process of the same number runs already.
        """
        kernel = self._kernel
        if kernel.database.is_sqlite or self._thread is not None:
            return
        number = kernel.settings.worker
        deadline = time.monotonic() + START_SECONDS  # another may be taking up its jobs just now
        while not kernel.leases.take(_name(number)):
            if time.monotonic() < deadline:
                time.sleep(0.2)
                continue
            raise Conflict(
                f"Process {number} of this platform runs already.",
                hint="Give each a number of its own: PILOTHOUSE_WORKER, or --worker.",
            )
        self._seen = self._newest()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._watch, name="peers", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Watch no longer."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(5)
            self._thread = None

    def _watch(self) -> None:
        looks = 0
        while not self._stopping.wait(LOOK_SECONDS):
            looks += 1
            try:
                self._look()
                if looks * LOOK_SECONDS >= ADOPT_SECONDS:
                    looks = 0
                    self._adopt()
            except PilothouseError as error:  # a lost server: look again later
                log.error("the other processes could not be watched: %s", error)

    def _look(self) -> None:
        newest = self._newest()
        if newest != self._seen:
            self._seen = newest
            self._kernel.catalogue.changed()
            self._kernel.jobs.changed()

    def _newest(self) -> int:
        """The number of the newest act's receipt, of whichever process."""
        acts = select(func.max(ReceiptRow.number)).where(ReceiptRow.effect != "read")
        with self._kernel.database.session() as session:
            return session.scalar(acts) or 0

    def _adopt(self) -> None:
        """Take up the jobs of processes that are gone."""
        for number in self._kernel.jobs.engine.executors():
            if number == self._kernel.settings.worker or not self._kernel.leases.take(
                _name(number)
            ):
                continue
            try:
                log.info("process %s is gone, taking up its jobs", number)
                self._kernel.jobs.engine.adopt(number)
            finally:
                self._kernel.leases.release(_name(number))


def _name(number: int) -> str:
    return f"process:{number}"
