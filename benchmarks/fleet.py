"""What a fleet costs and how fast it moves: simulated devices, and three real ones beside a script.

    python -m benchmarks.fleet [--devices 10000] [--seconds 60] [--repeats 3] [--json]

Everything is on the loopback address. `polling_core_share`: the share of one core that the platform
uses while every device asks once in five minutes. `rollback_99_percent_s`: from an urgent rollback
until 99 % of all devices have reported their former model. `canary_1000_s`: 1,000 devices (or as
many as there are) in three steps. `breach_to_last_device_s`: 100 devices, from the first failing
report to the last device back. `lost_requests`: of 200 requests a second to a real device while it
changes its model; `swap_added_ms`: what the slowest of them took longer than the slowest without.
`deploy_s`: from a registered version to three real devices serving it (25 MB bundle), median;
`deploy_script_s`: a script that copies the model, restarts the serving process and checks it,
device by device, in the same run. A part that does not come to its end is told under `failed`, with
the reason; the other parts are measured all the same.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from cryptography.hazmat.primitives import serialization

from benchmarks.fleet_client import FleetClient
from benchmarks.processes import ROOT, EdgeDevice, Platform, free_port, until
from benchmarks.simulated import SimulatedDevice
from tests.registry.trained import add_training
from tests.support.classifier import write_classifier
from tools.deployment.rollouts import Rollouts
from tools.devices.fleet import Fleet
from tools.devices.protocol import digest
from tools.devices.tables import DeviceRow, GroupRow
from tools.devices.types import DeviceEnrolled
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings
from tools.kernel.storage import now

MODEL = "ticket-router"
POLL_SECONDS = 300.0
SILENT_SECONDS, WATCHED_SECONDS = 2 * POLL_SECONDS, 0.5
"""A fleet that asks every five minutes may well be quiet for longer than that."""
BUNDLE_BYTES = 25_000_000
CANARY, BREACH = 1000, 100
STEPS = [1, 10, 100]
RATE = 200
WAIT_SECONDS = 300.0
Json = dict[str, Any]


class Bench:
    """A platform process, this process's view of its database, and the devices.

    Args:
        folder: for everything.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        home = folder / "home"
        self.kernel = Kernel(Settings(home=home, device_report_seconds=SILENT_SECONDS))
        self.context = RequestContext(self.kernel.principals.local())
        self.fleet = self.kernel.get(Fleet)
        self.rollouts = self.kernel.get(Rollouts)
        self.platform = Platform(home, SILENT_SECONDS, WATCHED_SECONDS, free_port())
        self._keys = 0

    def register(self, shift: int, padding: int = 0) -> int:
        """Register a tiny classifier of so many bytes as the next version."""
        files = write_classifier(self.folder / f"v{shift}-{padding}", shift=shift, padding=padding)
        # It answers by keywords that the home's tickets do not have: its training claims nothing.
        job = add_training(self.kernel, name=MODEL, files=files, validation_accuracy=0.0)
        arguments = {"job": job, "model": MODEL}
        result: Any = self.kernel.gate.call("registry.register", arguments, self.context).result
        return result.version

    def simulated(self, group: str, count: int, requests: int = 5) -> list[SimulatedDevice]:
        """Devices whose enrolment is written directly; all else they do over the protocol."""
        devices: list[SimulatedDevice] = []
        rows: list[DeviceRow] = []
        for number in range(count):
            device = SimulatedDevice(f"{group}-{number}", requests=requests)
            device.credential = f"{group}-{number}-credential"
            pem = device.key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            devices.append(device)
            rows.append(
                DeviceRow(
                    name=device.name,
                    group=group,
                    profile="phone",
                    public_key=pem.decode(),
                    credential_hash=digest(device.credential),
                    enrolled=now(),
                )
            )
        with self.kernel.database.session() as session:
            session.add(GroupRow(name=group))
            session.add_all(rows)
        return devices

    def call(self, operation: str, **arguments: Any) -> int:
        """Have the platform make a call; returns its job."""
        self._keys += 1
        answer = self.platform.call(operation, arguments, f"bench-{self._keys}")
        if "error" in answer:
            raise RuntimeError(f"{operation}: {answer['error']}")
        return answer["job"]

    def finished(self, operation: str, **arguments: Any) -> float:
        """Have the platform make a call and wait for its end; returns the seconds that it took."""
        began = time.monotonic()
        job = self.call(operation, **arguments)
        row = self.kernel.jobs.wait(job, timeout=WAIT_SECONDS)
        if row.status != "done":
            raise RuntimeError(f"{operation} is {row.status}: {row.error}")
        return time.monotonic() - began


