"""Conversations at once, held by k6 while a training computes; see `conversations.js`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from ui.client import Client

SCRIPT = Path(__file__).with_suffix(".js")
K6 = Path(sys.executable).with_name("k6")
TRAINING = {"dataset": "tickets", "epochs": 50, "name": "meanwhile"}
SPARE_SECONDS = 120.0


def hold(
    client: Client, process: psutil.Process, talks: int, seconds: float, think: tuple[float, float]
) -> dict[str, Any]:
    """Hold conversations while a training runs, which is cancelled at the end.

    Args:
        client: of the platform.
        process: the platform's.
        talks: how many conversations at once.
        seconds: how long each of them asks.
        think: the least and the most seconds between an answer and the next sentence.

    Returns:
        Seconds from a sentence to its turn's end (`p50_s`, `p95_s`, `p99_s`, `max_s`); sentences
        that were not answered as they should (`errors`, the first of them as `first_errors`);
        the platform's processor time a sentence; the training's progress meanwhile.

    Raises:
        RuntimeError: if the training ended too early, or k6 failed.
    """
    job = int(client.call("training.start", TRAINING)["result"]["job"])
    while _progress(client, job) <= 0.02:  # until it computes
        time.sleep(0.5)
    before, worked, began = _progress(client, job), processor(process), time.perf_counter()
    found, complaints = _run(client, talks, seconds, think)
    took = time.perf_counter() - began
    used = processor(process) - worked
    trained = _progress(client, job) - before
    client.call("training.cancel", {"job": job})
    waited, turns = found["waited"], int(found["waited"]["count"])
    names = {"p50_s": "med", "p95_s": "p(95)", "p99_s": "p(99)", "max_s": "max"}
    return {
        "conversations": talks,
        "think_s": list(think),
        "turns": turns,
        "turns_a_second": round(turns / seconds, 1),
        **{name: round(waited[key] / 1000, 3) for name, key in names.items()},
        "errors": int(found["errors"]),
        "first_errors": complaints[:3],
        "turn_cpu_ms": round(used * 1000 / turns, 1),
        "platform_cpu_percent": round(used / took * 100, 1),
        "training_progress": round(trained, 3),
        "load_average": round(os.getloadavg()[0], 1),
    }


def processor(process: psutil.Process) -> float:
    """Seconds of processor time that a process has used, its children left out."""
    times = process.cpu_times()
    return times.user + times.system


def _run(
    client: Client, talks: int, seconds: float, think: tuple[float, float]
) -> tuple[dict[str, Any], list[str]]:
    given = {
        "URL": client.state.url.replace("http", "ws", 1) + "/api/v1/ws",
        "TOKEN": client.state.token,
        "TALKS": str(talks),
        "SECONDS": str(seconds),
        "THINK": json.dumps(think),
        "K6_NO_USAGE_REPORT": "true",
    }
    done = subprocess.run(
        [K6, "run", "--quiet", "--log-format", "raw", "--address", "", SCRIPT],
        env={**os.environ, **given},
        capture_output=True,
        text=True,
        timeout=seconds + SPARE_SECONDS,
        check=False,
    )
    complaints = done.stderr.splitlines()
    if done.returncode or not done.stdout:
        raise RuntimeError(f"k6 ended with {done.returncode}: {complaints[-3:]}")
    return json.loads(done.stdout), complaints


def _progress(client: Client, job: int) -> float:
    found = client.get(f"/api/v1/jobs/{job}")
    if found["status"] not in ("running", "queued"):
        raise RuntimeError(f"the training ended too early: {found['status']}")
    return float(found["progress"])
