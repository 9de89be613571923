"""What a device that finds nothing new costs the server, in processor time and memory.

    python -m benchmarks.polling [--devices 10000] [--rounds 2] [--json]

A server process of its own holds the device protocol alone, over HTTP, on a fresh home with so many
enrolled devices; every device polls once to be known, then once a round, and says each time that
its newest report still holds. `poll_cpu_ms` is the server's processor time a poll, which other
programs do not stretch; `core_share` is what 10,000 devices at a five-minute interval need of one
core at that price; `memory_kb` is what the server grew by for each device once all had polled.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import tempfile
import threading
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import psutil

FLEET, INTERVAL = 10_000, 300.0
_CONNECTIONS = 8


def serve(home: str, devices: int, parent: Connection) -> None:
    """Serve until the parent says anything; sends the port first."""
    import uvicorn
    from fastapi import FastAPI

    from tools.kernel.kernel import Kernel
    from tools.kernel.settings import Settings
    from ui.devices_api import device_router

    kernel = Kernel(Settings(home=Path(home)))
    _enrol(kernel, devices)
    app = FastAPI()
    app.include_router(device_router(kernel))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        thread.join(0.05)
    parent.send(server.servers[0].sockets[0].getsockname()[1])
    parent.recv()
    server.should_exit = True
    thread.join()


def _enrol(kernel: Any, devices: int) -> None:
    from tools.devices.credentials import digest
    from tools.devices.tables import DeviceRow, GroupRow, ReportRow
    from tools.kernel.storage import now

    model = {"model": "router", "version": 1, "bundle": "a" * 64, "weight": 100}
    with kernel.database.session() as session:
        session.add(GroupRow(name="laptops"))
        for number in range(devices):
            row = DeviceRow(name=f"d-{number}", group="laptops", profile="laptop")
            row.credential_hash, row.enrolled = digest(f"credential-{number}"), now()
            row.generation, row.serve = 1, [model]
            session.add(row)
        session.flush()
        session.add_all(
            ReportRow(device=number + 1, boot=1, sequence=1, at=now(), body={})
            for number in range(devices)
        )


async def poll(port: int, numbers: range) -> None:
    """Poll once for each of these devices, over a few kept connections."""

    async def some(mine: range) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in mine:
            writer.write(
                b"GET /device/v1/desired?wait=0 HTTP/1.1\r\nHost: localhost\r\n"
                b'If-None-Match: "1"\r\nX-Device-Report: 1.1\r\n'
                b"Authorization: Bearer credential-%d\r\n\r\n" % number
            )
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 304"), head
        writer.close()

    await asyncio.gather(*(some(numbers[n::_CONNECTIONS]) for n in range(_CONNECTIONS)))


def measure(devices: int, rounds: int) -> dict[str, float]:
    """Start a server, poll, and answer with the figures.

    Args:
        devices: how many are enrolled.
        rounds: how often each polls while it is measured.
    """
    context = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as home:
        mine, theirs = context.Pipe()
        child = context.Process(target=serve, args=(home, devices, theirs))
        child.start()
        port = mine.recv()
        process = psutil.Process(child.pid)
        asyncio.run(poll(port, range(100)))
        before = process.memory_info().rss
        asyncio.run(poll(port, range(devices)))
        grown = process.memory_info().rss - before
        began = sum(process.cpu_times()[:2])
        for _ in range(rounds):
            asyncio.run(poll(port, range(devices)))
        spent = sum(process.cpu_times()[:2]) - began
        mine.send("stop")
        child.join()
    each = spent / (devices * rounds)
    return {
        "devices": devices,
        "poll_cpu_ms": round(each * 1000, 4),
        "core_share": round(each * FLEET / INTERVAL, 5),
        "memory_kb": round(grown / 1024 / devices, 2),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--devices", type=int, default=FLEET)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = measure(options.devices, options.rounds)
    if options.json:
        print(json.dumps(found))
        return
    for name, value in found.items():
        print(f"{name:<14} {value}")


if __name__ == "__main__":
    main()