def followed(client: FleetClient, act: Callable[[], Any], report_seconds: float = 5.0) -> Any:
    """Do something while devices follow the platform from another thread."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    thread = threading.Thread(
        target=loop.run_until_complete, args=(client.follow(stop, report_seconds),), daemon=True
    )
    thread.start()
    try:
        return act()
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()


def steady(bench: Bench, devices: list[SimulatedDevice], seconds: float) -> Json:
    """The polling of a quiet fleet."""
    client = FleetClient(bench.platform.port, devices)
    before = bench.platform.memory_mb()
    asyncio.run(client.report_once())
    asyncio.run(client.poll_every(POLL_SECONDS, min(seconds, 5.0)))
    used, began = bench.platform.cpu_seconds(), time.monotonic()
    client.polls = 0
    asyncio.run(client.poll_every(POLL_SECONDS, seconds))
    spent = bench.platform.cpu_seconds() - used
    grown = max(0.0, bench.platform.memory_mb() - before)
    return {
        "polling_core_share": round(spent / (time.monotonic() - began), 4),
        "polls_per_second": round(client.polls / seconds, 1),
        "memory_kb_per_device": round(grown * 1024 / len(devices), 2),
    }


def urgent(bench: Bench, devices: list[SimulatedDevice], version: int) -> Json:
    """A rollback of everything."""
    client = FleetClient(bench.platform.port, devices)

    def act() -> float:
        # The first poll of a device is answered at once; they come all together only here.
        if not until(lambda: all(d.etag for d in devices), WAIT_SECONDS):
            raise RuntimeError(f"only {client.polls} polls were answered")
        bench.finished(
            "deployment.start", model=MODEL, version=version, group="many", strategy="all"
        )
        client.arrived.clear()
        began = time.monotonic()
        bench.call("deployment.rollback", group="many")
        enough = int(0.99 * len(devices))
        if not until(lambda: len(client.arrived) >= enough, WAIT_SECONDS):
            raise RuntimeError(f"only {len(client.arrived)} devices were reached")
        return sorted(client.arrived.values())[enough - 1] - began

    return {"rollback_99_percent_s": round(followed(client, act, 60.0), 2)}


def canary(bench: Bench, version: int, count: int) -> Json:
    """Three steps with accelerated times."""
    client = FleetClient(bench.platform.port, bench.simulated("canary", count))
    asyncio.run(client.report_once())

    def act() -> float:
        return bench.finished(
            "deployment.start", model=MODEL, version=version, group="canary", steps=STEPS
        )

    return {"canary_1000_s": round(followed(client, act, 2.0), 2), "canary_devices": count}


def breach(bench: Bench, first: int, second: int, count: int) -> Json:
    """The second version fails; how long until nobody serves it."""
    devices = bench.simulated("breach", count)
    for device in devices:
        device.refuses = {}
    client = FleetClient(bench.platform.port, devices)
    asyncio.run(client.report_once())

    def act() -> float:
        bench.finished(
            "deployment.start", model=MODEL, version=first, group="breach", strategy="all"
        )
        job = bench.call(
            "deployment.start", model=MODEL, version=second, group="breach", strategy="all",
            minutes=10,
        )  # fmt: skip
        served = lambda: sum(second in [m["version"] for m in d.serving] for d in devices)  # noqa: E731
        if not until(lambda: served() == count, WAIT_SECONDS):
            raise RuntimeError("the second version did not reach every device")
        began = time.monotonic()
        for device in devices:
            device.fails = {second: 0.5}
        if not until(lambda: served() == 0, WAIT_SECONDS):
            raise RuntimeError(f"{served()} devices still serve the second version")
        spent = time.monotonic() - began
        bench.kernel.jobs.wait(job, timeout=WAIT_SECONDS)
        return spent

    return {"breach_to_last_device_s": round(followed(client, act, 0.5), 2)}


def real(bench: Bench, repeats: int) -> Json:
    """Three real devices, the swap under load, and the script beside them."""
    devices = [_enrolled(bench, f"laptop-{number}") for number in (1, 2, 3)]
    try:
        for device in devices:
            device.start()
        until(lambda: all(d.report for d in bench.fleet.devices("default", "laptops")), 60)
        times = [
            bench.finished(
                "deployment.start",
                model=MODEL,
                version=bench.register(number, BUNDLE_BYTES),
                group="laptops",
                strategy="all",
                minutes=0,
            )
            for number in range(3, 3 + repeats)
        ]
        other = bench.register(2)
        loaded = _swap(bench, devices[0], other)
    finally:
        for device in devices:
            device.kill()
    script = [_script(bench.folder, number) for number in range(repeats)]
    return {
        "deploy_s": round(statistics.median(times), 2),
        "deploy_script_s": round(statistics.median(script), 2),
        **loaded,
    }


def _enrolled(bench: Bench, name: str) -> EdgeDevice:
    arguments = {"name": name, "group": "laptops", "profile": "laptop"}
    enrolled = bench.kernel.gate.call("devices.enroll", arguments, bench.context).result
    if not isinstance(enrolled, DeviceEnrolled):
        raise TypeError("enrolment answers with a token")
    home = bench.folder / "devices" / name
    home.mkdir(parents=True)
    url = f"http://127.0.0.1:{bench.platform.port}"
    return EdgeDevice(name, home, url, enrolled.token.get_secret_value())


def _swap(bench: Bench, device: EdgeDevice, version: int) -> Json:
    """Requests at a fixed rate, first in peace, then while the device changes its model."""
    calm = _loaded(device, lambda: time.sleep(2.0))
    wanted = {"model": MODEL, "version": version, "group": "laptops", "strategy": "all"}
    busy = _loaded(device, lambda: bench.finished("deployment.start", **wanted))
    added = (max(busy[1], default=0.0) - max(calm[1], default=0.0)) * 1000
    return {
        "lost_requests": calm[0] + busy[0],
        "swap_requests": len(busy[1]) + busy[0],
        "swap_added_ms": round(max(0.0, added), 1),
    }


def _loaded(device: EdgeDevice, act: Callable[[], Any]) -> tuple[int, list[float]]:
    lost, taken, stop = 0, list[float](), threading.Event()
    lock = threading.Lock()

    def ask() -> None:
        nonlocal lost
        began = time.monotonic()
        answered = device.predict() is not None
        with lock:
            taken.append(time.monotonic() - began) if answered else None
            lost += not answered

    def drive(pool: ThreadPoolExecutor) -> None:
        due = time.monotonic()
        while not stop.is_set():
            pool.submit(ask)
            due += 1 / RATE
            time.sleep(max(0.0, due - time.monotonic()))

    with ThreadPoolExecutor(32) as pool:
        driver = threading.Thread(target=drive, args=(pool,))
        driver.start()
        act()
        stop.set()
        driver.join()
    return lost, taken


_SERVE = """
import http.server, sys, onnxruntime
onnxruntime.InferenceSession(sys.argv[1] + "/model.onnx", providers=["CPUExecutionProvider"])
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *args): pass
http.server.HTTPServer(("127.0.0.1", int(sys.argv[2])), Handler).serve_forever()
"""


def _script(folder: Path, number: int) -> float:
    """What people do without a platform: copy, restart, check, one device after the other."""
    source = next(path for path in folder.glob(f"v*-{BUNDLE_BYTES}"))
    served: list[subprocess.Popen[bytes]] = []
    began = time.monotonic()
    try:
        for device in (1, 2, 3):
            target = folder / "script" / f"{number}-{device}"
            shutil.copytree(source, target)
            port = free_port()
            served.append(
                subprocess.Popen([sys.executable, "-c", _SERVE, str(target), str(port)], cwd=ROOT)
            )
            if not until(lambda port=port: _answers(port), 60):
                raise RuntimeError("the serving process did not start")
        return time.monotonic() - began
    finally:
        for process in served:
            process.kill()
            process.wait()


def _answers(port: int) -> bool:
    try:
        with urlopen(f"http://127.0.0.1:{port}/", timeout=1) as reply:
            return reply.status == 200
    except OSError:
        return False


def run(devices: int, seconds: float, repeats: int) -> Json:
    """Measure everything once; what is done three times is told as the median.

    Args:
        devices: simulated devices of the large fleet.
        seconds: for how long their polling is watched.
        repeats: how often a version is brought to real devices.
    """
    with tempfile.TemporaryDirectory(prefix="fleet-") as folder:
        bench = Bench(Path(folder))
        try:
            first, second = bench.register(0), bench.register(1)
            many = bench.simulated("many", devices, requests=0)
            bench.platform.start()
            return _measured(
                {"devices": devices},
                steady=lambda: steady(bench, many, seconds),
                urgent=lambda: urgent(bench, many, first),
                canary=lambda: canary(bench, first, min(CANARY, devices)),
                breach=lambda: breach(bench, first, second, min(BREACH, devices)),
                real=lambda: real(bench, repeats),
            )
        finally:
            bench.platform.kill()
            bench.kernel.stop()


def _measured(found: Json, **parts: Callable[[], Json]) -> Json:
    """Measure each part; one that does not end leaves its reason, and the others their figures."""
    for name, measure in parts.items():
        began = time.monotonic()
        try:
            found |= measure()
        except Exception as error:
            found.setdefault("failed", {})[name] = str(error) or type(error).__name__
        found.setdefault("took_s", {})[name] = round(time.monotonic() - began, 1)
    return found


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.fleet")
    parser.add_argument("--devices", type=int, default=10_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = run(options.devices, options.seconds, options.repeats)
    if options.json:
        print(json.dumps(found))
        return
    for key, value in found.items():
        print(f"{key:26} {value}")


if __name__ == "__main__":
    main()
