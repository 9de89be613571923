"""A platform that is killed in the middle of a training or a tuning goes on where it was."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from tests.training.conftest import rows, write_rows
from tools.kernel.child import Killed
from tools.kernel.kernel import Kernel
from tools.kernel.mlflow_store import client
from tools.kernel.settings import Settings
from tools.training.cluster.placing import KILLED
from tools.training.pausing import compute, marker

PLATFORM = """
import json, sys
from pathlib import Path
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings

kernel = Kernel(Settings(home=Path(sys.argv[1])))
kernel.start()
context = RequestContext(kernel.principals.local())
kernel.gate.call("datasets.add", {"path": sys.argv[2]}, context)
job = kernel.gate.call(sys.argv[3], json.loads(sys.argv[4]), context).job
seen = 0
while True:
    for event in kernel.events.wait(f"job:{job}", after=seen, timeout=60):
        seen = event.id
        print(json.dumps(event.data), flush=True)
        if event.kind != "job.progress":
            sys.exit("the job ended before it was killed")
"""


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Enough rows for a training to be caught in the middle."""
    return write_rows(tmp_path / "many.jsonl", rows(600))


def killed_when(
    home: Path, data: Path, operation: str, wanted: dict[str, Any], *words: str
) -> None:
    """Run a platform until its job's messages have contained all words in turn; then kill -9."""
    left = list(words)
    command = [sys.executable, "-c", PLATFORM, str(home), str(data), operation, json.dumps(wanted)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as platform:
        assert platform.stdout is not None
        for line in platform.stdout:
            event = json.loads(line)
            assert not event.get("error"), event
            if left[0] in event.get("message", ""):
                left.pop(0)
            if not left:
                break
        children = psutil.Process(platform.pid).children(recursive=True)
        os.kill(platform.pid, signal.SIGKILL)
    gone, alive = psutil.wait_procs(children, timeout=10)
    assert gone
    assert not alive


@pytest.fixture
def revived(home: Path) -> Iterator[Kernel]:
    """A kernel on the same home, not started yet."""
    kernel = Kernel(Settings(home=home))
    yield kernel
    kernel.stop()


@pytest.mark.timeout(300)
@pytest.mark.slow
def test_a_training_goes_on_and_is_recorded_once(
    home: Path, revived: Kernel, base: Path, many: Path
):
    wanted = {
        "dataset": "many",
        "base_model": str(base),
        "method": "full",
        "epochs": 60,
        "learning_rate": 1e-6,
    }
    killed_when(home, many, "training.start", wanted, "epoch 2 of 60")
    revived.start()
    row = revived.jobs.wait(1, timeout=200)
    assert row.status == "done", row.error
    assert row.result is not None
    receipts = revived.receipts.list("default")
    assert [r.status for r in receipts if r.operation == "training.start"] == ["done", "started"]
    store = client(revived.settings)
    where = [e.experiment_id for e in store.search_experiments()]
    assert [r.info.status for r in store.search_runs(where)] == ["FINISHED"]
    history = store.get_metric_history(row.result["run_id"], "training_loss")
    steps = [m.step for m in history]
    assert sorted(steps) == sorted(set(steps))
    assert len(steps) == row.result["epochs"] * 30


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_tuning_goes_on_with_the_trial_that_was_cut_off(
    home: Path, revived: Kernel, base: Path, many: Path
):
    wanted = {
        "dataset": "many",
        "base_model": str(base),
        "method": "full",
        "epochs": 3,
        "trials": 2,
    }
    killed_when(home, many, "training.tune", wanted, "trial 2 of 2", "of 3, loss")
    revived.start()
    row = revived.jobs.wait(1, timeout=200)
    assert row.status == "done", row.error
    assert row.result is not None
    assert [t["number"] for t in row.result["trials"]] == [1, 2]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_training_whose_computing_process_is_killed_goes_on_and_ends_as_an_undisturbed_one(
    kernel: Kernel, call: Callable[..., Any], base: Path, many: Path
):
    call("datasets.add", path=str(many))
    wanted = {"dataset": "many", "base_model": str(base), "method": "full", "epochs": 12}
    job = call("training.start", **wanted).job
    told: list[str] = []
    for event in events_of(kernel, job):
        told.append(event.get("message", ""))
        if told[-1].startswith("epoch 3 "):
            break
    [child] = computing(job)
    child.kill()
    row = kernel.jobs.wait(job, timeout=200)
    assert row.result is not None, row.error
    told = [e.data.get("message", "") for e in kernel.events.read(f"job:{job}")]
    [death] = [line for line in told if "SIGKILL" in line]
    assert "memory" in death
    assert "try 2 of 4" in death
    calm = call("training.start", **wanted).job
    other = kernel.jobs.wait(calm, timeout=200)
    assert other.result is not None, other.error
    assert row.result["final_loss"] == other.result["final_loss"]
    folders = [Path(each["artifact_path"]) for each in (row.result, other.result)]
    for name in ("model.safetensors", "head.safetensors"):
        assert len({(folder / name).read_bytes() for folder in folders}) == 1


def events_of(kernel: Kernel, job: int) -> Iterator[dict[str, Any]]:
    """What a job tells, as it comes."""
    seen = 0
    while True:
        found = kernel.events.wait(f"job:{job}", after=seen, timeout=60)
        assert found, "the job said nothing for a minute"
        for event in found:
            seen = event.id
            yield event.data


def computing(job: int) -> list[psutil.Process]:
    """The computing processes of a job."""
    return [
        process
        for process in psutil.Process().children(recursive=True)
        if "tools.training.child" in process.cmdline() and f"/jobs/{job}/" in process.cmdline()[-1]
    ]


class Dying:
    """A job whose computing process is killed a number of times before it has a result.

    Args:
        workdir: its folder.
        deaths: how often.
        host: where it computes on a cluster; empty for this machine.
    """

    id = 7

    def __init__(self, workdir: Path, deaths: int, host: str = "") -> None:
        self.workdir = workdir
        self.host = host
        self.settings = Settings(home=workdir)
        self.left = deaths
        self.told: list[str] = []

    def child(self, module: str, spec: dict[str, Any], *, on_event: Any) -> dict[str, Any]:
        on_event({"progress": 0.4})
        self.left -= 1
        if self.left >= 0 and self.host:
            return {KILLED: signal.SIGKILL.value, "host": self.host}
        if self.left >= 0:
            raise Killed(self.id, signal.SIGKILL, self.workdir / "child.log")
        return {"final_loss": 0.5}

    def progress(self, fraction: float, message: str) -> None:
        self.told.append(f"{fraction} {message}")

    def wait_while(self, holds: Callable[[], bool]) -> None:
        assert holds()
        marker(self.workdir).unlink()  # somebody resumes it


@pytest.mark.parametrize(("host", "where"), [("", ""), ("10.0.0.3", " on 10.0.0.3")])
def test_a_process_that_is_killed_again_and_again_pauses_its_job_until_it_is_resumed(
    tmp_path: Path, host: str, where: str
):
    job = Dying(tmp_path, deaths=4, host=host)
    assert compute(cast("Any", job), "a.child", {}, keep=True) == {"final_loss": 0.5}
    assert ["try 2 of 4" in job.told[0], "try 4 of 4" in job.told[2]] == [True, True]
    paused = f"0.4 paused; The computing process of job 7{where} was ended by SIGKILL"
    assert job.told[3].startswith(paused)
    assert "memory" in job.told[3]
    assert "resume training job 7" in job.told[3]
    assert "try 4 of 4" in (tmp_path / "child.log").read_text()


@pytest.mark.parametrize("host", ["", "10.0.0.3"])
def test_a_trial_that_is_killed_again_and_again_fails(tmp_path: Path, host: str):
    with pytest.raises(Killed, match="most likely memory ran out"):
        compute(cast("Any", Dying(tmp_path, 4, host)), "a.child", {})
    assert not marker(tmp_path).exists()
