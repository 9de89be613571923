"""Three real device processes, and real traffic to them for as long as the demo runs."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ui.client import Client

GROUP = "thinkpads"
NAMES = ("thinkpad-1", "thinkpad-2", "thinkpad-3")
START_SECONDS = 30.0
STOP_SECONDS = 8.0
BRISK, CALM = 0.05, 0.5  # seconds between two rounds of tickets


@dataclass
class Device:
    """One device process."""

    name: str
    home: Path
    process: subprocess.Popen[bytes]
    address: str = ""

    def health(self) -> dict[str, Any]:
        """What the device itself says."""
        return request(self.address, "GET", "/health")

    def versions(self) -> set[int]:
        """The versions that it serves, by its own word."""
        return {int(s["version"]) for s in self.health().get("serving") or []}


class Fleet:
    """The devices of the demo.

    Args:
        folder: where their homes and logs go.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.devices: list[Device] = []

    def start(self, client: Client) -> None:
        """Enrol and start every device, and wait until each answers."""
        for name in NAMES:
            arguments = {"name": name, "group": GROUP, "profile": "laptop"}
            answer = client.call("devices.enroll", arguments)
            token = answer["revealed"]["token"]
            self.devices.append(self._launch(name, token, client.state.url))
        for device in self.devices:
            device.address = _address(device)

    def _launch(self, name: str, token: str, url: str) -> Device:
        home = self._folder / name
        home.mkdir(parents=True)
        command = [sys.executable, "-m", "edge", "--server", url, "--name", name]
        with (home / "device.log").open("wb") as log:
            process = subprocess.Popen(
                [*command, "--home", str(home), "--report-seconds", "1"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "PILOTHOUSE_DEVICE_TOKEN": token},
                start_new_session=True,
            )
        return Device(name, home, process)

    def versions(self) -> dict[str, set[int]]:
        """Which versions each device serves, asked from the devices."""
        return {device.name: device.versions() for device in self.devices}

    def stop(self) -> None:
        """End every device process."""
        for device in self.devices:
            device.process.terminate()
        for device in self.devices:
            try:
                device.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                device.process.kill()
                device.process.wait()


class Traffic(threading.Thread):
    """Sends tickets to every device all the time, and counts who answered what.

    Args:
        fleet: the devices.
        tickets: `(text, label)` pairs.

    Attributes:
        pause: seconds between two rounds, each of one ticket to every device.
        failures: the tickets that a device did not answer.
    """

    def __init__(self, fleet: Fleet, tickets: list[tuple[str, str]]) -> None:
        super().__init__(name="traffic", daemon=True)
        self._fleet = fleet
        self._tickets = itertools.cycle(tickets)
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._answers: Counter[tuple[str, int]] = Counter()
        self._right: Counter[int] = Counter()
        self.pause = CALM
        self.failures: list[str] = []

    def run(self) -> None:
        """Send until stopped."""
        while not self._ended.wait(self.pause):
            for device in self._fleet.devices:
                text, label = next(self._tickets)
                self._send(device, text, label)

    def _send(self, device: Device, text: str, label: str) -> None:
        try:
            answer = request(device.address, "POST", "/predict", {"text": text})
            version = int(answer["version"])
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            if not self._ended.is_set():
                self.failures.append(f"{device.name}: {type(error).__name__} {error}")
            return
        with self._lock:
            self._answers[device.name, version] += 1
            self._right[version] += answer["label"] == label

    def stop(self) -> None:
        """Send no more."""
        self._ended.set()
        if self.is_alive():
            self.join(5)

    def total(self) -> int:
        """Tickets answered so far."""
        with self._lock:
            return sum(self._answers.values())

    def since(self, before: Counter[tuple[str, int]]) -> Counter[tuple[str, int]]:
        """What was answered since a snapshot."""
        return self.snapshot() - before

    def snapshot(self) -> Counter[tuple[str, int]]:
        """Answers by device and version so far."""
        with self._lock:
            return Counter(self._answers)

    def accuracy(self) -> dict[int, float]:
        """Share of tickets that each version sorted rightly."""
        with self._lock:
            totals: Counter[int] = Counter()
            for (_, version), count in self._answers.items():
                totals[version] += count
            return {version: self._right[version] / n for version, n in sorted(totals.items())}


def request(address: str, method: str, path: str, body: Any = None) -> dict[str, Any]:
    """One request to a device.

    Raises:
        ValueError: if it answers with an error.
    """
    where = urlsplit(address)
    connection = http.client.HTTPConnection(str(where.hostname), where.port, timeout=10)
    try:
        data = None if body is None else json.dumps(body).encode()
        connection.request(method, path, data, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = json.loads(response.read())
    finally:
        connection.close()
    if response.status >= 400 and path != "/health":
        raise ValueError(f"HTTP {response.status} {answer.get('error')}")
    return answer


def tickets() -> list[tuple[str, str]]:
    """The bundled tickets that no model was trained on."""
    path = Path(__file__).parents[2] / "tools/datasets/bundled/tickets/test.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line]
    return [(row["text"], row["label"]) for row in rows]


def _address(device: Device) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        with suppress(OSError, ValueError, KeyError):
            address = json.loads((device.home / "address.json").read_text())["address"]
            request(address, "GET", "/health")
            return address
        if device.process.poll() is not None:
            break
        time.sleep(0.1)
    told = (device.home / "device.log").read_text()[-500:]
    raise RuntimeError(f"{device.name} did not start: {told}")
