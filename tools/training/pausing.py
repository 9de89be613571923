"""Pausing: a file in the job's folder asks for it; the computing process stops at a checkpoint.

While a training is paused no process computes for it and no memory is held; it goes on from its
checkpoint, after a restart of the platform too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel.child import Killed
from tools.training.cluster.placing import KILLED, placed

if TYPE_CHECKING:
    from tools.kernel.jobs import JobContext

PAUSED = "paused"
TRIES = 4
"""How often a process is started that signals end: the first time, and three times more."""


class Paused(Exception):
    """Raised in the computing process, after its checkpoint, when a pause was asked for."""


def marker(workdir: Path) -> Path:
    """The file that stands in a job's folder while it is to be paused."""
    return workdir / "pause"


def is_paused(workdir: Path) -> bool:
    """True while a job is to be paused."""
    return marker(workdir).exists()


def compute(
    job: JobContext,
    module: str,
    spec: dict[str, Any],
    on_event: Callable[[dict[str, Any]], None] | None = None,
    *,
    keep: bool = False,
) -> dict[str, Any]:
    """Run a computing process to its end, over any number of pauses, here or on the cluster.

    A process that a signal ends (the kernel's, where memory is short) is started again and goes on
    from its checkpoint, at most `TRIES` times in all.

    Args:
        job: whose process it is.
        module: what it runs; it answers `{"paused": True, "done": share}` to a pause.
        spec: what it is told; `pause`, the file to look for, is added.
        on_event: receives its events.
        keep: pause after the last try rather than fail, so that a person can let it go on.

    Returns:
        Its result.

    Raises:
        Killed: if it was ended by signals too often, unless `keep`.
    """
    asked, deaths = marker(job.workdir), 0
    reached, why = 0.0, ""

    def follow(event: dict[str, Any]) -> None:
        nonlocal reached
        reached = max(reached, float(event.get("progress", 0.0)))
        if on_event is not None:
            on_event(event)

    while True:
        if asked.exists():
            job.progress(reached, f"{PAUSED}; {why}`resume training job {job.id}` goes on")
            job.wait_while(asked.exists)
            deaths, why = 0, ""
        where, told = placed(job.settings, module, {**spec, "pause": str(asked)})
        try:
            result = job.child(where, told, on_event=follow)
            if KILLED in result:
                log = job.workdir / "child.log"
                raise Killed(job.id, result[KILLED], log, result["host"])
        except Killed as death:
            deaths += 1
            why = _again(job, death, deaths, reached, keep)
            continue
        if not result.get(PAUSED):
            return result
        reached = float(result["done"])


def _again(job: JobContext, death: Killed, deaths: int, reached: float, keep: bool) -> str:
    """Tell of a death and what comes of it; returns why the job is paused, if it is."""
    with (job.workdir / "child.log").open("a") as log:
        log.write(f"\n{death.message} That was try {deaths} of {TRIES}.\n")
    if deaths < TRIES:
        told = f"it goes on from its checkpoint, try {deaths + 1} of {TRIES}"
        job.progress(reached, f"{death.message} So {told}.")
        return ""
    if not keep:
        raise death
    marker(job.workdir).touch()
    return f"{death.message} That was try {deaths} of {TRIES}; "
