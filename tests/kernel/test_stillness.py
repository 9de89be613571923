"""Who measures a time has the machine alone for it, and nobody waits without end."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tools.kernel import stillness
from tools.kernel.stillness import Stillness

HOLDER = """
import sys
from pathlib import Path
from tools.kernel.stillness import Stillness

mine = Stillness(Path(sys.argv[1]))
if sys.argv[2] == "computing":
    mine.enter()
    print("ready", flush=True)
    sys.stdin.read()
else:
    with mine.alone():
        print("ready", flush=True)
        sys.stdin.read()
"""


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Start a process that computes without an end, or measures without one."""
    begun: list[subprocess.Popen[str]] = []

    def start(what: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOLDER, str(tmp_path), what]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        begun.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        return process

    yield start
    for process in begun:
        process.kill()
        process.communicate()


def test_who_computes_stands_still_between_two_steps_while_another_measures(tmp_path: Path) -> None:
    computing, measuring = Stillness(tmp_path), Stillness(tmp_path)
    computing.enter()
    stop, steps, seen = threading.Event(), list[int](), list[int]()

    def compute() -> None:
        while not stop.is_set():
            steps.append(1)
            computing.pass_by()

    with ThreadPoolExecutor(1) as pool:
        worker = pool.submit(compute)
        for _ in range(2):
            while len(steps) == (seen[-1] if seen else 0):
                assert not stop.wait(0.01)
            with measuring.alone() as found:
                seen.append(len(steps))
                assert not stop.wait(0.2)
                seen.append(len(steps))
            assert found.alone
        stop.set()
        worker.result(30)
    assert seen[0] == seen[1] < seen[2] == seen[3]


def test_a_measurement_that_nobody_lets_in_is_made_beside_the_others_and_says_so(
    tmp_path: Path, other: Callable[[str], subprocess.Popen[str]]
) -> None:
    other("computing")
    with Stillness(tmp_path, wait=0.1).alone() as found:
        pass
    assert found.alone is False


def test_who_computes_goes_on_beside_a_measurement_without_end_and_waits_for_it_once(
    tmp_path: Path, other: Callable[[str], subprocess.Popen[str]]
) -> None:
    measuring = other("measuring")
    computing = Stillness(tmp_path, still=0.1)
    computing.enter()
    computing.pass_by()
    with Stillness(tmp_path, wait=0.1, still=0.1).alone() as beside:
        pass
    assert beside.alone is False
    measuring.kill()
    measuring.wait()
    computing.pass_by()
    with (tmp_path / "computing.lock").open() as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.parametrize("what", ["computing", "measuring"])
def test_a_process_that_is_killed_holds_nobody_up(
    tmp_path: Path, other: Callable[[str], subprocess.Popen[str]], what: str
) -> None:
    process = other(what)
    process.kill()
    process.wait()
    mine = Stillness(tmp_path, wait=0.1)
    with mine.alone() as found:
        pass
    assert found.alone


def test_a_measurement_that_takes_longer_than_others_stand_still_was_not_alone(
    tmp_path: Path,
) -> None:
    with Stillness(tmp_path, still=0.0).alone() as found:
        pass
    assert found.alone is False


def test_a_process_that_was_told_of_no_home_takes_no_part() -> None:
    with stillness.alone() as found:
        stillness.pass_by()
    assert found.alone is None
    assert stillness.told([]) == []
    assert "Latency of trial 2, trial 3 was" in stillness.told(["trial 2", "trial 3"])[0]
