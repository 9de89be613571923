"""A schedule outlives kill -9, and what it makes due is carried out once."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from graphs.assistant import Assistant, make_understanding
from tools.catalog import load_operations
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.plan_runs import TOPIC
from tools.kernel.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def killed(home: Path) -> Iterator[Callable[..., float]]:
    """Start a process that keeps a plan, and kill it once it says a word."""
    started: list[subprocess.Popen[str]] = []

    def run(word: str, seconds: float) -> float:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.schedules.keeping", str(home), str(seconds)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        kept = 0.0
        for line in process.stdout or ():
            kept = kept or time.time()
            if word in line:
                break
        os.kill(process.pid, signal.SIGKILL)
        process.wait(20)
        return kept + seconds

    yield run
    for process in started:
        process.kill()
        process.wait()
        if process.stdout:
            process.stdout.close()


@pytest.fixture
def again(home: Path) -> Iterator[Callable[[], Kernel]]:
    """The next process on the home."""
    opened: list[Kernel] = []

    def run() -> Kernel:
        kernel = Kernel(Settings(home=home))
        opened.append(kernel)
        kernel.start()
        return kernel

    yield run
    for kernel in opened:
        kernel.stop()


def became_due(kernel: Kernel) -> int:
    kernel.events.wait(TOPIC, 0, 30)
    return [e.kind for e in kernel.events.read(TOPIC)].count("plan.due")


@pytest.mark.slow
def test_a_moment_to_come_is_kept_over_a_crash(killed, again):
    moment = killed("KEPT", 8)
    kernel = again()
    assert time.time() < moment, "the machine was too slow for this test"
    assert kernel.plan_runs.due() == []
    assert became_due(kernel) == 1


def test_a_moment_that_passed_while_nothing_ran_is_due_at_the_next_start(killed, again):
    killed("KEPT", 0.5)
    kernel = again()
    assert became_due(kernel) == 1
    (run,) = kernel.plan_runs.due()
    assert run.number == 1


@pytest.mark.slow
def test_what_was_due_when_the_process_was_killed_is_carried_out_once(killed, again):
    killed("DUE", 0.2)
    understanding = make_understanding(load_operations())

    async def carried_out(kernel: Kernel) -> None:
        assistant = await Assistant.open(kernel, understanding)
        try:
            after = 0
            while kernel.plan_runs.of("schedule-1")[0].status != "done":
                events = await asyncio.to_thread(kernel.events.wait, TOPIC, after, 30)
                assert events
                after = events[-1].id
        finally:
            await assistant.close()

    kernel = again()
    asyncio.run(carried_out(kernel))
    owner = RequestContext(kernel.principals.local())
    (conversation,) = {r.conversation for r in kernel.receipts.list("default") if r.plan}
    receipts = kernel.receipts.list("default", conversation=conversation)
    assert [r.operation for r in receipts] == ["datasets.list"]
    kernel.stop()
    kernel = again()
    asyncio.run(_open_and_close(kernel, understanding))
    assert len(kernel.receipts.list(owner.tenant, conversation=conversation)) == 1


async def _open_and_close(kernel: Kernel, understanding) -> None:
    assistant = await Assistant.open(kernel, understanding)
    await assistant.close()
