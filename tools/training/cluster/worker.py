"""What runs on a host of the cluster: one computing process, its events, and its checkpoints.

The driver holds it as a Ray actor and asks it again and again; it keeps its files in a scratch
folder of the host, which is removed with it.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import socket
import subprocess
import tempfile
import threading
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from tools.kernel.child import event_of, quiet_environment, start_child
from tools.training.cluster.parcels import packed, unpacked

_LISTEN_SECONDS = 0.25
_LOG_BYTES = 65536
_SCRATCH = "pilothouse-worker"


@dataclass(frozen=True, slots=True)
class Order:
    """One computing process, complete.

    Attributes:
        module: what it runs.
        spec: what it is told; its places are replaced by those of the host.
        threads: compute threads.
        checkpoint: what it goes on from; None if it begins.
    """

    module: str
    spec: dict[str, Any]
    threads: int
    checkpoint: bytes | None


@dataclass(frozen=True, slots=True)
class News:
    """What happened since the last look.

    Attributes:
        events: what the process printed.
        checkpoint: its newest checkpoint, if it was not fetched yet.
        code: how the process ended, negative if a signal ended it; None while it runs.
        log: the end of its standard error, once it has ended.
    """

    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    checkpoint: bytes | None = None
    code: int | None = None
    log: bytes = b""


class Worker:
    """Runs one computing process; its methods are called one after another."""

    def __init__(self) -> None:
        _sweep()
        self._root = Path(tempfile.mkdtemp(prefix=f"{_SCRATCH}-{os.getpid()}-"))
        self._signals = self._root / "signals"
        self._work = self._root / "work"
        self._checkpoint = self._root / "checkpoint.pt"
        self._events: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        self._seen = 0
        self._process: subprocess.Popen[bytes] | None = None

    def meeting(self) -> str:
        """A free `host:port` of this host, where others can meet its process."""
        import ray

        with socket.socket() as free:
            free.bind(("", 0))
            return f"{ray.util.get_node_ip_address()}:{free.getsockname()[1]}"

    def begin(self, order: Order, base: bytes, data: bytes) -> None:
        """Unpack what it needs and start the process.

        Args:
            order: what to run.
            base: the base model's folder, as a parcel.
            data: the data's folder, as a parcel.
        """
        for parcel, name in ((base, "base"), (data, "data")):
            unpacked(parcel, self._root / name)
        self._signals.mkdir()
        self._work.mkdir()
        if order.checkpoint is not None:
            self._checkpoint.write_bytes(order.checkpoint)
            self._seen = self._checkpoint.stat().st_mtime_ns
        told = self._root / "spec.json"
        told.write_text(json.dumps(order.spec | self._places(order.spec)))
        environment = {**os.environ, **quiet_environment(order.threads)}
        self._process = start_child(order.module, told, self._root / "child.log", environment)
        threading.Thread(target=self._read, args=(self._process,), daemon=True).start()

    def _places(self, spec: dict[str, Any]) -> dict[str, str]:
        places = {
            "base_folder": self._root / "base",
            "data": self._root / "data",
            "output": self._work / Path(spec["output"]).name,
            "checkpoint": self._checkpoint,
            "pause": self._signals / "pause",
            **({"answers": self._signals} if "answers" in spec else {}),
        }
        return {name: str(path) for name, path in places.items()}

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        for line in process.stdout or ():
            if (event := event_of(line)) is not None:
                self._events.put(event)
        process.wait()
        self._events.put(None)

    def look(self, signals: dict[str, str]) -> News:
        """What happened since the last look; waits a moment for something.

        Args:
            signals: files that the process looks for, by name.
        """
        for name, text in signals.items():
            (self._signals / name).write_text(text)
        events, ended = self._waiting()
        checkpoint = self._fresh_checkpoint()
        if not ended or self._process is None:
            return News(events, checkpoint)
        log = (self._root / "child.log").read_bytes()[-_LOG_BYTES:]
        return News(events, checkpoint, self._process.returncode, log)

    def _waiting(self) -> tuple[list[dict[str, Any]], bool]:
        events: list[dict[str, Any]] = []
        with suppress(queue.Empty):
            event = self._events.get(timeout=_LISTEN_SECONDS)
            while event is not None:
                events.append(event)
                event = self._events.get_nowait()
            return events, True
        return events, False

    def _fresh_checkpoint(self) -> bytes | None:
        try:
            with self._checkpoint.open("rb") as file:
                written = os.fstat(file.fileno()).st_mtime_ns
                if written == self._seen:
                    return None
                self._seen = written
                return file.read()
        except FileNotFoundError:
            return None

    def results(self) -> bytes:
        """What the process made, as a parcel."""
        return packed(self._work)

    def close(self) -> None:
        """Stop the process and remove what it left on the host."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._root, ignore_errors=True)


def _sweep() -> None:
    """Remove what workers left behind that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_SCRATCH}-*-*"):
        owner = folder.name.split("-")[2]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)
