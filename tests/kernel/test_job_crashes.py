"""A job goes on after kill -9: no finished step twice, and one receipt for its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import update

from tests.kernel.crashing import operations
from tests.kernel.test_child import gone, pids_of
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings
from tools.kernel.tables import JobRow

ROOT = Path(__file__).parents[2]


@pytest.fixture
def killed(home):
    """Start a process that carries out an operation, and kill it in the middle."""
    started = []

    def run(operation: str):
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.kernel.crashing", str(home), operation],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        for line in process.stdout or ():
            if "IN THE MIDDLE" in line:
                break
        else:
            pytest.fail(f"{operation} did not come to its middle")
        os.kill(process.pid, signal.SIGKILL)
        process.wait(20)
        (home / "go").touch()

    yield run
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture
def again(home):
    """The next process on the home."""
    opened = []

    def run(*, start: bool = True) -> Kernel:
        kernel = Kernel(Settings(home=home), operations())
        opened.append(kernel)
        if start:
            kernel.start()
        return kernel

    yield run
    for kernel in opened:
        kernel.stop()


def lines(home):
    return (home / "steps.log").read_text().split()


def ended_once(kernel, status="done"):
    row = kernel.jobs.wait(1, 60)
    assert row.status == status, row.error
    receipts = kernel.receipts.list("default")
    assert [r.status for r in receipts] == [status, "started"]
    assert kernel.receipts.for_job(1).id == receipts[0].id
    told = [r.body["event"] for r in kernel.audit.tail("default", 50)]
    assert told.count(f"call.{status}") == 1
    assert [e.kind for e in kernel.events.read("job:1")].count(f"job.{status}") == 1
    assert kernel.audit.verify().intact
    return row


def test_the_next_process_finishes_what_was_cut_off_and_repeats_no_finished_step(
    home, killed, again
):
    killed("crash.steps")
    kernel = again()
    row = ended_once(kernel)
    expected = ["first", "middle", "begun", "middle", "begun", "middle", "done", "last"]
    assert lines(home) == expected
    assert (row.attempts, row.progress) == (2, 1.0)
    assert kernel.receipts.for_job(1).evidence[0].value == 6


def test_a_repeated_call_after_the_crash_finds_the_job(killed, again):
    killed("crash.steps")
    kernel = again()
    owner = RequestContext(kernel.principals.local())
    outcome = kernel.gate.call("crash.steps", {}, owner, idempotency_key="the call")
    assert outcome.job == 1
    ended_once(kernel)


def test_a_child_dies_with_its_killed_parent_and_is_started_anew(home, killed, again):
    killed("crash.computing")
    assert gone(pids_of(home / "pids")[:1]), "the child outlived its parent"
    os.kill(pids_of(home / "pids")[1], signal.SIGKILL)
    ended_once(again())
    assert lines(home) == ["computed"]


def test_an_end_that_was_not_stored_is_stored_by_the_next_process(home, killed, again):
    killed("crash.unfinished")
    ended_once(again())
    assert lines(home) == ["first"]


def test_an_end_that_was_stored_is_not_stored_again(home, killed, again):
    killed("crash.noticed")
    ended_once(again())
    assert lines(home) == ["first"]


def test_a_process_that_is_killed_twice_still_gets_there(home, killed, again):
    killed("crash.steps")
    (home / "go").unlink()
    process = subprocess.Popen(
        [sys.executable, "-c", RESUME, str(home)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert any("IN THE MIDDLE" in line for line in process.stdout or ())
    process.kill()
    process.wait(20)
    process.stdout.close()
    (home / "go").touch()
    assert ended_once(again()).attempts == 3


RESUME = (
    "import sys; from pathlib import Path; from tests.kernel.crashing import operations;"
    "from tools.kernel.kernel import Kernel; from tools.kernel.settings import Settings;"
    "k = Kernel(Settings(home=Path(sys.argv[1])), operations()); k.start(); k.jobs.wait(1, 600)"
)


def test_a_job_cancelled_while_no_process_ran_ends_at_the_next_start(home, killed, again):
    killed("crash.steps")
    waiting = again(start=False)
    assert waiting.jobs.cancel(1, "default").cancelling
    ended_once(again(), "cancelled")
    assert "last" not in lines(home)


def test_a_job_whose_engine_database_is_lost_starts_anew(home, killed, again):
    killed("crash.steps")
    for path in home.glob("jobs.db*"):
        path.unlink()
    ended_once(again())


def test_a_job_that_the_engine_regards_as_finished_ends_as_its_receipt_says(home, killed, again):
    killed("crash.steps")
    kernel = again()
    ended_once(kernel)
    with kernel.database.session() as session:
        session.execute(update(JobRow).values(status="running", result=None, ended=None))
    kernel.stop()
    kernel = again()
    row = kernel.jobs.wait(1, 30)
    assert (row.status, row.result["lines"][-1]) == ("done", "last")


def test_a_job_that_the_engine_gave_up_does_not_hang_for_ever(home, killed, again):
    killed("crash.steps")
    import sqlite3

    with sqlite3.connect(home / "jobs.db") as raw:
        raw.execute("update workflow_status set status = 'ERROR'")
    raw.close()
    row = ended_once(again(), "failed")
    assert "cannot go on" in row.error["message"]


def test_an_operation_that_is_gone_after_an_update_fails_its_job(home, killed, again):
    killed("crash.steps")
    kernel = again(start=False)
    kernel.operations._operations.pop("crash.steps")
    kernel.start()
    row = ended_once(kernel, "failed")
    assert row.error["code"] == "not_found"
