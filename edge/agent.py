"""The device's program: it polls, applies, serves and reports, each in its own thread."""

from __future__ import annotations

import contextlib
import json
import random
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from edge.counters import Counters
from edge.errors import EdgeError, LockedOut, NotNow, Refused, Retired, Superseded, Unreachable
from edge.fetch import Fetcher
from edge.files import write_atomic
from edge.guard import Guard
from edge.handover import HandOver, Policy
from edge.identity import Identity
from edge.profiles import PROFILES
from edge.reporting import Reporter, State
from edge.runtime import Runtime
from edge.samples import Samples
from edge.serve import PredictionServer, ServeOptions
from edge.slots import SlotStore
from edge.states import States
from edge.throttle import Throttle
from edge.trust import Trust
from edge.updater import Updater
from edge.wake import Waker
from edge.wire import LONG_POLL_SECONDS, Client, Desired, Report

_BACK_OFF_SECONDS = 0.2
_LONGEST_REFUSAL_SECONDS = 60.0
_LOCKED_OUT_TROUBLE = 7
_SELF_CHECK_SECONDS = 30.0
_TRIAL_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Options:
    """How a device behaves; the defaults suit a handful of devices.

    Attributes:
        serve: where it serves.
        report_seconds: time between reports of a device that does not save polls.
        poll_seconds: 0 holds a poll open all the time; more is the time between short polls, and
            reports are then sent only when they say something new.
        mqtt: URL of the broker that wakes it; None for none.
        bytes_per_second: bound of downloads; None for none.
        handover: when requests go to a server group.
        privacy: what is kept of requests: off, redacted or texts.
        sample_share: of the requests, 0 to 1.
        input_counts: True to report how long inputs are, the hashed class of a word of each, and
            where its embedding lies.
    """

    serve: ServeOptions = field(default_factory=ServeOptions)
    report_seconds: float = 3.0
    poll_seconds: float = 0.0
    mqtt: str | None = None
    bytes_per_second: float | None = None
    handover: Policy = field(default_factory=Policy)
    privacy: str = "off"
    sample_share: float = 0.01
    input_counts: bool = False


