"""`python -m edge --server URL --name NAME --token TOKEN --home DIR`: enrol if needed, then run."""

from __future__ import annotations

import argparse
import fcntl
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

from edge.agent import Agent
from edge.errors import EdgeError, Refused, Unreachable
from edge.identity import Identity, device_key, enrolment_request
from edge.profiles import PROFILES
from edge.wire import Client

RETIRED, REFUSED = 3, 2
_ENROL_SECONDS = 60.0


def main(arguments: list[str] | None = None) -> int:
    """Run the device's program until it is stopped (0), refused (2) or retired (3)."""
    options = _options(arguments)
    home: Path = options.home.expanduser().resolve()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (home / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another device program runs in {home}", file=sys.stderr)
            return REFUSED
        try:
            identity = Identity.load(home) or enroll_patiently(options, home)
        except EdgeError as error:
            print(f"enrolment failed: {error}", file=sys.stderr)
            return REFUSED
        agent = Agent(options.server, home, identity, options.port, options.report_seconds)
        for number in (signal.SIGTERM, signal.SIGINT):
            # not in the handler itself: it would wait for locks that its own thread may hold
            signal.signal(number, lambda *_: threading.Thread(target=agent.stop).start())
        print(f"{identity.device} serves predictions at {agent.address}", flush=True)
        agent.run()
    if agent.retired:
        Identity.forget(home)
        print(f"{identity.device} is retired", file=sys.stderr)
        return RETIRED
    return 0


def enroll_patiently(options: Any, home: Path) -> Identity:
    """Enrol, and wait up to a minute for a platform that does not answer yet.

    Raises:
        EdgeError: it was refused, or did not answer.
    """
    deadline = time.monotonic() + _ENROL_SECONDS
    while True:
        try:
            return enroll(options, home)
        except Unreachable as error:
            if time.monotonic() > deadline:
                raise
            print(f"trying again: {error}", file=sys.stderr)
            time.sleep(random.uniform(0.2, 2.0))  # noqa: S311


def enroll(options: Any, home: Path) -> Identity:
    """Trade the one-time token for an identity and store it.

    Raises:
        Refused: no token was given, or the platform does not accept it.
        Unreachable: the platform did not answer.
    """
    token: str | None = options.token or os.environ.get("PILOTHOUSE_DEVICE_TOKEN")
    if not token or not options.name:
        raise Refused("this device is not enrolled: --name and --token are needed")
    key = device_key(home)
    answer = Client(options.server).enroll(enrolment_request(options.name, token, key))
    if answer["profile"] not in PROFILES:
        raise Refused(f"unknown profile {answer['profile']!r}")
    identity = Identity(
        device=answer["device"],
        profile=answer["profile"],
        credential=answer["credential"],
        platform_key=answer["platform_key"],
        private_key=(home / "device.key").read_text(),
        seconds=float(answer["seconds"]),
        wake_topic=answer["wake_topic"],
    )
    identity.save(home)
    return identity


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m edge", description="Pilothouse's program for a device."
    )
    parser.add_argument("--server", required=True, help="base URL of the platform")
    parser.add_argument("--name", help="the device's name (first start only)")
    parser.add_argument(
        "--token", help="one-time enrolment token (first start only); or PILOTHOUSE_DEVICE_TOKEN"
    )
    parser.add_argument("--home", type=Path, required=True, help="the device's folder")
    parser.add_argument("--port", type=int, default=0, help="for predictions; 0 takes a free one")
    parser.add_argument("--report-seconds", type=float, default=3.0, help="time between reports")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
