"""A measurement of time has the machine to itself: computing processes stand still for seconds.

Two files of the home are locked (flock). Whoever computes holds `computing.lock` together with the
others. Who measures takes `measuring.lock`, lets the others come between two steps, and holds
`computing.lock` alone. At every progress event a computing process looks whether somebody measures,
and if so lets go of it until that is over. A process that dies holds nothing; nobody waits without
end: a measurement that the others do not let in in time is made beside them, and says so.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

FOLDER = "PILOTHOUSE_STILLNESS"
"""Names the folder of the locks to a computing process; without it a process takes no part."""
WAIT_SECONDS = 20.0
"""What a measurement waits for the others, who are between two steps by then."""
STILL_SECONDS = 60.0
"""What a computing process stands still for one measurement at most."""
_LOOK_SECONDS = 0.02


@dataclass(slots=True)
class Measurement:
    """How a measurement was made.

    Attributes:
        alone: whether all computing processes of the home stood still; known at its end, and None
            where the process takes no part.
    """

    alone: bool | None = None


class Stillness:
    """A computing process's part in it; not safe to use from several threads.

    Args:
        folder: of the locks; processes with the same one stand still for each other.
        wait: see `WAIT_SECONDS`.
        still: see `STILL_SECONDS`.
    """

    def __init__(
        self, folder: Path, wait: float = WAIT_SECONDS, still: float = STILL_SECONDS
    ) -> None:
        self._computing = (folder / "computing.lock").open("a")
        self._measuring = (folder / "measuring.lock").open("a")
        self._wait, self._still = wait, still
        self._overdue = False

    def enter(self) -> None:
        """Begin to compute, or go on; a measurement that is being made is waited for."""
        self._overdue = not _within(
            self._still, lambda: not self._measured() and _locked(self._computing, fcntl.LOCK_SH)
        )

    def leave(self) -> None:
        """Compute no more."""
        fcntl.flock(self._computing, fcntl.LOCK_UN)

    def pass_by(self) -> None:
        """Between two steps: stand still if somebody measures."""
        if not self._measured():
            if self._overdue:
                self.enter()
        elif not self._overdue:
            self.leave()
            self.enter()

    @contextmanager
    def alone(self) -> Iterator[Measurement]:
        """Measure while the others stand still, or beside them where they do not in time."""
        found = Measurement()
        self.leave()
        try:
            first = _within(self._wait, lambda: _locked(self._measuring, fcntl.LOCK_EX))
            since = time.monotonic()
            rest = first and _within(self._wait, lambda: _locked(self._computing, fcntl.LOCK_EX))
            yield found
            found.alone = rest and time.monotonic() - since < self._still
        finally:
            fcntl.flock(self._measuring, fcntl.LOCK_UN)
            self.leave()
            self.enter()

    def _measured(self) -> bool:
        """Whether somebody measures now."""
        if not _locked(self._measuring, fcntl.LOCK_SH):
            return True
        fcntl.flock(self._measuring, fcntl.LOCK_UN)
        return False


_own: list[Stillness] = []


def join() -> None:
    """For a computing process that begins: take part if it was told where."""
    if folder := os.environ.get(FOLDER):
        _own[:] = [Stillness(Path(folder))]
        _own[0].enter()


def quit_computing() -> None:
    """For a process that only waits for what computes elsewhere: nobody waits for it."""
    for mine in _own:
        mine.leave()
    _own.clear()


def pass_by() -> None:
    """Between two steps of a computing process: stand still if another one measures."""
    for mine in _own:
        mine.pass_by()


@contextmanager
def alone() -> Iterator[Measurement]:
    """Measure while the home's other computing processes stand still.

    Yields:
        What says at its end whether they did.
    """
    if not _own:
        yield Measurement()
        return
    with _own[0].alone() as found:
        yield found


def told(disturbed: Iterable[str]) -> list[str]:
    """A warning that names what was not measured alone; none if all was."""
    names = ", ".join(disturbed)
    if not names:
        return []
    why = "they did not come to stand still in time"
    return [f"Latency of {names} was measured while other jobs computed: {why}."]


def _locked(file: TextIO, kind: int) -> bool:
    """Take a lock if it can be had now."""
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _within(seconds: float, done: Callable[[], bool]) -> bool:
    """Try until it is done or the time is over."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_SECONDS)
    return True
