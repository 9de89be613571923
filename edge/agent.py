"""The device's program: it polls, applies, serves and reports, each in its own thread."""

from __future__ import annotations

import contextlib
import json
import random
import resource
import shutil
import threading
import time
from pathlib import Path
from typing import Any

from edge import AGENT_VERSION
from edge.counters import Counters
from edge.errors import EdgeError, Refused, Retired, Superseded, Unreachable
from edge.fetch import Fetcher
from edge.files import write_atomic
from edge.identity import Identity
from edge.machine import machine_of
from edge.profiles import PROFILES
from edge.runtime import Runtime
from edge.serve import PredictionServer
from edge.slots import SlotStore
from edge.updater import Updater
from edge.wire import LONG_POLL_SECONDS, Client, Desired, Report

_BACK_OFF_SECONDS = (0.2, 15.0)
_SELF_CHECK_SECONDS = 30.0


class Agent:
    """One device.

    Args:
        server: base URL of the platform.
        home: the device's folder.
        identity: from enrolment.
        port: where predictions are served, on 127.0.0.1; 0 takes a free one.
        report_seconds: time between reports when nothing changes.
    """

    def __init__(
        self, server: str, home: Path, identity: Identity, port: int, report_seconds: float
    ) -> None:
        self._home = home
        self._report_seconds = report_seconds
        self._client = Client(server, identity, keep=lambda renewed: renewed.save(home))
        self._slots = SlotStore(home)
        self._runtime = Runtime(PROFILES[identity.profile])
        self._counters = Counters()
        fetcher = Fetcher(self._client, home / "incoming", identity.platform_key)
        self._updater = Updater(identity, self._slots, fetcher, self._runtime)
        self._server = PredictionServer(
            port, identity.device, self._runtime, self._counters, self._health
        )
        self._boot = _next_boot(home)
        self._sequence = 0
        self._applied = self._slots.pointer().generation
        self._attempted = self._applied
        self._wanted: Desired | None = None
        self._phase, self._error, self._sound = "idle", None, True
        self._changed = threading.Condition()
        self._report_now = threading.Event()
        self._stopping = threading.Event()
        self.retired = False

    @property
    def address(self) -> str:
        """Where predictions are served."""
        return self._server.address

    def run(self) -> None:
        """Serve until `stop` is called or the server says that the device is retired."""
        self._error = self._updater.restore()
        if self._error is not None:
            self._applied = -1  # what is desired has to be brought here again
        write_atomic(
            self._home / "address.json", json.dumps({"address": self._server.address}).encode()
        )
        loops = (self._poll_loop, self._apply_loop, self._report_loop)
        threads = [
            threading.Thread(target=self._guard, args=(loop,), daemon=True) for loop in loops
        ]
        serving = threading.Thread(target=self._server.serve_forever, daemon=True)
        for thread in (serving, *threads):
            thread.start()
        self._stopping.wait()
        self._server.shutdown()
        self._server.server_close()

    def stop(self) -> None:
        """Make `run` return."""
        self._stopping.set()
        self._report_now.set()
        with self._changed:
            self._changed.notify_all()

    def _guard(self, loop: Any) -> None:
        while not self._stopping.is_set():
            try:
                loop()
            except Retired:
                self.retired = True
                self.stop()
            except Exception as error:  # whatever it is, the device must stay reachable
                self._phase, self._error = "failed", f"{type(error).__name__}: {error}"
                self._report_now.set()
                self._stopping.wait(_back_off(3))

    def _poll_loop(self) -> None:
        etag: str | None = None
        trouble = 0
        while not self._stopping.is_set():
            try:
                self._client.renew_when_due()
                found = self._client.desired(etag, LONG_POLL_SECONDS)
            except Retired:
                raise
            except EdgeError:
                trouble += 1
                self._stopping.wait(_back_off(trouble))
                continue
            trouble = 0
            if found is not None:
                desired, etag = found
                with self._changed:
                    self._wanted = desired
                    self._changed.notify_all()

    def _apply_loop(self) -> None:
        failed, trouble = -1, 0
        while not self._stopping.is_set():
            desired = self._next_desired(failed)
            if desired is None:
                continue
            try:
                self._apply(desired)
                trouble = 0
            except Superseded:
                continue
            except Unreachable as error:
                trouble += 1
                self._error = str(error)
                self._stopping.wait(_back_off(trouble))
            except (Refused, OSError) as error:
                failed = desired.generation
                self._phase, self._error = "failed", str(error)
                self._report_now.set()

    def _next_desired(self, failed: int) -> Desired | None:
        with self._changed:
            wanted = self._wanted
            if wanted is None or wanted.generation in (self._applied, failed):
                self._changed.wait()
                return None
            return wanted

    def _apply(self, desired: Desired) -> None:
        def go_on() -> None:
            if self._stopping.is_set() or self._wanted is not desired:
                raise Superseded("something newer is desired")

        self._attempted, self._phase, self._error = desired.generation, "working", None
        self._updater.apply(desired, go_on)
        self._applied, self._phase, self._error = desired.generation, "idle", None
        self._sound = True
        self._report_now.set()

    def _report_loop(self) -> None:
        checked = time.monotonic()
        while not self._stopping.is_set():
            if time.monotonic() - checked > _SELF_CHECK_SECONDS:
                self._sound, checked = self._self_check(), time.monotonic()
            self._report_now.clear()
            with contextlib.suppress(Unreachable, Refused):
                self._client.report(self._report().encode())
            self._report_now.wait(self._report_seconds * random.uniform(0.8, 1.2))  # noqa: S311

    def _self_check(self) -> bool:
        try:
            for arm in self._runtime.arms:
                arm.model.warm_up()
        except Refused as error:
            self._error = f"self-check: {error}"
            return False
        return True

    def _report(self) -> Report:
        self._sequence += 1
        arms = self._runtime.arms
        return Report(
            boot=self._boot,
            sequence=self._sequence,
            generation=self._applied,
            attempted=self._attempted,
            phase=self._phase,
            healthy=self._sound,
            serving=[arm.assignment for arm in arms],
            staged=self._runtime.prepared,
            slots=self._slots.content(),
            error=self._error,
            traffic=self._counters.traffic(),
            p50_ms=self._counters.latency(0.5),
            p95_ms=self._counters.latency(0.95),
            memory_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
            free_disk_mb=round(shutil.disk_usage(self._home).free / (1 << 20), 1),
            address=self._server.address,
            agent=AGENT_VERSION,
            machine=machine_of(self._home),
        )

    def _health(self) -> dict[str, Any]:
        return {
            "healthy": self._sound and bool(self._runtime.arms),
            "device": self._server.device,
            "serving": [
                {"model": a.assignment.model, "version": a.assignment.version}
                for a in self._runtime.arms
            ],
            "phase": self._phase,
            "error": self._error,
        }


def _next_boot(home: Path) -> int:
    path = home / "boot"
    number = int(path.read_text()) + 1 if path.exists() else 1
    write_atomic(path, str(number).encode())
    return number


def _back_off(trouble: int) -> float:
    """Seconds to wait after the n-th failure in a row: doubling, at most 15 s, with full jitter."""
    first, most = _BACK_OFF_SECONDS
    return random.uniform(first, min(most, first * 2 ** min(trouble, 10)))  # noqa: S311
