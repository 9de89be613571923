"""Child processes: what they tell comes back, and they never outlive who started them."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from tools.kernel import child, errors
from tools.kernel.child import run_child
from tools.kernel.errors import Cancelled, OperationFailed
from tools.kernel.jobs import Interrupted

MODULE = "tests.kernel.children"


class Job:
    """A job context without a platform round it."""

    def __init__(self, workdir: Path) -> None:
        self.id = 1
        self.workdir = workdir
        self.told: list[tuple] = []
        self.stop: BaseException | None = None

    def check_cancelled(self) -> None:
        if self.stop is not None:
            raise self.stop

    def progress(self, fraction: float, message: str = "", **metrics: float) -> None:
        self.told.append((fraction, message, metrics))


@pytest.fixture
def job(tmp_path):
    return Job(tmp_path)


@pytest.fixture
def start(lab, job):
    def run(do: str, on_event=None, **spec):
        return run_child(job, lab.settings, MODULE, {"do": do, **spec}, on_event)

    return run


def alive(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def gone(pids: list[int], within: float = 20) -> bool:
    """Wait until the processes have ended."""
    _, left = psutil.wait_procs([psutil.Process(p) for p in pids if psutil.pid_exists(p)], within)
    return not [p for p in left if p.status() != psutil.STATUS_ZOMBIE]


def pids_of(path: Path, timeout: float = 60) -> list[int]:
    deadline = time.monotonic() + timeout
    while not path.exists():
        assert time.monotonic() < deadline, "the child did not begin"
        threading.Event().wait(0.02)
    return [int(p) for p in path.read_text().split()]


def test_a_childs_result_and_progress_come_back(lab, job, start):
    seen = []
    result = start("work", seen.append)
    assert result == {"threads": "1", "home": str(lab.settings.home)}
    assert job.told == [(0.5, "half", {"loss": 0.25})]
    assert [sorted(e) for e in seen] == [["message", "metrics", "progress"], ["result"]]


def test_a_childs_environment_is_quiet(start):
    found = start("environment")
    expected = {
        "ORT_DISABLE_TELEMETRY": "1",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "HF_HUB_OFFLINE": "1",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
    }
    assert expected.items() <= found.items()


@pytest.mark.parametrize(
    "kind", ["InvalidInput", "NotFound", "Conflict", "Unavailable", "BudgetExceeded", "Cancelled"]
)
def test_an_expected_error_comes_back_as_what_it_is(start, kind):
    with pytest.raises(errors.PilothouseError) as failed:
        start("fail", kind=kind)
    assert type(failed.value) is getattr(errors, kind)
    assert (
        failed.value.as_dict()
        == getattr(errors, kind)("It failed.", hint="Try again.", suggestions=["b"]).as_dict()
    )


def test_a_child_that_measures_has_the_machine_alone_while_another_computes(lab, tmp_path, start):
    files = {"steps": str(tmp_path / "steps"), "stop": str(tmp_path / "stop")}
    stepping = threading.Event()
    other = Job(tmp_path / "other")
    other.workdir.mkdir()
    other.progress = lambda *_, **__: stepping.set()
    with ThreadPoolExecutor(1) as pool:
        spec = {"do": "step", **files}
        computing = pool.submit(run_child, cast(Any, other), lab.settings, MODULE, spec, None)
        assert stepping.wait(60)
        assert start("measure", **files) == {"alone": True, "steps": 0}
        computing.result(60)


def test_a_bug_in_a_child_points_to_its_log(job, start):
    with pytest.raises(OperationFailed, match="ended with code 1") as failed:
        start("crash")
    assert str(job.workdir / "child.log") in str(failed.value)
    assert "a bug" in (job.workdir / "child.log").read_text()


def test_a_child_that_ends_without_a_result_has_failed(start):
    with pytest.raises(OperationFailed, match="code 0 and no result"):
        start("exit", code=0)
    with pytest.raises(OperationFailed, match="code 9"):
        start("exit", code=9)


def test_a_result_counts_though_a_library_crashes_at_the_end(start):
    assert start("crash at the end") == {"fine": True}


def test_garbage_on_standard_output_is_no_event(job, start):
    assert start("garbage") == {"fine": True}
    assert job.told == [(0.2, "7", {"ok": 2}), (0.3, "", {})]
    assert "from a native library" in (job.workdir / "child.log").read_text()


@pytest.mark.parametrize("stop", [Cancelled("no more"), Interrupted("the process stops")])
def test_a_cancel_ends_the_child_and_what_it_started_within_seconds(job, start, stop):
    pids = job.workdir / "pids"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(start, "hang", pids=str(pids))
        both = pids_of(pids)
        began = time.monotonic()
        job.stop = stop
        with pytest.raises(type(stop)):
            running.result(30)
    assert time.monotonic() - began < 5
    assert gone(both)


def test_a_child_that_ignores_a_polite_end_is_ended_all_the_same(job, start, monkeypatch):
    monkeypatch.setattr(child, "GRACE_SECONDS", 0.3)
    pids = job.workdir / "pids"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(start, "hang", pids=str(pids), stubborn=True)
        both = pids_of(pids)
        job.stop = Cancelled("no more")
        with pytest.raises(Cancelled):
            running.result(30)
    assert gone(both[:1])
    assert gone(both)


def test_a_listener_that_fails_ends_the_child(job, start):
    pids = job.workdir / "pids"

    def broken(event):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        start("hang", broken, pids=str(pids))
    assert gone(pids_of(pids))


def test_the_end_of_the_thread_that_started_it_does_not_kill_a_healthy_child(lab, job):
    pids, made = job.workdir / "pids", []

    def start_and_leave():
        path = job.workdir / "spec.json"
        path.write_text('{"do": "slow", "seconds": 3, "pids": "%s"}' % pids)  # noqa: UP031
        command = [child.sys.executable, "-m", "tools.kernel.child", str(os.getpid()), MODULE]
        made.append(
            child._nursery.start(
                [*command, str(path)],
                stdout=child.subprocess.PIPE,
                env=child._environment(lab.settings),
                cwd=Path(child.__file__).parents[2],
            )
        )

    thread = threading.Thread(target=start_and_leave)
    thread.start()
    thread.join()
    assert alive(pids_of(pids)[0])
    assert made[0].wait(60) == 0, "it was left to finish"
    made[0].stdout.close()


def test_a_child_whose_parent_died_before_it_began_ends_at_once(lab, job):
    path = job.workdir / "spec.json"
    path.write_text('{"do": "work"}')
    command = [child.sys.executable, "-m", "tools.kernel.child", "1", MODULE, str(path)]
    done = child.subprocess.run(
        command, capture_output=True, cwd=Path(child.__file__).parents[2], timeout=60
    )
    assert (done.returncode, done.stdout) == (1, b"")
