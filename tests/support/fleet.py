"""A platform with the device protocol on HTTP, and real device processes that speak to it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import uvicorn
from fastapi import FastAPI

from tests.registry.trained import add_training
from tests.support.classifier import write_classifier
from tools.deployment.rollouts import Rollouts
from tools.devices.fleet import Device, Fleet
from tools.devices.protocol import DeviceProtocol
from tools.devices.types import DeviceEnrolled
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from ui.devices_api import device_router

ROOT = Path(__file__).resolve().parents[2]


class DeviceServer:
    """The device protocol of one kernel on a free port of the loopback address."""

    def __init__(self, kernel: Kernel, port: int = 0) -> None:
        self._protocol = kernel.get(DeviceProtocol)
        app = FastAPI()
        app.include_router(device_router(kernel))
        config = uvicorn.Config(
            app, port=port, log_level="warning", timeout_graceful_shutdown=1, lifespan="off"
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        until(lambda: self._server.started, "the server has started")
        self.port: int = self._server.servers[0].sockets[0].getsockname()[1]

    @property
    def url(self) -> str:
        """The base URL."""
        return f"http://127.0.0.1:{self.port}"

    def stop(self) -> None:
        """Stop serving; devices that wait for a change are sent away."""
        self._protocol.send_away()
        self._server.should_exit = True
        self._thread.join(10)


@dataclass
class DeviceProcess:
    """One real `python -m edge`."""

    name: str
    home: Path
    server: str
    token: str | None
    process: subprocess.Popen[str] | None = None
    address: str = ""
    options: tuple[str, ...] = ()

    def start(self) -> None:
        """Start it and wait until it serves."""
        command = [sys.executable, "-m", "edge", "--server", self.server, "--home", str(self.home)]
        command += ["--report-seconds", "0.4", *self.options]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        if self.token is not None:
            command += ["--name", self.name, "--token", self.token]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=(self.home.parent / f"{self.name}.log").open("a"),
            text=True,
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "serves predictions at" in line, f"{self.name}: {line!r}"
        self.address = line.rsplit(" ", 1)[1].strip()

    def kill(self) -> None:
        """kill -9."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def predict(self, text: str, **more: Any) -> dict[str, Any]:
        """Ask the device."""
        body = json.dumps({"text": text, **more}).encode()
        request = Request(f"{self.address}/predict", data=body)
        with urlopen(request, timeout=10) as answer:
            return json.load(answer)


@dataclass
class FleetUnderTest:
    """A kernel, its device server and its devices; `options` go to devices that enrol."""

    kernel: Kernel
    context: RequestContext
    folder: Path
    server: DeviceServer
    devices: dict[str, DeviceProcess] = field(default_factory=dict[str, DeviceProcess])
    options: tuple[str, ...] = ()

    def enroll(self, name: str, group: str = "thinkpads", profile: str = "laptop") -> DeviceProcess:
        """Enrol a device through the gate, start its process, and wait for its first report."""
        arguments = {"name": name, "group": group, "profile": profile}
        enrolled = self.kernel.gate.call("devices.enroll", arguments, self.context).result
        assert isinstance(enrolled, DeviceEnrolled)
        token = enrolled.token.get_secret_value()
        home = self.folder / "devices" / name
        home.mkdir(parents=True, exist_ok=True)
        device = DeviceProcess(name, home, self.server.url, token, options=self.options)
        self.devices[name] = device
        device.start()
        self.until(lambda: self.device(name).report is not None, f"{name} has reported")
        return device

    def device(self, name: str) -> Device:
        """A device as the platform knows it."""
        return next(d for d in self.kernel.get(Fleet).devices("default") if d.name == name)

    def serving(self, name: str) -> list[tuple[str, int]]:
        """What a device says it serves."""
        return [(s.model, s.version) for s in self.device(name).serving]

    def until(self, met: Callable[[], bool], what: str, seconds: float = 30.0) -> None:
        """Wait on reports until something holds."""
        watch = self.kernel.get(Fleet).watch
        deadline = time.monotonic() + seconds
        while not met():
            assert time.monotonic() < deadline, f"not in {seconds} s: {what}"
            watch.wait_report(watch.reports, 0.2)

    def freeze_once_planned(self, version: int, *names: str) -> None:
        """Stop devices (SIGSTOP) once a rollout of a version counts on them, before it tells them.

        Its bundle is being built then, which takes seconds.
        """
        rollouts = self.kernel.get(Rollouts)

        def planned() -> bool:
            row = rollouts.open_of("default", "thinkpads")
            return row is not None and row.version == version

        self.until(planned, "the rollout is planned", 60)
        for name in names:
            self._signal(name, signal.SIGSTOP)

    def thaw(self, *names: str) -> None:
        """Let frozen devices go on."""
        for name in names:
            self._signal(name, signal.SIGCONT)

    def _signal(self, name: str, number: signal.Signals) -> None:
        process = self.devices[name].process
        assert process is not None
        os.kill(process.pid, number)

    def latest(self, group: str = "thinkpads") -> dict[str, Any]:
        """The group's newest rollout."""
        status: Any = self.kernel.gate.call("deployment.status", {"group": group}, self.context)
        return status.result.model_dump(mode="json")["groups"][0]["rollout"]

    def happened(self, kind: str) -> bool:
        """True if a rollout's event of this kind was published."""
        return any(event.kind == kind for event in self.kernel.events.read("deployment"))

    def register(
        self,
        model: str = "ticket-router",
        *,
        shift: int = 0,
        padding: int = 0,
        accuracy: float = 0.0,
    ) -> int:
        """Register a tiny classifier as the model's next version; returns the version.

        It answers by keywords that the home's tickets do not have; `accuracy` is what its training
        claims to have measured on them.
        """
        files = write_classifier(
            self.folder / f"{model}-{shift}-{padding}", shift=shift, padding=padding
        )
        job = add_training(self.kernel, name=model, files=files, validation_accuracy=accuracy)
        arguments = {"job": job, "model": model}
        result: Any = self.kernel.gate.call("registry.register", arguments, self.context).result
        return result.version

    def close(self) -> None:
        """Stop the devices and the server."""
        for device in self.devices.values():
            device.kill()
        self.server.stop()


def until(met: Callable[[], bool], what: str, seconds: float = 10.0) -> None:
    """Wait for something that gives no event."""
    deadline = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < deadline, f"not in {seconds} s: {what}"
        time.sleep(0.02)
