"""Several processes on one PostgreSQL are one platform: what one does, the others know."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.ui.homes import ROOT, Home
from ui.client import Client
from ui.home import HomeFiles
from ui.launch import wait_ready

pytestmark = pytest.mark.slow


class Process:
    """One of the processes."""

    def __init__(self, home: Path, number: int, database: str) -> None:
        self.files = HomeFiles(home, number)
        self.files.prepare()
        environment = {
            **os.environ,
            "PILOTHOUSE_HOME": str(home),
            "PILOTHOUSE_WORKER": str(number),
            "PILOTHOUSE_DATABASE_URL": database,
        }
        with self.files.errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "ui.platform"],
                cwd=ROOT,
                env=environment,
                stdout=errors,
                stderr=errors,
            )

    def client(self) -> Client:
        return Client(wait_ready(self.files, self.process, 120))


@pytest.fixture(scope="module")
def processes(
    postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Process, Process]]:
    from tests.support.postgres import fresh_database

    home = tmp_path_factory.mktemp("shared") / "home"
    with fresh_database(postgres_server) as url:
        first = Process(home, 0, url)
        first.client()
        second = Process(home, 1, url)
        second.client()
        yield first, second
        for each in (second, first):
            each.process.terminate()
            each.process.wait(30)


def until(found: Callable[[], Any], seconds: float = 60.0) -> Any:
    """What is found, once it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = found()
        if value:
            return value
        time.sleep(0.2)
    raise AssertionError("it did not come to that")


def dataset(folder: Path, name: str, rows: int = 60) -> Path:
    path = folder / f"{name}.jsonl"
    lines = [
        json.dumps(
            {"text": f"{name} sentence {n} about {'cats' if n % 2 else 'dogs'}", "label": n % 2}
        )
        for n in range(rows)
    ]
    path.write_text("\n".join(lines))
    return path


def test_a_name_that_one_makes_is_understood_by_the_other(processes, tmp_path: Path) -> None:
    first, second = (p.client() for p in processes)
    first.call("datasets.add", {"path": str(dataset(tmp_path, "quails")), "name": "quails"})
    until(lambda: "quails" in second.get("/api/v1/names")["dataset"])
    said = list(second.ask("describe quails"))
    assert said[-1]["status"] == "done"


def test_a_conversation_goes_on_in_the_other_process(processes) -> None:
    first, second = (p.client() for p in processes)
    begun = list(first.ask("list the datasets", "wander"))
    assert begun[-1]["status"] == "done"
    again = list(second.ask("describe tickets", "wander"))
    assert again[-1]["status"] == "done"
    turns = first.get("/api/v1/conversations/wander")
    assert [turn["text"] for turn in turns] == ["list the datasets", "describe tickets"]


def test_what_one_asks_approval_for_the_other_grants_and_carries_out(processes) -> None:
    first, second = (p.client() for p in processes)
    first.call("devices.enroll", {"name": "pi-1", "group": "pis", "profile": "server"})
    asked = list(first.ask("retire pi-1", "wander-2"))
    assert asked[-1]["status"] == "needs_approval"
    approval = next(e for e in asked if e["kind"] == "approval")["approval"]
    second.post(f"/api/v1/approvals/{approval['id']}/grant", {"confirm": approval["confirm"]})
    done = list(second.stream("POST", f"/api/v1/approvals/{approval['id']}/go-on", {}))
    assert done[-1]["status"] == "done"


def test_a_turn_is_stopped_through_the_other_process(processes, tmp_path: Path) -> None:
    first, second = (p.client() for p in processes)
    first.call("datasets.add", {"path": str(dataset(tmp_path, "herons", 400)), "name": "herons"})
    events = first.ask("train a model on herons for 30 epochs", "wander-3", auto_confirm=True)
    next(e for e in events if e["kind"] == "progress")
    told = second.post("/api/v1/conversations/wander-3/cancel")
    assert told["not_done"] == ["s1"]
    assert [e for e in events][-1]["status"] == "cancelled"


def test_the_job_and_the_turn_of_a_killed_process_end_in_the_other(
    processes, tmp_path: Path
) -> None:
    first, second = (p.client() for p in processes)
    first.call("datasets.add", {"path": str(dataset(tmp_path, "storks", 400)), "name": "storks"})
    events = second.ask("train a model on storks for 2 epochs", "wander-4", auto_confirm=True)
    job = next(e for e in events if e["kind"] == "progress")["job"]
    processes[1].process.send_signal(signal.SIGKILL)
    processes[1].process.wait(10)
    ended = until(
        lambda: (row := first.get(f"/api/v1/jobs/{job}"))["status"] in ("done", "failed") and row,
        240,
    )
    assert (ended["status"], ended["error"]) == ("done", None)
    turn = until(
        lambda: (t := first.get("/api/v1/conversations/wander-4")[-1])["status"] != "running" and t
    )
    assert turn["status"] == "done"


def test_a_second_process_needs_a_shared_database(tmp_path: Path) -> None:
    done = Home(tmp_path / "home").run("serve", "--worker", "1", "--port", "0")
    assert done.returncode == 2 and "SQLite" in done.stderr
