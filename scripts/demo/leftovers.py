"""Processes that still belong to a folder, found by what they were started with."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

GRACE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Leftover:
    """One process."""

    pid: int
    command: str

    def __str__(self) -> str:
        """Its number and how it was started."""
        return f"{self.pid} {self.command[:120]}"


def leftovers(marker: str) -> list[Leftover]:
    """Processes other than this one whose command line or environment names `marker`.

    Those that are just ending get a moment for it.
    """
    deadline = time.monotonic() + GRACE_SECONDS
    while True:
        found = _search(marker.encode())
        if not found or time.monotonic() > deadline:
            return found
        time.sleep(0.1)


def put_down(processes: list[Leftover]) -> None:
    """Kill them; they are ours."""
    for process in processes:
        with suppress(OSError):
            os.kill(process.pid, signal.SIGKILL)


def _search(marker: bytes) -> list[Leftover]:
    found: list[Leftover] = []
    for folder in Path("/proc").glob("[0-9]*"):
        if int(folder.name) in (os.getpid(), os.getppid()):
            continue
        with suppress(OSError):
            command = (folder / "cmdline").read_bytes()
            if command and (marker in command or marker in (folder / "environ").read_bytes()):
                text = command.replace(b"\0", b" ").decode(errors="replace").strip()
                found.append(Leftover(int(folder.name), text))
    return found
