"""What the device says of itself, and when: at once when it changed, else as rarely as it may."""

from __future__ import annotations

import contextlib
import resource
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edge import AGENT_VERSION
from edge.counters import Counters
from edge.files import write_atomic
from edge.handover import HandOver
from edge.machine import machine_of
from edge.runtime import Runtime
from edge.slots import SlotStore
from edge.wire import Report

QUIET_SECONDS = 3600.0
"""After so long a report is sent also if all that matters in it is as before."""
_SMALL_CHANGES = ("sequence", "p50_ms", "p95_ms", "memory_mb", "free_disk_mb", "machine")
BOOT = "boot"
"""The file with the number of the device's last start."""
_EPOCH = 1_700_000_000


@dataclass(slots=True)
class State:
    """How the device stands with what is desired.

    Attributes:
        applied: the desired state that is served; -1 for one that the device chose itself.
        attempted: the one that is worked on, was reached or was refused.
        phase: idle, working or failed.
        error: what went wrong last.
        sound: False if the model that serves fails its golden inputs.
    """

    applied: int
    attempted: int
    phase: str = "idle"
    error: str | None = None
    sound: bool = True


class Reporter:
    """Builds reports; used by one thread at a time.

    Args:
        home: the device's folder.
        state: read at every report.
        slots: what lies in them is reported.
        runtime: what is served is reported.
        counters: the traffic.
        handover: what was handed over.
        address: where the device serves.
    """

    def __init__(
        self,
        home: Path,
        state: State,
        slots: SlotStore,
        runtime: Runtime,
        counters: Counters,
        handover: HandOver,
        address: str,
    ) -> None:
        self._home, self._state, self._address = home, state, address
        self._slots, self._runtime = slots, runtime
        self._counters, self._handover = counters, handover
        self._boot, self._sequence = _next_boot(home)
        self._told: dict[str, Any] | None = None
        self._told_at = 0.0

    @property
    def holds(self) -> str | None:
        """`boot.sequence` of the report that the server took, if it still holds."""
        return None if self._told is None else f"{self._boot}.{self._sequence}"

    def due(self) -> Report | None:
        """A report, unless the last one that the server took still holds."""
        report = self.report(self._sequence + 1)
        new = _matters(report)
        if new == self._told and time.monotonic() - self._told_at < QUIET_SECONDS:
            return None
        self._sequence += 1
        return report

    def answered(self, report: Report, newest: tuple[int, int] | None) -> None:
        """The server has this report, or regards another one as the newest.

        Args:
            report: what was sent.
            newest: start and sequence of what the server has instead; None if it took the report.
        """
        if newest is None or newest == (report.boot, report.sequence):
            self._told, self._told_at = _matters(report), time.monotonic()
        elif newest > (report.boot, report.sequence):
            self.start_anew(newest[0])

    def start_anew(self, boot: int) -> None:
        """Number this start after another one, so that its reports are newer than all before.

        Where a full disk has kept a start from being numbered while its clock was ahead, what comes
        after it would be taken for older until that time is reached.
        """
        self._boot = max(self._boot, boot) + 1
        self._told = None
        with contextlib.suppress(OSError):
            write_atomic(self._home / BOOT, str(self._boot).encode())

    def forget(self) -> None:
        """The server does not have the last report."""
        self._told = None

    def report(self, sequence: int) -> Report:
        """How the device stands now."""
        state = self._state
        return Report(
            boot=self._boot,
            sequence=sequence,
            generation=state.applied,
            attempted=state.attempted,
            phase=state.phase,
            healthy=state.sound,
            serving=[arm.assignment for arm in self._runtime.arms],
            staged=self._runtime.prepared,
            slots=self._slots.content(),
            error=state.error[:2000] if state.error else None,
            traffic=self._counters.traffic(),
            p50_ms=self._counters.latency(0.5),
            p95_ms=self._counters.latency(0.95),
            memory_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
            free_disk_mb=round(shutil.disk_usage(self._home).free / (1 << 20), 1),
            address=self._address,
            agent=AGENT_VERSION,
            machine=machine_of(self._home),
            handed_over=self._handover.handed,
            hand_over_failed=self._handover.failed,
            handed_to=self._handover.last,
        )


def _matters(report: Report) -> dict[str, Any]:
    """A report without what changes all the time and decides nothing."""
    return {
        name: getattr(report, name)
        for name in Report.__dataclass_fields__
        if name not in _SMALL_CHANGES
    }


def _next_boot(home: Path) -> tuple[int, int]:
    """The number of this start, and the sequence before its first report.

    The sequence begins with the clock: where a full disk has kept a start from being numbered, the
    next one has the same number, and what it reports must still be newer.
    """
    path = home / BOOT
    number = 1
    with contextlib.suppress(OSError, ValueError):
        number = int(path.read_text()) + 1
    with contextlib.suppress(OSError):
        write_atomic(path, str(number).encode())
    return number, max(0, int(time.time()) - _EPOCH)
