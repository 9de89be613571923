"""The official conformance suite against our builder and transport."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.node import peers, run_node

ROOT = Path(__file__).resolve().parents[2]
VERSION = "2025-11-25"


@pytest.fixture
def everything() -> Iterator[str]:
    """The address of a server with one of everything that the protocol knows."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.mcp_servers.everything"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout is not None
    yield server.stdout.readline().strip()
    server.terminate()
    server.wait(20)


@pytest.mark.timeout(400)
def test_every_server_scenario_of_the_official_suite_passes(everything: str) -> None:
    suite = str(peers() / "@modelcontextprotocol" / "conformance" / "dist" / "index.js")
    known = run_node(suite, "list", "--server").stdout
    wanted = {
        name for name, of in re.findall(r"^\s+- (\S+) \[(.+)\]$", known, re.M) if VERSION in of
    }
    done = run_node(
        suite, "server", "--url", everything, "--suite", "all", "--spec-version", VERSION
    )
    passed = dict(re.findall(r"^✓ (\S+): (\d+) passed, 0 failed$", done.stdout, re.M))
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(wanted) >= 32 and set(passed) == wanted
    assert all(int(checks) > 0 for checks in passed.values())
    assert re.search(r"Total: (\d+) passed, 0 failed", done.stdout)
