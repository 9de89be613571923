"""From a desired state to models that serve: fetch, verify, stage, warm up, swap, fall back."""

from __future__ import annotations

from collections.abc import Callable

from edge.errors import Refused
from edge.fetch import Fetcher
from edge.identity import Identity
from edge.runtime import Arm, LoadedModel, Runtime
from edge.slots import SlotStore
from edge.wire import Assignment, Desired


class Updater:
    """Applies desired states, one at a time, from one thread.

    Args:
        identity: whose pinned platform key bundles are checked against.
        slots: the device's slots.
        fetcher: brings bundles.
        runtime: the models in memory.
    """

    def __init__(
        self, identity: Identity, slots: SlotStore, fetcher: Fetcher, runtime: Runtime
    ) -> None:
        self._key = identity.platform_key
        self._slots = slots
        self._fetcher = fetcher
        self._runtime = runtime

    def restore(self) -> str | None:
        """Serve after a start what the pointer says, or else the last good model.

        Returns:
            Why the pointer's models could not be served, or None if all is well.
        """
        pointer = self._slots.pointer()
        trouble: str | None = None
        for serve in (pointer.serve, pointer.previous):
            if not serve:
                continue
            try:
                self._runtime.swap(self._arms(serve), set())
            except Refused as error:
                trouble = trouble or f"after a restart: {error}"
            else:
                return trouble
        return trouble

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
        for assignment in desired.stage:
            self._runtime.prepare(assignment.bundle, self._load(assignment))
        go_on()
        self._slots.commit(desired.generation, desired.serve)
        self._runtime.swap(arms, {a.bundle for a in desired.stage})

    def _stage(self, wanted: Assignment, desired: Desired, go_on: Callable[[], None]) -> None:
        if self._slots.find(wanted.bundle) is not None:
            return
        folder, manifest = self._fetcher.fetch(
            wanted.bundle, go_on, self._runtime.profile.memory_mb
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
            return self._runtime.load(folder, assignment.bundle, self._key)
        except Refused:
            self._slots.discard(folder)
            raise
