"""Many simulated devices that speak the real protocol over HTTP from one event loop.

Each has a connection of its own that it keeps, as a device behind a proxy would.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.simulated import SimulatedDevice

LONG_POLL_SECONDS = 60
_AT_ONCE = 200


@dataclass
class FleetClient:
    """Devices that poll one platform.

    Attributes:
        port: where the platform listens on the loopback address.
        devices: the devices.
        arrived: by device, when it had reported its newest state.
        polls: how many were answered.
    """

    port: int
    devices: Sequence[SimulatedDevice]
    arrived: dict[str, float] = field(default_factory=dict[str, float])
    polls: int = 0

    async def report_once(self) -> None:
        """Every device reports, a few hundred at a time."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def one(device: SimulatedDevice) -> None:
            async with gate, _Connection(self.port, device) as wire:
                await wire.report()

        await asyncio.gather(*(one(device) for device in self.devices))

    async def poll_every(self, interval: float, seconds: float) -> None:
        """Every device asks once an interval, each at a moment of its own, for so many seconds."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds

        async def one(number: int, device: SimulatedDevice) -> None:
            await asyncio.sleep(interval * number / len(self.devices))
            while loop.time() < end:
                async with _Connection(self.port, device) as wire:
                    await wire.desired(0)
                self.polls += 1
                await asyncio.sleep(interval)

        tasks = [loop.create_task(one(n, d)) for n, d in enumerate(self.devices)]
        await asyncio.sleep(seconds)
        await _stopped(tasks)

    async def follow(self, stop: asyncio.Event, report_seconds: float) -> None:
        """Every device holds a long poll, does what it is told, and reports, until `stop`.

        One that answers requests reports after each poll; one that answers none says with the poll
        that its newest report holds, as real ones do, and reports what has changed.
        """
        loop = asyncio.get_running_loop()
        tasks = [loop.create_task(self._follow(d, report_seconds)) for d in self.devices]
        await stop.wait()
        await _stopped(tasks)

    async def _follow(self, device: SimulatedDevice, report_seconds: float) -> None:
        while True:
            try:
                async with _Connection(self.port, device) as wire:
                    while True:
                        changed = await wire.desired(min(LONG_POLL_SECONDS, report_seconds))
                        self.polls += 1
                        if changed or device.requests or wire.report_wanted:
                            await wire.report()
                        if changed:
                            self.arrived[device.name] = time.monotonic()
            except (OSError, asyncio.IncompleteReadError):
                await asyncio.sleep(0.2)


class _Connection:
    """One device's connection.

    Attributes:
        report_wanted: whether the platform asked for a report with its latest answer.
    """

    def __init__(self, port: int, device: SimulatedDevice) -> None:
        self._port = port
        self._device = device
        self.report_wanted = False

    async def __aenter__(self) -> _Connection:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def desired(self, wait: float) -> bool:
        """Ask for the desired state; True if it was another one."""
        more = f"If-None-Match: {self._device.etag}\r\n" if self._device.etag else ""
        more += f"X-Device-Report: {self._device.boot}.{self._device.sequence}\r\n"
        status, headers, body = await self._ask("GET", f"desired?wait={wait:g}", more, b"")
        self.report_wanted = "x-report-wanted" in headers
        if status == 304:
            return False
        if status != 200:
            raise OSError(f"the platform answered {status}")
        return self._device.apply(json.loads(body), headers["etag"])

    async def report(self) -> None:
        """Send a signed report."""
        body = self._device.report()
        more = f"X-Device-Signature: {self._device.sign(body)}\r\n"
        status, _, answer = await self._ask("POST", "reports", more, body)
        if status != 200:
            raise OSError(f"the platform answered {status}: {answer[:200]!r}")

    async def _ask(
        self, method: str, path: str, more: str, body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        self._writer.write(
            f"{method} /device/v1/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            f"Authorization: Bearer {self._device.credential}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode()
            + body
        )
        head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:])}
        length = int(headers.get("content-length", 0))
        return int(head[0].split()[1]), headers, await self._reader.readexactly(length)


async def _stopped(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
