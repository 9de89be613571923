"""The way to a Ray cluster: bounded in time, and with errors that a person can act on."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tools.kernel.child import emit
from tools.kernel.errors import Unavailable

_KNOCK_SECONDS = 5.0
_CONNECT_SECONDS = 60.0


def connect(address: str) -> Any:
    """Join a cluster from this process, whose only task that is.

    Args:
        address: `host:port` of the cluster's head.

    Returns:
        The module `ray`, connected.

    Raises:
        Unavailable: if no cluster answers there.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _KNOCK_SECONDS).close()
    except (OSError, OverflowError) as error:
        raise _silent(address, str(error)) from error
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    import ray

    with _given_up_after(_CONNECT_SECONDS, _silent(address, "no answer in time")):
        try:
            ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise _silent(address, str(error).strip().partition("\n")[0]) from error
    return ray


def _silent(address: str, why: str) -> Unavailable:
    return Unavailable(
        f"No Ray cluster could be joined at {address}: {why}.",
        hint="Start one, with a node on this machine and the same token as here if Ray asks for "
        "one, or unset PILOTHOUSE_RAY_ADDRESS to compute here.",
    )


@contextmanager
def _given_up_after(seconds: float, error: Unavailable) -> Iterator[None]:
    """End this process with an error if the work inside takes longer: Ray itself waits on."""

    def give_up() -> None:
        emit(error=error.as_dict())
        os._exit(1)

    timer = threading.Timer(seconds, give_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
