"""The platform and real devices as processes that a benchmark starts, speaks to and kills."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import Request, urlopen

ROOT = Path(__file__).resolve().parents[1]
Json = dict[str, Any]


class Gone(Exception):
    """The platform's process was killed before it answered."""


@dataclass
class Platform:
    """`python -m benchmarks.platform`, on one port over all its starts."""

    home: Path
    silent: float
    watched: float
    port: int = 0
    process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start it and wait until it serves."""
        self.port = self.port or free_port()
        command = [sys.executable, "-m", "benchmarks.platform", str(self.home), str(self.port)]
        self.process = subprocess.Popen(
            [*command, str(self.silent), str(self.watched)],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(self.home.parent / "platform.log").open("a"),
            text=True,
        )
        self._line()

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def call(self, operation: str, arguments: Json, key: str) -> Json:
        """Make a call; the same key never makes it twice.

        Raises:
            Gone: the process ended before it answered.
        """
        assert self.process is not None and self.process.stdin is not None
        line = json.dumps({"key": key, "operation": operation, "arguments": arguments})
        try:
            self.process.stdin.write(line + "\n")
            self.process.stdin.flush()
        except OSError as error:
            raise Gone from error
        return self._line()

    def _line(self) -> Json:
        assert self.process is not None and self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise Gone
        return json.loads(line)

    def cpu_seconds(self) -> float:
        """The processor time that it has used."""
        assert self.process is not None
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self) -> float:
        """Its resident memory."""
        assert self.process is not None
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20)


@dataclass
class EdgeDevice:
    """One real `python -m edge`.

    Attributes:
        skew: seconds by which its clock is wrong.
    """

    name: str
    home: Path
    server: str
    token: str | None
    report_seconds: float = 0.4
    skew: float = 0.0
    process: subprocess.Popen[str] | None = None
    address: str = ""
    environment: dict[str, str] = field(default_factory=dict[str, str])

    def start(self) -> None:
        """Start it and wait until it serves."""
        told = ["--server", self.server, "--home", str(self.home)]
        told += ["--report-seconds", str(self.report_seconds)]
        if self.token is not None:
            told += ["--name", self.name, "--token", self.token]
        self.process = subprocess.Popen(
            [sys.executable, "-c", _SKEWED, str(self.skew), *told],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", **self.environment},
            stdout=subprocess.PIPE,
            stderr=(self.home.parent / f"{self.name}.log").open("a"),
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if "serves predictions at" not in line:
            raise RuntimeError(f"{self.name} did not start: {line!r}")
        self.address, self.token = line.rsplit(" ", 1)[1].strip(), None

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    @property
    def alive(self) -> bool:
        """True while its process runs."""
        return self.process is not None and self.process.poll() is None

    def predict(self, text: str = "my password") -> Json | None:
        """Ask it; None if it serves no model or does not answer."""
        request = Request(f"{self.address}/predict", data=json.dumps({"text": text}).encode())
        try:
            with urlopen(request, timeout=10) as reply:
                return json.load(reply)
        except (URLError, OSError):
            return None


_SKEWED = """
import runpy, sys, time
skew, real = float(sys.argv.pop(1)), time.time
time.time = lambda: real() + skew
sys.argv[0] = "edge"
runpy.run_module("edge", run_name="__main__", alter_sys=True)
"""


def free_port() -> int:
    """A port of the loopback address that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until(met: Callable[[], bool], seconds: float) -> bool:
    """Wait until something holds; False if it does not in time."""
    deadline = time.monotonic() + seconds
    while not met():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True
