"""What the gateway costs: a call over REST beside the gate alone, a start, idle connections.

    python -m benchmarks.gateway [--calls 300] [--starts 3] [--idle 1000] [--talks 200]
                                 [--seconds 45] [--think 3 6] [--json]

Starts `pilothouse serve` on homes of its own under the temporary folder, on free ports.

`rest_overhead_ms` is the median of a reading operation over REST on one kept connection, less that
of the same operation through a gate in this process on a home of the same kind. The two are called
in turns, so that what else runs on the machine slows both; `rest_cpu_ms` is the server's processor
time a call, which other programs do not stretch. `cold_start_s` runs from the command to the end of
the answer to a first sentence, on a home that was used before; `first_start_s` the same on a new
home, which is made on the way. `idle_1000_mb` is what the server's memory grew by for so many
WebSocket conversations in which nothing is said, and `idle_cpu_percent` its processor's share
meanwhile. `p95_s` is how long a sentence waits for the end of its turn while `--talks`
conversations, each over a WebSocket of its own, ask something to read, think for a random time, and
ask again, and a training computes; `errors` counts what was not answered. Their load comes from k6
(`conversations.js`) on the same machine. All settings are the defaults.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from benchmarks.conversations import hold, processor
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings
from ui.client import Client
from ui.home import HomeFiles
from ui.launch import wait_ready

OPERATION = "platform.whoami"
SENTENCE = "which datasets are there?"
WARM_UP = 30
WATCH_SECONDS = 10.0
START_SECONDS = 180.0


class Server:
    """A gateway as its own process.

    Args:
        home: its home.
    """

    def __init__(self, home: Path) -> None:
        self.files = HomeFiles(home)
        self.files.prepare()
        environment = {**os.environ, "PILOTHOUSE_HOME": str(home), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "ui.cli", "serve", "--port", str(_free_port())],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        state = wait_ready(self.files, self._process, START_SECONDS)
        self.port, self.token = state.port, state.token
        self.client = Client(state)
        self.process = psutil.Process(self._process.pid)

    def stop(self) -> None:
        """Stop it, and wait until it has."""
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)


@contextmanager
def serving(home: Path) -> Iterator[Server]:
    """A gateway on a home until the block ends."""
    server = Server(home)
    try:
        yield server
    finally:
        server.stop()


def start(home: Path) -> float:
    """Seconds from the command to the end of a first answer."""
    began = time.perf_counter()
    with serving(home) as server:
        last = list(server.client.ask(SENTENCE))[-1]
        taken = time.perf_counter() - began
    if last.get("status") != "done":
        raise RuntimeError(f"the first sentence was not answered: {last}")
    return taken


def rest(server: Server, home: Path, calls: int) -> dict[str, float]:
    """The operation over REST and through a gate of this process, in turns."""
    kernel = Kernel(Settings(home=home))
    owner = RequestContext(kernel.principals.local())
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    headers = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"}

    def over_rest() -> None:
        connection.request("POST", f"/api/v1/operations/{OPERATION}", b"{}", headers)
        answer = connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(body.decode())

    def alone() -> None:
        kernel.gate.call(OPERATION, {}, owner)

    taken: dict[Any, list[float]] = {over_rest: [], alone: []}
    for act in taken:
        for _ in range(WARM_UP):
            act()
    worked = processor(server.process)
    for _ in range(calls):
        for act, times in taken.items():
            began = time.perf_counter()
            act()
            times.append((time.perf_counter() - began) * 1000)
    used = (processor(server.process) - worked) * 1000 / calls
    kernel.stop()
    medians = {act: statistics.median(times) for act, times in taken.items()}
    return {
        "rest_p50_ms": round(medians[over_rest], 2),
        "gate_p50_ms": round(medians[alone], 2),
        "rest_overhead_ms": round(medians[over_rest] - medians[alone], 2),
        "rest_cpu_ms": round(used, 2),
    }


async def idle(server: Server, count: int) -> dict[str, float]:
    """What idle conversations hold in the server."""
    from websockets.asyncio.client import connect

    before = server.process.memory_info().rss
    headers = {"Authorization": f"Bearer {server.token}"}
    address = f"ws://127.0.0.1:{server.port}/api/v1/ws"
    opened = []
    for _ in range(count):
        talk = await connect(address, additional_headers=headers, compression=None)
        await talk.recv()
        opened.append(talk)
    worked = processor(server.process)
    await asyncio.sleep(WATCH_SECONDS)
    share = (processor(server.process) - worked) / WATCH_SECONDS * 100
    grown = server.process.memory_info().rss - before
    await asyncio.gather(*(talk.close() for talk in opened))
    return {f"idle_{count}_mb": round(grown / 1e6, 1), "idle_cpu_percent": round(share, 2)}


def measure(given: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """All figures."""
    home = folder / "home"
    found: dict[str, Any] = {"first_start_s": round(start(home), 2)}
    if given.starts:
        taken = [start(home) for _ in range(given.starts)]
        found["cold_start_s"] = round(statistics.median(taken), 2)
    with serving(home) as server:
        list(server.client.ask(SENTENCE))
        found |= rest(server, folder / "beside", given.calls)
        if given.idle:
            found |= asyncio.run(idle(server, given.idle))
        if given.talks:
            found |= hold(
                server.client, server.process, given.talks, given.seconds, tuple(given.think)
            )
    return found


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--calls", type=int, default=300, help="timed calls of each kind")
    parser.add_argument("--starts", type=int, default=3, help="timed starts on the used home")
    parser.add_argument("--idle", type=int, default=1000, help="idle conversations")
    parser.add_argument("--talks", type=int, default=200, help="conversations at once")
    parser.add_argument("--seconds", type=float, default=45.0, help="how long each of them asks")
    parser.add_argument(
        "--think",
        type=float,
        nargs=2,
        default=(3.0, 6.0),
        metavar=("LEAST", "MOST"),
        help="seconds between an answer and the next sentence",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    given = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory(prefix="gateway-") as folder:
        found = measure(given, Path(folder))
    if given.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:18} {value}")


if __name__ == "__main__":
    main()
