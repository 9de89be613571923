"""Starting, finding and stopping the platform process of a home, from a command."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from tools.kernel.errors import Unavailable
from ui.home import HomeFiles, RunState

if TYPE_CHECKING:
    import subprocess

READY_SECONDS = 60.0
STOP_SECONDS = 15.0
Say = Callable[[str], None]


def running(files: HomeFiles) -> RunState | None:
    """The platform of this home, if one runs and takes connections."""
    state = files.read()
    if state is None or not files.is_running():
        return None
    try:
        socket.create_connection(("127.0.0.1", state.port), timeout=5).close()
    except OSError:
        return None
    return state


def ensure_running(files: HomeFiles, say: Say) -> RunState:
    """The running platform; started, and waited for, when there is none.

    Args:
        files: the home.
        say: told, in a line, that the platform is being started.

    Raises:
        Unavailable: if it does not become ready; with the end of its log.
    """
    state = running(files)
    if state is not None:
        return state
    files.prepare()
    say(f"Starting the platform on {files.home} …")
    process = None if files.is_running() else start(files)
    return wait_ready(files, process)


def start(files: HomeFiles) -> subprocess.Popen[bytes]:
    """Start the platform in a session of its own, so that it outlives the terminal."""
    import subprocess

    environment = {**os.environ, "PILOTHOUSE_HOME": str(files.home)}
    environment.pop("PILOTHOUSE_TOKEN", None)
    with files.errors.open("ab") as errors:
        errors.truncate(0)
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "ui.platform"],
            stdin=subprocess.DEVNULL,
            stdout=errors,
            stderr=errors,
            cwd=files.home,
            env=environment,
            start_new_session=True,
        )


def wait_ready(
    files: HomeFiles, process: subprocess.Popen[bytes] | None, timeout: float = READY_SECONDS
) -> RunState:
    """Wait until the home's platform takes requests.

    Args:
        files: the home.
        process: the one just started; None if another command started it.
        timeout: seconds to wait.

    Raises:
        Unavailable: if it ended, or took too long.
    """
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        state = running(files)
        if state is not None:
            return state
        ended = process is None or process.poll() is not None
        if ended and not files.is_running():
            time.sleep(0.2)  # the one that runs may be between taking the lock and its first word
            if not files.is_running():
                raise Unavailable("The platform did not start.", hint=files.tail())
        time.sleep(0.05)
    raise Unavailable(
        f"The platform was not ready within {timeout:.0f} s.",
        hint=f"`pilothouse logs` shows what it does.\n{files.tail()}",
    )


def stop(files: HomeFiles, ask: Callable[[], object], timeout: float = STOP_SECONDS) -> bool:
    """Stop the home's platform; False if none ran.

    Args:
        files: the home.
        ask: asks it to stop; may fail.
        timeout: seconds until it is killed.
    """
    state = files.read()
    if not files.is_running() or state is None:
        return False
    try:
        ask()
    except Exception:  # it may hang, or end before it answers
        _signal(state.pid, signal.SIGTERM)
    deadline = time.monotonic() + timeout
    while files.is_running() or _lives(state.pid):
        if time.monotonic() > deadline:
            _signal(state.pid, signal.SIGKILL)
            deadline += 5.0
        time.sleep(0.05)
    return True


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except OSError:
        return False
    try:  # one that ended but was not waited for by its parent is no longer alive
        return not re.search(r"\) [ZX] ", Path(f"/proc/{pid}/stat").read_text())
    except OSError:
        return not Path("/proc/self").exists()


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except OSError:
        return
