"""Random faults against a platform and real devices: none bricked, unsigned, stuck or repeated.

    python -m benchmarks.chaos [--faults 500] [--seed 1] [--devices 3] [--json]

The platform is killed, devices are killed, networks are cut, slowed, corrupted, repeat reports and
show outdated states, disks are full, clocks are wrong; meanwhile rollouts are started, paused,
resumed, aborted and rolled back. After every 25 faults all is healed, and everything has to
converge. Prints `bricked` (devices that had a model and serve none), `unsigned_loaded` (bundles
on a device that the platform did not sign), `stuck` (what did not converge once healed) and
`lost_or_repeated` (decisions that are not carried out exactly once); all have to be 0.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import select

from benchmarks.faulty_proxy import FaultyProxy, Mode
from benchmarks.processes import EdgeDevice, Gone, Platform, free_port, until
from edge.errors import Refused
from edge.slots import SlotStore
from edge.trust import Trust
from edge.verify import read_manifest
from tests.registry.trained import add_training
from tests.support.classifier import write_classifier
from tools.deployment.rollouts import HOLDING, OPEN, Rollouts
from tools.deployment.types import RolloutState
from tools.devices.fleet import Fleet, load_models
from tools.devices.types import DeviceEnrolled
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings
from tools.kernel.tables import JobRow

GROUP, MODEL, VERSIONS = "thinkpads", "ticket-router", 3
HEAL_EVERY = 25
HEAL_SECONDS = 90.0
SILENT_SECONDS, WATCHED_SECONDS = 4.0, 0.3
FULL_DISK_BYTES = 4096
WEEK = 7 * 24 * 3600.0
Json = dict[str, Any]


class Chaos:
    """One run.

    Args:
        folder: for everything.
        seed: decides every fault and every decision.
        devices: how many real devices.
    """

    def __init__(self, folder: Path, seed: int, devices: int) -> None:
        self._drawn = random.Random(seed)
        self._folder = folder
        self.kernel = Kernel(Settings(home=folder / "home", device_report_seconds=SILENT_SECONDS))
        self._context = RequestContext(self.kernel.principals.local())
        self._fleet = self.kernel.get(Fleet)
        self._rollouts = self.kernel.get(Rollouts)
        self._trust = Trust(self.kernel.keys.public_pem())
        self._platform = Platform(folder / "home", SILENT_SECONDS, WATCHED_SECONDS, free_port())
        self._proxies: dict[str, FaultyProxy] = {}
        self._devices: dict[str, EdgeDevice] = {}
        self._served: set[str] = set()
        self.decided: dict[str, int] = {}
        self._keys = 0
        self.found: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.details: list[str] = []
        for number in range(1, devices + 1):
            self._enroll(f"thinkpad-{number}", seed + number)

    def prepare(self) -> None:
        """Register the versions, start everything, and roll the first version out."""
        for shift in range(VERSIONS):
            files = write_classifier(self._folder / f"v{shift}", shift=shift, padding=200_000)
            job = add_training(self.kernel, name=MODEL, files=files, validation_accuracy=0.0)
            arguments = {"job": job, "model": MODEL}
            self.kernel.gate.call("registry.register", arguments, self._context)
        self._platform.start()
        for device in self._devices.values():
            device.start()
        alive = until(lambda: all(d.report for d in self._fleet.devices("default")), 60)
        if not alive:
            raise RuntimeError("the devices did not report")
        for version in range(VERSIONS, 0, -1):  # every bundle is built before the faults begin
            self._decide("deployment.start", version=version, strategy="all")
            self.settle("preparing")
        self._served = set(self._devices)

    def fault(self) -> None:
        """Inject one fault, and now and then make a decision."""
        kind = self._drawn.choice(sorted(self._kinds))
        self.faults[kind] += 1
        self._kinds[kind](self._drawn.choice(sorted(self._devices)))
        if self._drawn.random() < 0.4:
            self._anything()
        time.sleep(self._drawn.uniform(0.0, 0.4))
        self._check_devices()

    def heal(self) -> None:
        """End every fault, wait until all has converged, and count what has not."""
        self._make_well()
        self.settle("healed")
        self._check_devices()
        self._check_decisions()

    def close(self) -> None:
        """Stop everything."""
        for device in self._devices.values():
            device.kill()
        self._platform.kill()
        for proxy in self._proxies.values():
            proxy.close()
        self.kernel.stop()

    def settle(self, when: str) -> None:
        """Wait until nothing moves any more: no job open, no rollout running, all confirmed."""
        if not until(self._still, HEAL_SECONDS):
            self._count("stuck", f"{when}: {self._moving()}")

    @property
    def _kinds(self) -> dict[str, Callable[[str], None]]:
        return {
            "kill_server": lambda name: self._restart_platform(),
            "kill_device": self._restart_device,
            "cut_network": lambda name: self._network(name, Mode.CUT),
            "slow_network": lambda name: self._network(name, Mode.SLOW),
            "corrupt_bytes": lambda name: self._network(name, Mode.CORRUPT),
            "stale_state": lambda name: self._network(name, Mode.STALE),
            "duplicated_reports": lambda name: self._network(name, Mode.TWICE),
            "full_disk": self._fill_disk,
            "wrong_clock": self._skew_clock,
        }

    def _enroll(self, name: str, seed: int) -> None:
        arguments = {"name": name, "group": GROUP, "profile": "laptop"}
        enrolled = self.kernel.gate.call("devices.enroll", arguments, self._context).result
        if not isinstance(enrolled, DeviceEnrolled):
            raise TypeError("enrolment answers with a token")
        proxy = FaultyProxy(self._platform.port, seed)
        home = self._folder / "devices" / name
        home.mkdir(parents=True)
        url = f"http://127.0.0.1:{proxy.port}"
        self._proxies[name] = proxy
        self._devices[name] = EdgeDevice(name, home, url, enrolled.token.get_secret_value())

    def _restart_platform(self) -> None:
        self._platform.kill()
        self._platform.start()

    def _restart_device(self, name: str) -> None:
        self._devices[name].kill()
        self._devices[name].start()

    def _network(self, name: str, mode: Mode) -> None:
        proxy = self._proxies[name]
        proxy.mode = Mode.WELL if proxy.mode is mode else mode

    def _fill_disk(self, name: str) -> None:
        """No file of the device can grow any more; half of the time it can again."""
        process = self._devices[name].process
        if process is not None and process.poll() is None:
            _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
            soft = self._drawn.choice((FULL_DISK_BYTES, hard))
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (soft, hard))

    def _skew_clock(self, name: str) -> None:
        self._devices[name].skew = self._drawn.choice((-WEEK, 0.0, WEEK))
        self._restart_device(name)

    def _anything(self) -> None:
        """Make one of the decisions that people make."""
        version = self._drawn.randint(1, VERSIONS)
        kind = self._drawn.choice(("start", "start", "steps", "rollback", "abort", "pause"))
        if kind == "start":
            strategy = self._drawn.choice(("all", "blue_green", "canary"))
            self._decide("deployment.start", version=version, strategy=strategy)
        elif kind == "steps":
            self._decide("deployment.start", version=version, steps=[34, 67, 100], sample=0)
        elif kind == "pause":
            self._decide("deployment.pause")
            self._decide("deployment.resume")
        else:
            self._decide(f"deployment.{kind}")

    def _decide(self, operation: str, **arguments: Any) -> None:
        self._keys += 1
        key = f"decision-{self._keys}"
        given: Json = {"group": GROUP, **arguments}
        if operation == "deployment.start":
            given["model"] = MODEL
        for _ in range(3):
            try:
                answer = self._platform.call(operation, given, key)
                break
            except Gone:
                self._restart_platform()
        else:
            self._count("stuck", f"{operation} was never answered")
            return
        if answer.get("job"):
            self.decided[key] = answer["job"]

    def _make_well(self) -> None:
        for proxy in self._proxies.values():
            proxy.mode = Mode.WELL
        for device in self._devices.values():
            process = device.process
            if process is None or process.poll() is not None:
                device.start()
            else:
                _, hard = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
                resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (hard, hard))
        row = self._rollouts.open_of("default", GROUP)
        if row is not None and row.paused:
            self._decide("deployment.resume")

    def _still(self) -> bool:
        return not self._moving()

    def _moving(self) -> list[str]:
        moving = [f"job {j.id} is {j.status}" for j in self._jobs() if j.status in _OPEN]
        row = self._rollouts.open_of("default", GROUP)
        if row is not None and row.state not in HOLDING:
            moving.append(f"rollout {row.id} is {row.state}, {row.hold}")
        return moving + [
            f"{d.name} is to serve {[m.version for m in d.serve]} as of {d.generation}, "
            f"says {[m.version for m in d.serving]} as of "
            f"{d.report.generation if d.report else None} {d.report.error if d.report else ''}"
            for d in self._fleet.devices("default")
            if not d.confirmed
        ]

    def _check_devices(self) -> None:
        for name, device in self._devices.items():
            if device.alive and name in self._served and device.predict() is None:
                self._count("bricked", f"{name} serves no model")
            self._check_signed(name)

    def _check_signed(self, name: str) -> None:
        """Every model that a device points at was signed by the platform."""
        store = SlotStore(self._devices[name].home)
        for assignment in store.pointer().serve:
            folder = store.find(assignment.bundle)
            if folder is None:
                continue  # it is being replaced; the runtime holds what it has loaded
            try:
                read_manifest(folder, assignment.bundle, self._trust)
            except Refused as error:
                self._count("unsigned_loaded", f"{name}: {error}")

    def _check_decisions(self) -> None:
        jobs = self._jobs()
        known = Counter(self.decided.values())
        for job in jobs:
            if known[job.id] != 1:
                self._count("lost_or_repeated", f"job {job.id} was decided {known[job.id]} times")
        for lost in set(known) - {job.id for job in jobs}:
            self._count("lost_or_repeated", f"job {lost} is lost")
        self.decided = {k: j for k, j in self.decided.items() if j in {job.id for job in jobs}}
        self._check_outcome()
        if (problem := self.kernel.audit.verify().problem) is not None:
            self._count("lost_or_repeated", f"the audit is broken: {problem}")

    def _check_outcome(self) -> None:
        """What devices are to serve is what was decided last."""
        row = self._rollouts.latest("default", GROUP)
        if row is None or row.state in OPEN:
            return
        targets = {t.device: t for t in self._rollouts.targets(row.id)}
        for device in self._fleet.devices("default"):
            target = targets.get(device.name)
            if target is None or not target.touched:
                continue
            before = [m.version for m in load_models(target.before)]
            wanted = [row.version] if row.state == RolloutState.DONE else before
            if [m.version for m in device.serve] != wanted:
                told = f"rollout {row.id} is {row.state}: {wanted}, not {device.serve}"
                self._count("lost_or_repeated", f"{device.name} is not as it was left, {told}")

    def _jobs(self) -> list[JobRow]:
        query = select(JobRow).where(JobRow.operation.startswith("deployment."))
        with self.kernel.database.session() as session:
            return list(session.scalars(query))

    def _count(self, what: str, detail: str) -> None:
        self.found[what] += 1
        self.details.append(f"{what}: {detail}")


_OPEN = ("queued", "running")
KEYS = ("bricked", "unsigned_loaded", "stuck", "lost_or_repeated")


def run(faults: int, seed: int, devices: int = 3) -> Json:
    """Inject so many faults; returns the counts of what must not happen, and what did.

    Args:
        faults: how many.
        seed: the same seed makes the same faults.
        devices: how many real devices.
    """
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="chaos-") as folder:
        chaos = Chaos(Path(folder), seed, devices)
        try:
            chaos.prepare()
            for number in range(1, faults + 1):
                chaos.fault()
                if number % HEAL_EVERY == 0 or number == faults:
                    chaos.heal()
        finally:
            chaos.close()
    counts = {key: chaos.found[key] for key in KEYS}
    return {
        **counts,
        "faults": faults,
        "seed": seed,
        "kinds": dict(chaos.faults),
        "decisions": len(chaos.decided),
        "seconds": round(time.monotonic() - began, 1),
        "details": chaos.details[:50],
    }


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, prog="python -m benchmarks.chaos")
    parser.add_argument("--faults", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--devices", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = run(options.faults, options.seed, options.devices)
    if options.json:
        print(json.dumps(found, indent=1))
        return
    for key, value in found.items():
        print(f"{key:20} {value}")


if __name__ == "__main__":
    main()