class Agent:
    """One device.

    Args:
        server: base URL of the platform.
        home: the device's folder.
        identity: from enrolment.
        options: how it behaves.
    """

    def __init__(self, server: str, home: Path, identity: Identity, options: Options) -> None:
        self._home, self._options = home, options
        self._client = Client(server, identity, keep=lambda renewed: renewed.save(home))
        self._slots = SlotStore(home)
        self._guard = Guard(self._give_up)
        self._runtime = Runtime(PROFILES[identity.profile], self._guard)
        self._trust = Trust(identity.platform_key, home, identity.keys_serial)
        throttle = Throttle(options.bytes_per_second)
        fetcher = Fetcher(self._client, home / "incoming", self._trust, throttle)
        self._updater = Updater(
            self._trust, self._slots, fetcher, self._runtime, home / "loading.json"
        )
        counters = Counters(options.input_counts)
        handover = HandOver(options.handover, identity.device)
        self._server = PredictionServer(
            options.serve,
            identity.device,
            self._runtime,
            counters,
            self._health,
            handover,
            Samples(home / "samples.jsonl", options.privacy, options.sample_share),
        )
        pointer = self._slots.pointer()
        self._state = State(pointer.generation, max(pointer.seen, pointer.generation))
        self._failed = pointer.failed
        self._reporter = Reporter(
            home, self._state, self._slots, self._runtime, counters, handover, self._server.address
        )
        self._handover = handover
        self._wanted: Desired | None = None
        self._no_good: str | None = None
        self._states = States(self._trust, identity.public_pem, self._renew_keys)
        self._refused: str | None = None
        self._changed = threading.Condition()
        self._report_now = threading.Event()
        self._poll_now = threading.Event()
        self._stopping = threading.Event()
        self._waker = (
            Waker(options.mqtt, identity.wake_topic, self._poll_now.set) if options.mqtt else None
        )
        self.retired = False

    @property
    def address(self) -> str:
        """Where predictions are served."""
        return self._server.address

    def run(self) -> None:
        """Serve until `stop` is called or the server says that the device is retired."""
        trouble = self._updater.restore()
        pointer = self._slots.pointer()
        if pointer.failed >= 0:
            self._failed, trouble = pointer.failed, trouble or pointer.reason
            self._state.applied, self._state.attempted = pointer.generation, pointer.failed
            self._state.phase, self._state.error = "failed", f"fell back: {pointer.reason}"
        elif trouble is not None:
            self._state.applied, self._state.error = -1, trouble  # it has to be brought here again
        with contextlib.suppress(OSError):  # a full disk must not keep the device from serving
            told = json.dumps({"address": self._server.address}).encode()
            write_atomic(self._home / "address.json", told)
        loops = (self._poll_loop, self._apply_loop, self._report_loop)
        threads = [
            threading.Thread(target=self._guard_loop, args=(loop,), daemon=True) for loop in loops
        ]
        serving = threading.Thread(target=self._server.serve_forever, daemon=True)
        for thread in (serving, *threads, *([self._waker] if self._waker else [])):
            thread.start()
        self._stopping.wait()
        self._server.shutdown()
        self._server.server_close()

    def stop(self) -> None:
        """Make `run` return."""
        self._stopping.set()
        self._report_now.set()
        self._poll_now.set()
        with self._changed:
            self._changed.notify_all()

    def _guard_loop(self, loop: Any) -> None:
        while not self._stopping.is_set():
            try:
                loop()
            except Retired:
                self.retired = True
                self.stop()
            except Exception as error:  # whatever it is, the device must stay reachable
                self._fail(f"{type(error).__name__}: {error}")
                self._stopping.wait(back_off(3))

    def _give_up(self, reason: str) -> None:
        with self._changed:
            self._no_good = reason
            self._changed.notify_all()

    def _fail(self, error: str) -> None:
        self._state.phase, self._state.error = "failed", error
        self._report_now.set()

    def _poll_loop(self) -> None:
        etag: str | None = None
        trouble = 0
        quiet = self._options.poll_seconds > 0
        while not self._stopping.is_set():
            self._poll_now.clear()
            try:
                with contextlib.suppress(Unreachable, OSError):
                    self._client.renew_when_due()
                found = self._client.desired(
                    etag, 0 if quiet else LONG_POLL_SECONDS, self._reporter.holds if quiet else None
                )
                desired = None if found is None else self._states.read(found)
            except Retired:
                raise
            except EdgeError as error:
                if isinstance(error, Refused):
                    self._doubt(str(error))
                trouble = _LOCKED_OUT_TROUBLE if isinstance(error, LockedOut) else trouble + 1
                self._stopping.wait(back_off(trouble))
                continue
            trouble = 0
            self._doubt(None)
            if self._client.report_wanted:
                self._reporter.forget()
                self._report_now.set()
            if found is not None and desired is not None:
                etag = self._want(desired, found.etag)
            if quiet:
                self._poll_now.wait(self._options.poll_seconds * random.uniform(0.8, 1.2))  # noqa: S311

    def _want(self, desired: Desired, etag: str) -> str:
        """Take over what is desired, unless the device has seen something newer already."""
        heard = -1 if self._wanted is None else self._wanted.generation
        if desired.generation < max(self._slots.pointer().seen, heard):
            self._reporter.forget()
            self._report_now.set()  # the server goes past what the report says was seen
            return etag
        with self._changed:
            self._wanted = desired
            self._changed.notify_all()
        return etag

    def _doubt(self, refused: str | None) -> None:
        """Tell in the report why what is desired is not believed, until it is again."""
        if refused == self._refused:
            return
        if refused is not None or self._state.error == self._refused:
            self._state.error = refused
        self._refused = refused
        self._report_now.set()

    def _apply_loop(self) -> None:
        trouble = 0
        while not self._stopping.is_set():
            desired = self._next_desired()
            if self._no_good is not None:
                self._fall_back()
                continue
            if desired is None:
                continue
            try:
                self._apply(desired)
                trouble = 0
            except Superseded:
                continue
            except Unreachable as error:
                trouble += 1
                self._state.error = str(error)
                self._stopping.wait(back_off(trouble))
            except (NotNow, OSError) as error:
                trouble += 1
                self._fail(str(error))
                self._wait_for_newer(desired, back_off(trouble, _LONGEST_REFUSAL_SECONDS))
            except Refused as error:
                self._failed = desired.generation
                self._fail(str(error))

    def _wait_for_newer(self, desired: Desired, seconds: float) -> None:
        """Wait before the same is tried again, unless something newer comes."""
        with self._changed:
            self._changed.wait_for(lambda: self._wanted is not desired, seconds)

    def _next_desired(self) -> Desired | None:
        with self._changed:
            wanted = self._wanted
            if self._no_good is None and (wanted is None or self._is_done(wanted)):
                self._changed.wait()
                return None
            return wanted

    def _is_done(self, wanted: Desired) -> bool:
        """True if there is nothing to do for a desired state, or nothing that would help."""
        if wanted.generation == self._failed:
            return True
        return wanted.generation == self._state.applied and self._updater.is_ready(wanted)

    def _fall_back(self) -> None:
        """Serve the former model: what serves now is no good."""
        reason, self._no_good = self._no_good or "", None
        failed = self._state.attempted
        if not self._updater.fall_back(reason):
            self._state.error, self._state.sound = reason, False
            self._report_now.set()
            return
        self._failed = failed
        self._state.applied, self._state.sound = -1, True
        self._fail(f"fell back: {reason}")

    def _try_again(self) -> None:
        """After a while without trouble, bring once more what the program seemed to die under."""
        with contextlib.suppress(OSError), self._changed:
            if self._slots.try_again():
                self._failed = -1
                self._changed.notify_all()

    def _apply(self, desired: Desired) -> None:
        def go_on() -> None:
            if self._stopping.is_set() or self._wanted is not desired:
                raise Superseded("something newer is desired")

        state = self._state
        state.attempted, state.phase, state.error = desired.generation, "working", None
        self._renew_keys()
        self._updater.apply(desired, go_on)
        state.applied, state.phase, state.error = desired.generation, "idle", None
        state.sound = True
        self._report_now.set()

    def _renew_keys(self) -> None:
        """Take over the platform's newer keys, before something that they signed arrives."""
        for document, signature in self._client.keys(self._trust.serial):
            self._trust.adopt(document, signature)

    def _report_loop(self) -> None:
        checked = started = time.monotonic()
        quiet = self._options.poll_seconds > 0
        while not self._stopping.is_set():
            now = time.monotonic()
            if now - started > _TRIAL_SECONDS and self._state.phase == "idle":
                with contextlib.suppress(OSError):
                    self._slots.prove()
            if now - started > _TRIAL_SECONDS and self._state.phase == "failed":
                self._try_again()
            if now - checked > _SELF_CHECK_SECONDS:
                self._self_check()
                checked = now
            self._report_now.clear()
            if not quiet:
                self._reporter.forget()
            if (report := self._reporter.due()) is not None:
                self._send(report)
            self._report_now.wait(self._options.report_seconds * random.uniform(0.8, 1.2))  # noqa: S311

    def _send(self, report: Report) -> None:
        try:
            self._reporter.answered(report, self._client.report(report.encode()))
        except Unreachable:
            return
        except Refused:
            self._reporter.start_anew(report.boot)

    def _self_check(self) -> None:
        for arm in self._runtime.arms:
            try:
                arm.model.warm_up()
            except Refused as error:
                self._give_up(f"self-check: {error}")

    def _health(self) -> dict[str, Any]:
        state = self._state
        return {
            "healthy": state.sound and bool(self._runtime.arms),
            "device": self._server.device,
            "serving": [
                {"model": a.assignment.model, "version": a.assignment.version}
                for a in self._runtime.arms
            ],
            "phase": state.phase,
            "error": state.error,
            "handed_over": self._handover.handed,
            "handed_to": self._handover.last,
        }


def back_off(trouble: int, most: float = 15.0) -> float:
    """Seconds to wait after the n-th failure in a row: doubling up to `most`, with full jitter."""
    first = _BACK_OFF_SECONDS
    return random.uniform(first, min(most, first * 2 ** min(trouble, 10)))  # noqa: S311
