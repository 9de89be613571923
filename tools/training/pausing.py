"""Pausing: a file in the job's folder asks for it; the computing process stops at a checkpoint.

While a training is paused no process computes for it and no memory is held; it goes on from its
checkpoint, after a restart of the platform too.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.training.cluster.placing import placed

if TYPE_CHECKING:
    from tools.kernel.jobs import JobContext

PAUSED = "paused"


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
) -> dict[str, Any]:
    """Run a computing process to its end, over any number of pauses, here or on the cluster.

    Args:
        job: whose process it is.
        module: what it runs; it answers `{"paused": True, "done": share}` to a pause.
        spec: what it is told; `pause`, the file to look for, is added.
        on_event: receives its events.

    Returns:
        Its result.
    """
    asked = marker(job.workdir)
    done = 0.0
    while True:
        if asked.exists():
            job.progress(done, f"{PAUSED}; `resume training job {job.id}` goes on")
            job.wait_while(asked.exists)
        where, told = placed(job.settings, module, {**spec, "pause": str(asked)})
        result = job.child(where, told, on_event=on_event)
        if not result.get(PAUSED):
            return result
        done = float(result["done"])
