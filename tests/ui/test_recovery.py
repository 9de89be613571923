"""A conversation and its job outlive the platform process: kill -9 in the middle of a training."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.ui.homes import Home
from ui.turn import Json, Turn

SENTENCE = "train only the head on the bundled tickets, then evaluate it on the held-out split"


@pytest.mark.timeout(400)
@pytest.mark.slow
def test_a_killed_platform_goes_on_with_the_turn_and_does_nothing_twice(empty: Home) -> None:
    pid = empty.json("up")["pid"]
    client = empty.client()

    def kill_when_it_computes(event: Json) -> None:
        if event["kind"] == "progress" and event["message"] != "job 1 started":
            os.kill(pid, signal.SIGKILL)

    turn = Turn(thread="survivor")
    turn.follow(client.ask(SENTENCE, "survivor", auto_confirm=True), kill_when_it_computes)
    assert turn.error is not None and "--watch" in turn.error["hint"]
    _until_dead(pid)
    told = empty.json("threads", "survivor", "--watch", timeout=300)
    assert told["status"] == "done", told
    assert told["failures"] == {} and list(told["results"]) == ["s1", "s2"]
    receipts = empty.json("receipts", "--thread", "survivor")
    done = [r["operation"] for r in receipts if r["status"] == "done"]
    assert sorted(done) == ["evaluation.run", "training.start"]
    assert empty.json("audit", "verify")["intact"]


def _until_dead(pid: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        time.sleep(0.05)
