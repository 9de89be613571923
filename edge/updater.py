"""From a desired state to models that serve: fetch, verify, stage, warm up, swap, fall back."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from edge.errors import DiedLoading, Refused
from edge.fetch import Fetcher
from edge.guard import TOO_SLOW, TOO_SLOW_MS
from edge.journal import Journal
from edge.runtime import Arm, LoadedModel, Runtime
from edge.slots import DIED, SlotStore
from edge.trust import Trust
from edge.wire import Assignment, Desired

_STARTS_ON_TRIAL = 3


class Updater:
    """Applies desired states, one at a time, from one thread.

    Args:
        trust: the keys that bundles are checked against.
        slots: the device's slots.
        fetcher: brings bundles.
        runtime: the models in memory.
        journal: the file that notes which model is being loaded.
    """

    def __init__(
        self, trust: Trust, slots: SlotStore, fetcher: Fetcher, runtime: Runtime, journal: Path
    ) -> None:
        self._trust = trust
        self._journal = Journal(journal)
        self._slots = slots
        self._fetcher = fetcher
        self._runtime = runtime

    def is_ready(self, desired: Desired) -> bool:
        """True if what is to be had ready beside the served models is in memory.

        After a start it is not: only what is served is loaded then.
        """
        held = {arm.assignment.bundle for arm in self._runtime.arms} | {*self._runtime.prepared}
        return all(assignment.bundle in held for assignment in desired.stage)

    def restore(self) -> str | None:
        """Serve after a start what the pointer says, or else the last good model.

        Returns:
            Why the pointer's models could not be served, or None if all is well.
        """
        trouble = self._end_trial()
        pointer = self._slots.pointer()
        for serve in (pointer.serve, pointer.previous):
            if not serve:
                continue
            try:
                self._runtime.swap(self._arms(serve), set())
            except Refused as error:
                trouble = trouble or f"after a restart: {error}"
            else:
                return trouble
        return None if self._serves_after_all(pointer.serve) else trouble

    def _serves_after_all(self, serve: tuple[Assignment, ...]) -> bool:
        """Load once more all that there is: who died while loading it may have lost the power."""
        try:
            self._runtime.swap(self._arms(serve), set())
        except Refused:
            return False
        return bool(serve)

    def fall_back(self, reason: str) -> bool:
        """Serve again what was served before, by the device's own decision.

        Args:
            reason: why what is served now is no good.

        Returns:
            False if there is nothing to fall back to.

        Raises:
            Refused: the former model is no good either; nothing has changed.
        """
        pointer = self._slots.pointer()
        if not pointer.previous or pointer.previous == pointer.serve:
            return False
        arms = self._arms(pointer.previous)
        self._slots.fall_back(reason)
        self._runtime.swap(arms, set())
        return True

    def _end_trial(self) -> str | None:
        """After several starts in a short time the model that is new is taken to be the cause."""
        with contextlib.suppress(OSError):  # a full disk must not keep the device from serving
            if self._slots.started() < _STARTS_ON_TRIAL or not self._has_former():
                return None
            self._slots.fall_back(DIED)
            return DIED
        return None

    def _has_former(self) -> bool:
        """True if what was served before is still here; its slot may hold something newer."""
        former = self._slots.pointer().previous
        return bool(former) and all(self._slots.find(a.bundle) is not None for a in former)

    def _arms(self, serve: tuple[Assignment, ...]) -> tuple[Arm, ...]:
        return tuple(Arm(assignment, self._load(assignment)) for assignment in serve)

    def apply(self, desired: Desired, go_on: Callable[[], None]) -> None:
        """Bring the device to a desired state; what it served before serves until the swap.

        Args:
            desired: what the server wants.
            go_on: called between pieces of work; raises to give up for something newer.

        Raises:
            Refused: a bundle is bad or does not fit; nothing has changed in what is served.
            Unreachable: the server was cut off; call again.
        """
        wanted = {a.bundle for a in (*desired.serve, *desired.stage)}
        self._fetcher.clean(wanted)
        for assignment in (*desired.serve, *desired.stage):
            self._stage(assignment, desired, go_on)
        arms = self._arms(desired.serve)
        self._check_speed(arms)
        for assignment in desired.stage:
            self._runtime.prepare(assignment.bundle, self._load(assignment))
        go_on()
        former = self._runtime.arms
        self._slots.commit(desired.generation, desired.serve)
        self._runtime.swap(arms, {a.bundle for a in desired.stage})
        self._watch(arms, former)

    def _stage(self, wanted: Assignment, desired: Desired, go_on: Callable[[], None]) -> None:
        if self._slots.find(wanted.bundle) is not None:
            return
        folder, manifest = self._fetcher.fetch(
            wanted.bundle, go_on, self._runtime.profile.memory_mb, self._slots.folders()
        )
        if (manifest.model, manifest.version) != (wanted.model, wanted.version):
            raise Refused(
                f"the bundle holds {manifest.model} v{manifest.version}, "
                f"{wanted.model} v{wanted.version} is desired"
            )
        served = {arm.assignment.bundle for arm in self._runtime.arms}
        pointed = {a.bundle for a in self._slots.pointer().serve}
        needed = {a.bundle for a in (*desired.serve, *desired.stage)}
        self._slots.install(folder, wanted, served | pointed | needed)

    def _load(self, assignment: Assignment) -> LoadedModel:
        folder = self._slots.find(assignment.bundle)
        if folder is None:
            raise Refused(f"{assignment.model} v{assignment.version} is in no slot")
        try:
            with self._journal.loading(assignment.bundle):
                return self._runtime.load(folder, assignment.bundle, self._trust)
        except DiedLoading:
            raise  # its files are whole, and may be all that there is to serve
        except Refused:
            self._slots.discard(folder)
            raise

    def _watch(self, arms: tuple[Arm, ...], former: tuple[Arm, ...]) -> None:
        """Have the models judged that were not served before."""
        old = {arm.assignment.bundle for arm in former}
        times = [a.model.golden_ms for a in former if a.model.golden_ms is not None]
        new = frozenset(a.assignment.bundle for a in arms) - old
        if new:
            self._runtime.guard.watch(new, max(times, default=None))

    def _check_speed(self, arms: tuple[Arm, ...]) -> None:
        """Refuse a model that is far slower on its golden inputs than the one that it replaces.

        Raises:
            Refused: with both times.
        """
        former = [a.model.golden_ms for a in self._runtime.arms if a.model.golden_ms is not None]
        for arm in arms:
            took = arm.model.golden_ms
            if former and took is not None and took > max(TOO_SLOW_MS, TOO_SLOW * max(former)):
                raise Refused(
                    f"the model takes {took:.0f} ms an input, the one before {max(former):.0f} ms"
                )
