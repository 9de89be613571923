"""Sentences under load: 50 a second to a running platform, while a real training job computes.

    python -m benchmarks.load [--rate 50] [--seconds 60] [--json]

Starts a platform on a home of its own and a LoRA training in its child process; sends `POST
/api/v1/parse` at fixed times whether or not the answers before have come (an open loop: a stall
counts against every sentence that it delays); every sentence is another one. Latencies run from the
time at which a sentence was due. Also: the platform's processor time a sentence, which a machine
that others use does not stretch, and how much slower the training was meanwhile.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import count, islice, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evals.parse_eval import load

if TYPE_CHECKING:
    from ui.client import Client

CONNECTIONS = 32
QUIET_SECONDS = 20.0
TRAINING = {"dataset": "tickets", "epochs": 50, "name": "load"}
_OPENINGS = ("", "please ", "could you ", "ok now ", "hey, ", "right, ", "so, ", "next: ")


def sentences() -> Iterator[str]:
    """The sentences of the evaluation set, each time with other words before them."""
    texts = [case["turns"][-1] for case in load("all")]
    for number in count():
        for opening, text in product(_OPENINGS, texts):
            yield f"{opening}{text}" if number == 0 else f"{opening}{text} ({number})"


class Load:
    """An open loop of sentences.

    Args:
        url: the platform's address.
        token: who asks.
        rate: sentences a second.
    """

    def __init__(self, url: str, token: str, rate: float) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}"}
        self._rate = rate
        self.waited: list[float] = []
        self.errors: list[str] = []

    async def run(self, seconds: float) -> None:
        """Send for so long, then wait for the last answers."""
        import httpx

        limits = httpx.Limits(max_connections=CONNECTIONS, max_keepalive_connections=CONNECTIONS)
        async with httpx.AsyncClient(
            base_url=self._url, headers=self._headers, limits=limits, timeout=30, trust_env=False
        ) as client:
            began, sent = time.perf_counter(), []
            for number, text in enumerate(islice(sentences(), int(seconds * self._rate))):
                due = began + number / self._rate
                await asyncio.sleep(max(due - time.perf_counter(), 0))
                sent.append(asyncio.create_task(self._ask(client, text, due)))
            await asyncio.gather(*sent)

    async def _ask(self, client: Any, text: str, due: float) -> None:
        try:
            answer = await client.post("/api/v1/parse", json={"lines": [{"text": text}]})
            answer.raise_for_status()
            (plan,) = answer.json()["plans"]
            if "steps" not in plan:
                self.errors.append(str(plan))
        except Exception as error:
            self.errors.append(f"{type(error).__name__}: {error}")
        self.waited.append((time.perf_counter() - due) * 1000)


def measure(client: Client, rate: float, seconds: float) -> dict[str, Any]:
    """All figures: milliseconds, and the training's progress a second."""
    job = int(client.call("training.start", TRAINING)["result"]["job"])
    _until_computing(client, job)
    alone = _speed(client, job, lambda: time.sleep(QUIET_SECONDS))
    load = Load(client.state.url, client.state.token, rate)
    used = _processor(client.state.pid)
    meanwhile = _speed(client, job, lambda: asyncio.run(load.run(seconds)))
    used = _processor(client.state.pid) - used
    client.call("training.cancel", {"job": job})
    waited = sorted(load.waited)
    return {
        "sentences": len(waited),
        "rate": rate,
        "errors": len(load.errors),
        "p50_ms": round(statistics.median(waited), 1),
        "p95_ms": round(waited[int(len(waited) * 0.95)], 1),
        "p99_ms": round(waited[int(len(waited) * 0.99)], 1),
        "max_ms": round(waited[-1], 1),
        "platform_cpu_ms_a_sentence": round(used * 1000 / len(waited), 1),
        "training_slowdown": round(alone / meanwhile, 2) if meanwhile else None,
        "load_average": round(os.getloadavg()[0], 1),
        "first_errors": load.errors[:3],
    }


def _processor(pid: int) -> float:
    """Seconds of processor time that a process has used, its children left out."""
    import psutil

    times = psutil.Process(pid).cpu_times()
    return times.user + times.system


def _progress(client: Client, job: int) -> float:
    found = client.get(f"/api/v1/jobs/{job}")
    if found["status"] not in ("running", "queued"):
        raise RuntimeError(f"the training ended too early: {found['status']}")
    return float(found["progress"])


def _until_computing(client: Client, job: int) -> None:
    before = _progress(client, job)
    while _progress(client, job) <= max(before, 0.02):
        time.sleep(0.5)


def _speed(client: Client, job: int, meanwhile: Any) -> float:
    """Progress a second while something goes on."""
    began, before = time.perf_counter(), _progress(client, job)
    meanwhile()
    return (_progress(client, job) - before) / (time.perf_counter() - began)


def main(argv: Sequence[str] | None = None) -> int:
    """Measure on a fresh home and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.load", description=__doc__)
    parser.add_argument("--rate", type=float, default=50.0, help="sentences a second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as home:
        os.environ["PILOTHOUSE_HOME"] = str(Path(home) / "home")
        from ui.client import connect
        from ui.home import HomeFiles
        from ui.launch import stop

        client = connect()
        try:
            client.post("/api/v1/parse", {"lines": [{"text": "which models are there?"}]})
            figures = measure(client, options.rate, options.seconds)
        finally:
            stop(HomeFiles(), lambda: None)
    if options.json:
        print(json.dumps(figures, indent=2))
    else:
        for name, value in figures.items():
            print(f"{name:20} {value}")
    return 1 if figures["errors"] else 0


if __name__ == "__main__":
    sys.exit(main())
