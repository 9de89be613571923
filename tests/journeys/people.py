"""A person at the terminal of a home, as journeys need them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from tests.ui.homes import ROOT, Home
from ui.client import Client
from ui.launch import ensure_running

Json = dict[str, Any]


class Person:
    """Speaks to a home's platform through commands.

    Args:
        home: the home.
        environment: variables that every command (and the platform it starts) gets.
    """

    def __init__(self, home: Home, **environment: str) -> None:
        self.home = home
        self._environment = environment
        self._started: list[subprocess.Popen[str]] = []

    def asks(self, text: str, thread: str, *words: str, code: int | None = 0, **more: Any) -> Json:
        """`pilothouse ask TEXT --yes --thread THREAD --json`; see `runs`."""
        return self.runs("ask", text, "--yes", "--thread", thread, *words, code=code, **more)

    def runs(self, *words: str, code: int | None = 0, **more: Any) -> Any:
        """Any command with `--json`; it must end with `code`, or anyhow if that is None."""
        given: dict[str, Any] = {**self._environment, **more}
        done = self.home.run(*words, "--json", **given)
        assert code is None or done.returncode == code, (done.returncode, done.stdout, done.stderr)
        assert "Traceback" not in done.stdout + done.stderr
        return json.loads(done.stdout)

    def begins(self, *words: str) -> subprocess.Popen[str]:
        """A command that is left running."""
        process = subprocess.Popen(
            [sys.executable, "-m", "ui.cli", *words],
            cwd=ROOT,
            env={**self.home.environment, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def client(self, token: str | None = None) -> Client:
        """The platform's API; the platform is started when it does not run."""
        before = {name: os.environ.get(name) for name in self._environment}
        os.environ.update(self._environment)
        try:
            state = ensure_running(self.home.files, lambda line: None)
        finally:
            for name, value in before.items():
                os.environ.pop(name) if value is None else os.environ.update({name: value})
        return Client(state, token=token)

    def calls(self, operation: str, **arguments: Any) -> Json:
        """Call an operation that needs no approval; its result."""
        return self.client().call(operation, arguments)["result"]

    def kills_the_platform(self) -> int:
        """kill -9; answers with the number of the process."""
        state = self.home.files.read()
        assert state is not None
        os.kill(state.pid, signal.SIGKILL)
        until(lambda: not self.home.files.is_running(), "the platform is gone")
        return state.pid

    def hears(self, thread: str) -> list[Json]:
        """The events of the thread's last turn, from its beginning to its end."""
        return list(self.client().stream("GET", f"/api/v1/conversations/{thread}/events"))

    def jobs(self, operation: str) -> list[Json]:
        """The jobs of an operation, newest first."""
        return self.client().get("/api/v1/jobs", operation=operation)

    def receipts(self, thread: str) -> list[Json]:
        """A conversation's receipts, oldest first."""
        return list(reversed(self.client().get("/api/v1/receipts", conversation=thread, limit=100)))

    def leave(self) -> None:
        """End what was begun, the platform too."""
        for process in self._started:
            process.kill()
            process.communicate()
        self.home.stop()


def until(met: Callable[[], bool], what: str, seconds: float = 90.0) -> None:
    """Wait for something that gives no event."""
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, f"not in {seconds} s: {what}"
        time.sleep(0.02)
