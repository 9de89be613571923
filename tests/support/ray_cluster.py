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
        return [
            address
            for address, node in self.nodes.items()
            for process in raylet(node).children(recursive=True)
            if module in process.cmdline()
        ]


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


def raylet(node: Any) -> psutil.Process:
    return psutil.Process(node.all_processes["raylet"][0].process.pid)


def lost(lab: Lab, workers: int = 1) -> dict[str, Any]:
    """A run on this machine, and the same on a cluster that loses a worker which computes."""
    settings = {"epochs": 40, "learning_rate": 1e-5, "patience": 40, "seed": 7}
    here = lab.start("training.start", **settings)
    lab.until(here, lambda: "loading" in lab.kernel.jobs.get(here, "default").message)
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
    here = lab.kernel.jobs.wait(lab.start("training.start", **told), timeout=100)
    lab.kernel.settings.ray_address, lab.kernel.settings.ray_workers = lab.address, 2
    job = lab.start("training.start", **told)
    lab.until(job, lambda: len(lab.busy("tools.training.language.child")) == 2)
    there = lab.kernel.jobs.wait(job, timeout=100)
    return {"here": here.result or here.error, "there": there.result or there.error}


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


SCENARIOS = {"lost": lost, "together": together, "spoken": spoken, "trials": trials}


def main() -> None:
    home, data, base, scenario = sys.argv[1:]
    with socket.socket() as anything:
        fcntl.ioctl(anything, _SIOCSIFFLAGS, struct.pack("16sh", b"lo", _IFF_UP))
    lab = Lab(Path(home), Path(data), Path(base))
    print(json.dumps(SCENARIOS[scenario](lab)), flush=True)
    lab.kernel.stop()


if __name__ == "__main__":
    main()
