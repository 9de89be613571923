"""Where a training computes: in a process of this machine, or on the cluster that is set."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import Unavailable

if TYPE_CHECKING:
    from tools.kernel.settings import Settings

DRIVER = "tools.training.cluster.driver"
KILLED = "killed"
"""The key of an answer of the driver's that is no result: the signal that ended the process."""


def placed(settings: Settings, module: str, spec: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """The child to start on this machine, and what it is told.

    Args:
        settings: `ray_address` says whether there is a cluster.
        module: the computing process.
        spec: what it is told.

    Returns:
        Both as they came, or the process that follows them on the cluster.

    Raises:
        Unavailable: if a cluster is set and Ray is not installed.
    """
    if settings.ray_address is None:
        return module, spec
    if find_spec("ray") is None:
        raise Unavailable(
            "PILOTHOUSE_RAY_ADDRESS is set, and Ray is not installed here.",
            hint="`make setup` installs it, and so does `pip install -e '.[cluster]'`.",
        )
    order = {
        "address": settings.ray_address,
        "module": module,
        "spec": spec,
        "threads": settings.threads,
        "workers": 1 if "answers" in spec else settings.ray_workers,  # a trial is one process
    }
    return DRIVER, order
