"""kill -9 of the platform in the middle of a rollout: it finishes, and nothing is done twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import pytest

from tests.support.fleet import ROOT, DeviceServer, FleetUnderTest
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings


def platform(home: Path, port: int) -> subprocess.Popen[str]:
    """A platform process that serves devices and runs jobs."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.rollout_platform", str(home), str(port)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert readline(process.stdout) == str(port)
    return process


def readline(stream: IO[str] | None) -> str:
    assert stream is not None
    return stream.readline().strip()


def start(process: subprocess.Popen[str], **arguments: Any) -> int:
    """Start a rollout in the platform process; answers with the job's number."""
    assert process.stdin is not None
    line = json.dumps({"operation": "deployment.start", "arguments": arguments})
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return int(readline(process.stdout))


@pytest.mark.slow
def test_a_rollout_goes_on_after_kill_9_and_nothing_is_done_twice(
    home: Path, tmp_path: Path
) -> None:
    kernel = Kernel(Settings(home=home, device_report_seconds=8.0))
    server = DeviceServer(kernel)
    context = RequestContext(kernel.principals.local())
    fleet = FleetUnderTest(kernel, context, tmp_path, server)
    process: subprocess.Popen[str] | None = None
    try:
        version = fleet.register()
        for name in ("thinkpad-1", "thinkpad-2"):
            fleet.enroll(name)
        server.stop()
        process = platform(home, server.port)
        job = start(
            process, model="ticket-router", version=version, group="thinkpads", strategy="all"
        )
        fleet.freeze_once_planned(version, "thinkpad-2")
        fleet.until(
            lambda: fleet.serving("thinkpad-1") == [("ticket-router", version)], "one has it"
        )

        process.kill()
        process.wait()
        assert fleet.devices["thinkpad-1"].predict("my password")["version"] == version
        fleet.thaw("thinkpad-2")
        process = platform(home, server.port)

        row = kernel.jobs.wait(job, timeout=60)
        assert row.status == "done", row.error
        assert row.attempts == 2
        assert all(fleet.serving(name) == [("ticket-router", version)] for name in fleet.devices)
        assert all(fleet.device(name).generation == 1 for name in fleet.devices)
        receipts = [r for r in kernel.receipts.list("default") if r.job == job]
        assert sorted(r.status for r in receipts) == ["done", "started"]
        told = [e.kind for e in kernel.events.read("deployment")]
        assert told == ["rollout.deploy", "rollout.finished"]
    finally:
        if process is not None:
            process.kill()
        fleet.close()
        kernel.stop()
