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
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edge.agent import Agent, Options
from edge.errors import EdgeError, Refused, Unreachable
from edge.handover import Policy
from edge.identity import Identity, device_key, enrolment_request
from edge.machine import machine_of
from edge.profiles import PROFILES
from edge.samples import PRIVACY
from edge.serve import ServeOptions
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
        try:
            agent = Agent(options.server, home, identity, _behaviour(options))
        except (Refused, OSError) as error:
            print(f"cannot start: {error}", file=sys.stderr)
            return REFUSED
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
    told = enrolment_request(options.name, token, key, machine_of(home))
    answer = Client(options.server).enroll(told)
    if answer["profile"] not in PROFILES:
        raise Refused(f"unknown profile {answer['profile']!r}")
    identity = Identity(
        device=answer["device"],
        profile=answer["profile"],
        credential=answer["credential"],
        platform_key=answer["platform_key"],
        private_key=(home / "device.key").read_text(),
        seconds=float(answer["seconds"]),
        keys_serial=int(answer["keys_serial"]),
        wake_topic=answer["wake_topic"],
    )
    identity.save(home)
    return identity


def _behaviour(options: argparse.Namespace) -> Options:
    """The command line as the agent takes it; secrets come from the environment."""
    key = os.environ.get("PILOTHOUSE_DEVICE_KEY") or None
    rate = options.max_kilobytes * 1000 if options.max_kilobytes else None
    return Options(
        serve=ServeOptions(options.port, options.host, key),
        report_seconds=options.report_seconds,
        poll_seconds=options.poll_seconds,
        mqtt=options.mqtt,
        bytes_per_second=rate,
        handover=Policy(
            servers=tuple(options.hand_over),
            below=options.below,
            longer=options.longer,
            key=os.environ.get("PILOTHOUSE_SERVER_KEY") or key,
        ),
        privacy=options.samples,
        sample_share=options.sample_share,
        input_counts=options.input_counts,
    )


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m edge", description="Pilothouse's program for a device."
    )
    add = parser.add_argument
    add("--server", required=True, help="base URL of the platform")
    add("--name", help="the device's name (first start only)")
    add("--token", help="one-time enrolment token (first start only); or PILOTHOUSE_DEVICE_TOKEN")
    add("--home", type=Path, required=True, help="the device's folder")
    add("--port", type=int, default=0, help="for predictions; 0 takes a free one")
    add("--host", default="127.0.0.1", help="address to serve on; set PILOTHOUSE_DEVICE_KEY too")
    add("--report-seconds", type=_positive, default=3.0, help="time between reports")
    add("--poll-seconds", type=_share(86400), default=0.0, help="0: a poll is always held open")
    add("--mqtt", help="mqtt://host:1883 of a broker that wakes this device")
    add("--max-kilobytes", type=_positive, help="a second, for downloads; no limit if not given")
    add("--hand-over", action="append", default=[], help="URL of a server group's device; repeat")
    add("--below", type=_share(1), default=0.6, help="hand over under this confidence, 0 to 1")
    add("--longer", type=int, help="hand over texts of more characters")
    add("--samples", choices=PRIVACY, default="off", help="what is kept of requests, here only")
    add("--sample-share", type=_share(1), default=0.01, help="of the requests, 0 to 1")
    add(
        "--input-counts",
        action="store_true",
        help="report how long inputs are, the hashed class of one word of each, and where its "
        "embedding lies, never a text, so that drift shows",
    )
    options = parser.parse_args(arguments)
    if options.host not in ("127.0.0.1", "::1", "localhost") and not os.environ.get(
        "PILOTHOUSE_DEVICE_KEY"
    ):
        parser.error("--host opens this device to others: set PILOTHOUSE_DEVICE_KEY to a secret")
    return options


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return number


def _share(most: float) -> Callable[[str], float]:
    def read(text: str) -> float:
        number = float(text)
        if not 0 <= number <= most:
            raise argparse.ArgumentTypeError(f"{text} is not between 0 and {most:g}")
        return number

    return read


if __name__ == "__main__":
    sys.exit(main())
