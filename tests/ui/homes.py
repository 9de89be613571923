"""Homes and terminals as tests use them: commands are real processes."""

from __future__ import annotations

import json
import os
import pty
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from ui.client import Client
from ui.home import HomeFiles

ROOT = Path(__file__).resolve().parents[2]


class Home:
    """One home as commands see it.

    Args:
        path: the home folder.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = HomeFiles(path)

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PILOTHOUSE_HOME": str(self.path), "COLUMNS": "200"}

    def run(
        self, *words: str, stdin: str | None = None, timeout: float = 90, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `pilothouse` with these words, without a terminal."""
        return subprocess.run(
            [sys.executable, "-m", "ui.cli", *words],
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=ROOT,
            env={**self.environment, **environment},
            check=False,
        )

    def json(self, *words: str, code: int = 0, **more: Any) -> Any:
        """Run `pilothouse … --json` and read its answer; it must end with `code`."""
        done = self.run(*words, "--json", **more)
        assert done.returncode == code, (done.returncode, done.stdout, done.stderr)
        return json.loads(done.stdout)

    def client(self, token: str | None = None) -> Client:
        """A client of the running platform."""
        state = self.files.read()
        assert state is not None
        return Client(state, token=token)

    def stop(self) -> None:
        """Kill whatever holds the home."""
        state = self.files.read()
        if state is not None and self.files.is_running():
            os.kill(state.pid, signal.SIGKILL)


def spawn(home: Home, *command: str) -> subprocess.Popen[bytes]:
    """Start a process of a home."""
    home.files.prepare()
    with home.files.errors.open("wb") as errors:
        return subprocess.Popen(
            command, cwd=ROOT, env=home.environment, stdout=errors, stderr=errors
        )


class Terminal:
    """A command on a pseudo-terminal, spoken with as a person would."""

    def __init__(self, home: Home, *words: str, **environment: str) -> None:
        self.seen = ""
        self._read = 0
        self._pid, self._fd = pty.fork()
        if self._pid == 0:
            os.chdir(ROOT)
            given = {**home.environment, "TERM": "xterm", **environment}
            os.execve(sys.executable, [sys.executable, "-m", "ui.cli", *words], given)

    def until(self, text: str, seconds: float = 30) -> None:
        """Wait for a text on the screen, after the last one that was waited for."""
        deadline = time.monotonic() + seconds
        while text not in self.seen[self._read :]:
            assert time.monotonic() < deadline, self.seen
            ready, _, _ = select.select([self._fd], [], [], 0.2)
            if ready:
                try:
                    self.seen += os.read(self._fd, 65536).decode(errors="replace")
                except OSError:
                    raise AssertionError(self.seen) from None
        self._read = self.seen.index(text, self._read) + len(text)

    def type(self, text: str) -> None:
        """Press keys."""
        os.write(self._fd, text.encode())

    def end(self) -> int:
        """Read to the end; the exit code."""
        while True:
            try:
                fresh = os.read(self._fd, 65536)
            except OSError:
                break
            if not fresh:
                break
            self.seen += fresh.decode(errors="replace")
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])
