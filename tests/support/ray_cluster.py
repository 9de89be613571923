"""A real Ray cluster that nobody else can reach: a head and two workers, each of one processor.

Run as `python ray_cluster.py home data base scenario`, in a network and a process namespace of its
own: Ray listens on all addresses of a host, whatever address its node is given, and in there the
loopback device is the only one. What is left running ends with the namespace.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import Any, TypeVar

import psutil

_SIOCSIFFLAGS, _IFF_UP = 0x8914, 1
MEMORY = 80_000_000
AGENTS = ("ray.dashboard.agent", "ray.dashboard.dashboard", "ray._private.runtime_env.agent.main")
What = TypeVar("What")


class Lab:
    """A platform and a cluster, which it computes on when it is told to."""

    def __init__(self, home: Path, data: Path, base: Path) -> None:
        from tools.kernel.identity import RequestContext
        from tools.kernel.kernel import Kernel
        from tools.kernel.settings import Settings

        self.base = base
        self.address, self.nodes = cluster()
        self.kernel = Kernel(Settings(home=home))
        self.kernel.start()
        self.context = RequestContext(self.kernel.principals.local())
        self.call("datasets.add", path=str(data))

    def call(self, name: str, **arguments: Any) -> Any:
        return self.kernel.gate.call(name, arguments, self.context)

    def start(self, operation: str, **arguments: Any) -> int:
        told = {"dataset": "many", "base_model": str(self.base), "method": "full", **arguments}
        return self.call(operation, **told).job

    def result(self, job: int) -> dict[str, Any]:
        row = self.kernel.jobs.wait(job, timeout=100)
        assert row.status == "done", (row.error, row.message)
        assert row.result is not None
        weights = (Path(row.result["artifact_path"]) / "model.safetensors").read_bytes()
        return {**row.result, "weights": hashlib.sha256(weights).hexdigest()}

    def message(self, job: int) -> str:
        """What a job said last."""
        return self.kernel.jobs.get(job, "default").message

    def kept(self, job: int) -> int:
        """The epoch that a job's checkpoint stands in; 0 if there is none."""
        from tools.training.state import load_checkpoint

        folder = self.kernel.settings.folder("work", "jobs", str(job))
        found = load_checkpoint(folder / "checkpoint.pt") or {"state": {"epoch": 0}}
        return found.get("state", found.get("progress"))["epoch"]

    def messages(self, job: int) -> list[str]:
        """What a job says from now to its end."""
        told = [""]
        while (row := self.kernel.jobs.get(job, "default")).status in ("queued", "running"):
            if row.message != told[-1]:
                told.append(row.message)
            time.sleep(0.05)
        return told[1:]

    def until(self, job: int, found: Callable[[], What]) -> What:
        """What is found first, while a job runs."""
        deadline = time.monotonic() + 90
        while not (what := found()):
            row = self.kernel.jobs.get(job, "default")
            assert row.status in ("queued", "running"), (row.status, row.error)
            assert time.monotonic() < deadline, row.message
            time.sleep(0.05)
        return what

    def busy(self, module: str = "tools.training.child") -> list[str]:
        """The addresses of the workers that compute: their raylets have children that train."""
        return [address for address, _ in self.computing(module)]

    def computing(self, module: str = "tools.training.child") -> list[tuple[str, psutil.Process]]:
        """The computing processes of the workers, with the addresses of these."""
        return [
            (address, process)
            for address, node in self.nodes.items()
            for process in raylet(node).children(recursive=True)
            if module in command(process)
        ]

    def pair(self, module: str, **told: Any) -> tuple[int, int]:
        """The jobs of a training on this machine, done, and of the same by two workers together."""
        here = self.start("training.start", **told)
        self.kernel.jobs.wait(here, timeout=100)
        self.kernel.settings.ray_address, self.kernel.settings.ray_workers = self.address, 2
        there = self.start("training.start", **told)
        self.until(there, lambda: len(self.computing(module)) == 2)
        return here, there


def cluster() -> tuple[str, dict[str, Any]]:
    """The address of a new cluster, and its workers by theirs."""
    from ray.cluster_utils import Cluster

    for module in AGENTS:  # once, for the bytecode: a node that starts up has 30 s
        import_module(module)
    head = {"num_cpus": 0, "node_ip_address": "127.0.0.1", "include_dashboard": False}
    memory: Any = {"object_store_memory": MEMORY}
    made = Cluster(initialize_head=True, head_node_args={**head, **memory})
    addresses = ("127.0.0.3", "127.0.0.4")
    nodes = {a: made.add_node(num_cpus=1, node_ip_address=a, **memory) for a in addresses}
    return str(made.address), nodes


def command(process: psutil.Process) -> list[str]:
    """What a process runs; nothing if it ended meanwhile."""
    with suppress(psutil.NoSuchProcess):
        return process.cmdline()
    return []


