"""Where nothing can be written, nothing is done, and afterwards all goes on."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = textwrap.dedent(
    """
    import resource, sys
    from pathlib import Path
    from tests.kernel.lab import World, operations
    from tools.kernel.errors import PilothouseError
    from tools.kernel.identity import RequestContext
    from tools.kernel.kernel import Kernel
    from tools.kernel.settings import Settings

    home, way = Path(sys.argv[1]), sys.argv[2]
    kernel = Kernel(Settings(home=home), operations())
    owner = RequestContext(kernel.principals.local())
    world = kernel.get(World)
    kernel.gate.call("lab.put", {"shelf": "before"}, owner)

    def fill():
        if way == "limit":
            resource.setrlimit(resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
        elif way == "readonly":
            kernel.database.close()
            from sqlalchemy import event
            event.listen(
                kernel.database.engine, "connect",
                lambda c, r: c.execute("PRAGMA query_only=1"),
            )
        else:
            with (home / "filler").open("wb") as f:
                try:
                    while True:
                        f.write(b"x" * 65536)
                        f.flush()
                except OSError:
                    pass

    def free():
        if way == "limit":
            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        elif way == "tmpfs":
            (home / "filler").unlink()

    fill()
    refused = 0
    for attempt in range(60):
        acts = len(world.acts)
        try:
            kernel.gate.call("lab.put", {"shelf": f"s{attempt}"}, owner)
        except PilothouseError as error:
            refused += 1
            told = error.code
            done = len(world.acts) - acts
            assert done == 0 or "was done, but its receipt" in error.message, (error, done)
    free()
    if way != "readonly":
        kernel.gate.call("lab.put", {"shelf": "after"}, owner)
    verdict = kernel.audit.verify()
    assert verdict.intact, verdict.problem
    print("refused" if refused else "never full", told if refused else "")
    """
)


def run(home: Path, way: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(home), way],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.mark.parametrize("way", ["limit", "readonly"])
def test_what_cannot_be_recorded_is_not_done(home, way):
    assert run(home, way) == "refused unavailable"


@pytest.fixture
def small_disk(home, tmp_path):
    """The home on a disk with little space left."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = ["mount", "-t", "tmpfs", "-o", "size=12m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(mounted, capture_output=True).returncode != 0:
        pytest.skip("a small disk cannot be mounted here")
    try:
        subprocess.run(["cp", "-a", f"{home}/.", str(place)], check=True)
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_on_a_full_disk_nothing_is_done_until_there_is_space_again(small_disk):
    assert run(small_disk, "tmpfs") == "refused unavailable"
