"""Two slots on disk and the pointer that says which of them is served.

A slot is a folder with a whole, verified bundle. The pointer is one small file that is replaced
atomically; a slot that it names is never written to. So whatever moment the power goes, the pointer
names slots that are whole.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from edge.errors import Refused
from edge.files import sync_folder, write_atomic
from edge.wire import Assignment

SLOTS = ("a", "b")
_MARK = "slot.json"
_LATER = ("seen", "failed", "reason", "trial", "retried")
DIED = "the program was started several times and did not stay up"
"""Why a device leaves a model under which its program dies, or the power goes, again and again."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """What is served, and what the device must know after a restart.

    Attributes:
        generation: the desired state that this is; -1 if the device chose it by itself.
        serve: the models that are served.
        previous: those that were served before them.
        seen: the newest desired state that the device has known.
        failed: the desired state from which the device fell back; -1 for none.
        reason: why it did.
        trial: how often the program was started since `serve` changed; 0 once that has proved good.
        retried: the desired state that was tried once more after it had failed; -1 for none.
    """

    generation: int = 0
    serve: tuple[Assignment, ...] = ()
    previous: tuple[Assignment, ...] = ()
    seen: int = 0
    failed: int = -1
    reason: str | None = None
    trial: int = 0
    retried: int = -1


class SlotStore:
    """The slots and the pointer of one device; used by one thread at a time.

    Args:
        home: the device's folder.
    """

    def __init__(self, home: Path) -> None:
        self._folder = home / "slots"
        self._folder.mkdir(parents=True, exist_ok=True)
        self._current = home / "current"

    def pointer(self) -> Pointer:
        """What is served now, as it stands on disk."""
        try:
            data = json.loads(self._current.read_bytes())
        except FileNotFoundError:
            return Pointer()
        return Pointer(
            int(data["generation"]),
            tuple(Assignment(**item) for item in data["serve"]),
            tuple(Assignment(**item) for item in data["previous"]),
            **{name: data[name] for name in _LATER if name in data},
        )

    def commit(self, generation: int, serve: tuple[Assignment, ...]) -> None:
        """Make `serve` what is served from now on, also after a restart; atomic."""
        old = self.pointer()
        moved = {a.bundle for a in serve} != {a.bundle for a in old.serve}
        previous = old.serve if moved and old.serve else old.previous
        trial = 1 if moved and serve else old.trial
        seen = max(old.seen, generation)
        self._write(Pointer(generation, serve, previous, seen, trial=trial, retried=old.retried))

    def fall_back(self, reason: str) -> None:
        """Make what was served before be served again, and remember which state failed; atomic."""
        old = self.pointer()
        seen = max(old.seen, old.generation)
        former = Pointer(-1, old.previous, old.previous, seen, retried=old.retried)
        self._write(replace(former, failed=old.generation, reason=reason))

    def try_again(self) -> bool:
        """Forget once that the program died under a desired state: it may have been the power.

        Returns:
            False if it did not, or if that state was tried again before.
        """
        old = self.pointer()
        if old.failed < 0 or old.reason != DIED or old.retried == old.failed:
            return False
        self._write(replace(old, failed=-1, reason=None, retried=old.failed))
        return True

    def started(self) -> int:
        """Count a start of the program on trial; answers with how many there were (0: no trial)."""
        old = self.pointer()
        if old.trial:
            self._write(replace(old, trial=old.trial + 1))
        return old.trial

    def prove(self) -> None:
        """End the trial of what is served: it is good."""
        old = self.pointer()
        if old.trial:
            self._write(replace(old, trial=0))

    def _write(self, pointer: Pointer) -> None:
        write_atomic(self._current, json.dumps(asdict(pointer)).encode())

    def path(self, slot: str) -> Path:
        """The folder of a slot."""
        return self._folder / slot

    def folders(self) -> list[Path]:
        """The folders of the slots that hold something."""
        return [self.path(slot) for slot, held in self.content().items() if held is not None]

    def content(self) -> dict[str, Assignment | None]:
        """What lies in each slot."""
        return {slot: self._read(slot) for slot in SLOTS}

    def find(self, bundle: str) -> Path | None:
        """The slot folder that holds a bundle."""
        for slot, held in self.content().items():
            if held is not None and held.bundle == bundle:
                return self.path(slot)
        return None

    def install(self, incoming: Path, assignment: Assignment, keep: set[str]) -> Path:
        """Move a fetched bundle into a slot that nothing in `keep` needs.

        Raises:
            Refused: both slots hold bundles that must be kept.
        """
        slot = self._free(keep)
        target = self.path(slot)
        write_atomic(incoming / _MARK, json.dumps(asdict(assignment)).encode())
        shutil.rmtree(target, ignore_errors=True)
        incoming.replace(target)
        sync_folder(self._folder)
        return target

    @staticmethod
    def discard(slot: Path) -> None:
        """Give up a slot whose content is bad; it is fetched anew when it is wanted again."""
        (slot / _MARK).unlink(missing_ok=True)

    def _free(self, keep: set[str]) -> str:
        content = self.content()
        before = {a.bundle for a in self.pointer().previous}
        free = [s for s, held in content.items() if held is None or held.bundle not in keep]
        if not free:
            raise Refused("both slots hold models that are in use")

        def worth(slot: str) -> int:
            held = content[slot]
            return 0 if held is None else 1 if held.bundle not in before else 2

        return min(free, key=worth)

    def _read(self, slot: str) -> Assignment | None:
        try:
            return Assignment(**json.loads((self.path(slot) / _MARK).read_bytes()))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (ValueError, TypeError):
            return None
