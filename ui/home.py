"""Where a home's files lie and whether its platform runs; imports the standard library only.

Commands must answer in tenths of a second, so this reads `PILOTHOUSE_HOME` by itself instead of
loading the settings.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO

from tools.kernel.errors import Conflict, PilothouseError, Unavailable

VERSION = "0.1.0"
"""As in pyproject.toml; written here because asking the installed package takes too long."""
LAST_WORDS = "pilothouse: "
NEEDED_BYTES = 1_000_000
LOG_BYTES = 5_000_000
LOG_FILES = 3


def home_folder() -> Path:
    """The home: `PILOTHOUSE_HOME`, or `.pilothouse` in the user's own folder."""
    named = os.environ.get("PILOTHOUSE_HOME")
    return (Path(named) if named else Path.home() / ".pilothouse").expanduser().resolve()


@dataclass(frozen=True, slots=True)
class RunState:
    """What a running platform tells the commands of its home.

    Attributes:
        pid: its process.
        port: its port on 127.0.0.1.
        url: its base URL.
        token: the owner's token; the file that holds it has mode 0600.
        started: seconds since 1970.
        version: the version of the code that it runs.
        currency: the unit of all costs.
    """

    pid: int
    port: int
    url: str
    token: str
    started: float
    version: str
    currency: str


class HomeFiles:
    """The files of one home that commands and platform share.

    Args:
        home: the home folder.
        worker: the number of the process; commands speak to the first, which is 0.
    """

    def __init__(self, home: Path | None = None, worker: int = 0) -> None:
        self.home = home or home_folder()
        name = f"platform-{worker}" if worker else "platform"
        self.run = self.home / "run" / f"{name}.json"
        self.lock = self.home / "run" / f"{name}.lock"
        self.port = self.home / "run" / f"{name}.port"
        self.log = self.home / "logs" / f"{name}.log"
        self.errors = self.home / "logs" / f"{name}.err"
        self.commands_log = self.home / "logs" / "cli.log"

    def prepare(self) -> None:
        """Make the folders (mode 0700).

        Raises:
            Unavailable: if they cannot be made or written.
        """
        try:
            for folder in (self.home, self.run.parent, self.log.parent):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))
        except OSError as error:
            raise disk_trouble(error, self.home) from error

    def read(self) -> RunState | None:
        """What the platform of this home wrote when it was ready, or None.

        Raises:
            Unavailable: if the home cannot be read.
        """
        try:
            return RunState(**json.loads(self.run.read_text()))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise disk_trouble(error, self.home) from error
        except (ValueError, TypeError):
            return None

    def last_port(self) -> int:
        """The port that the platform of this home had last; 0 if it never ran."""
        try:
            return int(self.port.read_text())
        except (OSError, ValueError):
            return 0

    def write(self, state: RunState) -> None:
        """Publish the state, at once and readable by the owner alone; the port outlives it."""
        self.port.write_text(str(state.port))
        fresh = self.run.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(asdict(state), file)
        fresh.replace(self.run)

    def is_running(self) -> bool:
        """True if a process holds the home's lock; a lock file that nobody holds is stale."""
        try:
            with self.lock.open("r") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
        return False

    def acquire(self, patience: float = 1.0) -> IO[str]:
        """Take the home's lock for the life of the returned file.

        Args:
            patience: seconds to try for, because commands that look at the lock hold it briefly.

        Raises:
            Conflict: if another process holds it.
        """
        handle = os.fdopen(os.open(self.lock, os.O_RDWR | os.O_CREAT, 0o600), "r+")
        deadline = time.monotonic() + patience
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    handle.close()
                    raise Conflict(
                        f"A platform runs on {self.home} already.",
                        hint="`pilothouse status` shows it, `pilothouse down` stops it.",
                    ) from None
                time.sleep(0.05)
            else:
                return handle

    def tail(self, lines: int = 12) -> str:
        """Why the platform failed: its last words, else the end of its log."""
        said = last_lines(self.errors, 50)
        for number in range(len(said) - 1, -1, -1):
            if said[number].startswith(LAST_WORDS):
                return "\n".join([said[number].removeprefix(LAST_WORDS), *said[number + 1 :]])
        if self._disk_is_full():
            return str(disk_trouble(OSError(errno.ENOSPC, "", str(self.home))))
        found = said[-lines:] or last_lines(self.log, lines)
        return "\n".join(found) if found else f"Its log is {self.log}."

    def _disk_is_full(self) -> bool:
        try:
            room = os.statvfs(self.home)
        except OSError:
            return False
        return room.f_bavail * room.f_frsize < NEEDED_BYTES


def last_lines(path: Path, count: int) -> list[str]:
    """The last lines of a file, without reading all of it; none if it cannot be read."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 400 * count))
            text = file.read().decode(errors="replace")
    except OSError:
        return []
    return [line for line in text.splitlines() if line.strip()][-count:]


def disk_trouble(error: OSError, place: Path | None = None) -> PilothouseError:
    """An error of the file system in a person's words."""
    where = error.filename or place or "the home"
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return Unavailable(
            f"The disk that holds {where} is full.",
            hint="Free some space and try again; nothing that was finished is lost.",
        )
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return Unavailable(
            f"{where} cannot be read or written by this user.",
            hint="Correct its permissions, or set PILOTHOUSE_HOME to another folder.",
        )
    if error.errno in {errno.ENOTDIR, errno.EEXIST}:
        return Unavailable(
            f"{where} is in the way: a folder is needed there.",
            hint="Set PILOTHOUSE_HOME to another folder.",
        )
    return Unavailable(f"The system refused: {error}.")