def raylet(node: Any) -> psutil.Process:
    return psutil.Process(node.all_processes["raylet"][0].process.pid)


def lost(lab: Lab, workers: int = 1) -> dict[str, Any]:
    """A run on this machine, and the same on a cluster that loses a worker which computes."""
    settings = {"epochs": 40, "learning_rate": 1e-5, "patience": 40, "seed": 7}
    here = lab.start("training.start", **settings)
    lab.until(here, lambda: "loading" in lab.message(here))
    lab.kernel.settings.ray_address = lab.address
    lab.kernel.settings.ray_workers = workers
    job = lab.start("training.start", **settings)
    checkpoint = lab.kernel.settings.folder("work", "jobs", str(job)) / "checkpoint.pt"
    lab.until(job, checkpoint.is_file)
    lab.until(job, lambda: len(lab.busy()) == workers)
    victim = lab.busy()[-1]
    raylet(lab.nodes.pop(victim)).kill()  # as a host that goes down
    told = lab.messages(job)
    return {"here": lab.result(here), "there": lab.result(job), "told": told}


def together(lab: Lab) -> dict[str, Any]:
    """As `lost`, of two workers that train together: the one that is left goes on alone."""
    return lost(lab, workers=2)


def spoken(lab: Lab) -> dict[str, Any]:
    """A language model trained on this machine, and by two workers together."""
    told = {"method": "lora", "rank": 4, "batch_size": 8, "learning_rate": 5e-3, "seed": 0}
    told |= {"epochs": 3, "max_length": 128, "precision": "fp32"}
    jobs = lab.pair("tools.training.language.child", **told)
    here, there = (lab.kernel.jobs.wait(job, timeout=100) for job in jobs)
    return {"here": here.result or here.error, "there": there.result or there.error}


def alike(lab: Lab) -> dict[str, Any]:
    """An embedding trained on this machine, and by two workers one of whose processes is killed."""
    told = {"epochs": 12, "patience": 12, "batch_size": 16, "learning_rate": 1e-3, "seed": 0}
    module = "tools.training.similarity.child"
    here, there = lab.pair(module, **told)
    lab.until(there, lambda: lab.kept(there) >= 3)
    lab.computing(module)[-1][1].kill()
    messages = lab.messages(there)
    return {"here": lab.result(here), "there": lab.result(there), "told": messages}


def killed(lab: Lab) -> dict[str, Any]:
    """A run on this machine, and the same on a cluster where its process is killed four times."""
    settings = {"epochs": 24, "patience": 24, "learning_rate": 1e-5, "seed": 7}
    here = lab.start("training.start", **settings)
    lab.kernel.jobs.wait(here, timeout=100)
    lab.kernel.settings.ray_address = lab.address
    job = lab.start("training.start", **settings)
    lab.until(job, lambda: lab.kept(job) >= 3)
    deaths = [death(lab, job, number) for number in (1, 2, 3, 4)]
    lab.call("training.resume", job=job)
    told = lab.messages(job)
    return {"here": lab.result(here), "there": lab.result(job), "deaths": deaths, "told": told}


def death(lab: Lab, job: int, number: int) -> str:
    """Kill the one process that computes for a job; what the job says of it."""
    [(_, victim)] = lab.until(job, lab.computing)
    victim.kill()
    told = "paused" if number == 4 else f"try {number + 1} of 4"
    said = lab.until(job, lambda: [lab.message(job)] if told in lab.message(job) else [])
    psutil.wait_procs([victim], timeout=30)
    return said[0]


def trials(lab: Lab) -> dict[str, Any]:
    """Two trials at once, and a training that is cancelled while it computes."""
    lab.kernel.settings.ray_address = lab.address
    told = {"trials": 2, "parallel": 2, "epochs": 30, "patience": 30, "pruning": False}
    job = lab.start("training.tune", space="learning_rate 1e-5..1e-3", **told)
    lab.until(job, lambda: len(lab.busy()) == 2)
    tuned = lab.result(job)
    again = lab.start("training.start", epochs=100, patience=100)
    lab.until(again, lab.busy)
    cancelled = lab.call("training.cancel", job=again).result.status
    left = [str(path) for path in Path(tempfile.gettempdir()).glob("pilothouse-worker-*")]
    return {"tuned": tuned, "cancelled": cancelled, "busy": lab.busy(), "left": left}


SCENARIOS = {
    "lost": lost,
    "together": together,
    "spoken": spoken,
    "alike": alike,
    "killed": killed,
    "trials": trials,
}


def main() -> None:
    home, data, base, scenario = sys.argv[1:]
    with socket.socket() as anything:
        fcntl.ioctl(anything, _SIOCSIFFLAGS, struct.pack("16sh", b"lo", _IFF_UP))
    lab = Lab(Path(home), Path(data), Path(base))
    print(json.dumps(SCENARIOS[scenario](lab)), flush=True)
    lab.kernel.stop()


if __name__ == "__main__":
    main()
