"""The kinds of things that arguments name, and the live catalogue of their names.

Domains publish their names with `entity_source`; the catalogue keeps an in-memory snapshot for each
tenant, so that linking a name costs no I/O, and drops it when the gate reports a change.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from tools.kernel.errors import NotFound

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel


class EntityKind(StrEnum):
    """What an argument can name."""

    MODEL = "model"
    MODEL_VERSION = "model_version"
    DATASET = "dataset"
    DEVICE = "device"
    DEVICE_GROUP = "device_group"
    JOB = "job"
    ROLLOUT = "rollout"
    DOCUMENT = "document"
    BASE_MODEL = "base_model"
    RECEIPT = "receipt"
    APPROVAL = "approval"
    USER = "user"
    SCHEDULE = "schedule"


@dataclass(frozen=True, slots=True)
class EntityName:
    """One name in the catalogue.

    Attributes:
        name: the canonical name, as operations take it.
        also: other spellings under which people know it.
        of: the owner's name where the name is only unique within it (a version of a model).
        about: what it is of, to be shown beside a name that says nothing (a job's number).
        state: how it stands, where that decides what it is good for (a job's status).
    """

    name: str
    also: tuple[str, ...] = ()
    of: str | None = None
    about: str = ""
    state: str = ""


@dataclass(frozen=True, slots=True)
class Slot:
    """Marks an argument for validation, questions, completion and pickers.

    Use as `Annotated[str, Slot(EntityKind.DATASET, "Which dataset?")]`.

    Attributes:
        kind: the kind of thing the argument names; None for plain values.
        question: what to ask when it is missing.
        closed: True if only names in the catalogue are valid; False lets new names through.
    """

    kind: EntityKind | None = None
    question: str | None = None
    closed: bool = True


Loader = Callable[["Kernel", str], Sequence[EntityName]]
_LOADERS: dict[EntityKind, Loader] = {}


def entity_source(kind: EntityKind) -> Callable[[Loader], Loader]:
    """Register the function `(kernel, tenant) -> names` that lists all names of a kind."""

    def register(loader: Loader) -> Loader:
        _LOADERS[kind] = loader
        return loader

    return register


class _Names:
    """A snapshot of one kind's names, and the indexes that make looking one up cheap."""

    def __init__(self, entries: Sequence[EntityName]) -> None:
        self.entries = tuple(entries)
        self._lock = threading.Lock()
        self._indexes: dict[str | None, _Index] = {}

    def index(self, of: str | None) -> _Index:
        """The index over the names of one owner, or over all; made at its first use."""
        with self._lock:
            found = self._indexes.get(of)
            if found is None:
                found = _Index([e for e in self.entries if of is None or e.of == of])
                self._indexes[of] = found
            return found


class _Index:
    """Looks a name up as it is written, then folded; canonical names go before other spellings."""

    def __init__(self, entries: Sequence[EntityName]) -> None:
        self.names = [e.name for e in entries]
        self.folded = [fold(name) for name in self.names]
        self._written: dict[str, str] = {}
        self._also: list[str] = []
        self._names: dict[str, list[str]] = {}
        self._spellings: dict[str, list[str]] = {}
        for entry, folded in zip(entries, self.folded, strict=True):
            self._written[entry.name] = entry.name
            _note(self._names, folded, entry.name)
            self._also += entry.also
            for also in entry.also:
                _note(self._spellings, fold(also), entry.name)

    def find(self, name: str) -> list[str]:
        """The names that are meant: one, or none, or several that differ in punctuation only."""
        exact = self._written.get(name)
        if exact is not None:
            return [exact]
        folded = fold(name)
        return self._names.get(folded) or self._spellings.get(folded) or []

    def versions(self, name: str) -> set[int]:
        """The versions of something whose names or spellings are `name@1`, `name@2`, ...."""
        written = [*self._written, *self._also]
        parts = [spelling.rpartition("@") for spelling in written]
        return {int(number) for of, _, number in parts if of == name and number.isdecimal()}


def _note(index: dict[str, list[str]], folded: str, name: str) -> None:
    names = index.setdefault(folded, [])
    if folded and name not in names:
        names.append(name)


class Catalogue:
    """The names that exist now, for each tenant; safe to use from several threads."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._lock = threading.Lock()
        self._names: dict[tuple[str, EntityKind], _Names] = {}
        self._version = 0

    @property
    def version(self) -> int:
        """Grows with every change; two equal values mean that no name has changed between."""
        return self._version

    def names(self, kind: EntityKind, tenant: str) -> tuple[EntityName, ...]:
        """All names of a kind, loaded at the first use after a change."""
        return self._snapshot(kind, tenant).entries

    def changed(self) -> None:
        """Forget the snapshot; called after every act that may have changed a name."""
        with self._lock:
            self._names.clear()
            self._version += 1

    def knows(self, kind: EntityKind, name: str, tenant: str) -> bool:
        """True if exactly one name is meant by `name`."""
        return len(self._snapshot(kind, tenant).index(None).find(name)) == 1

    def resolve(self, kind: EntityKind, name: str, tenant: str, *, of: str | None = None) -> str:
        """The canonical name for `name`.

        A name is taken as it is written where it exists so. Otherwise only differences of case,
        spaces, dashes and underscores are bridged, never a misspelling, and only where one name
        is meant.

        Raises:
            NotFound: with the nearest names, or those among which it does not decide.
        """
        index = self._snapshot(kind, tenant).index(of)
        found = index.find(name)
        if len(found) == 1:
            return found[0]
        what = kind.value.replace("_", " ")
        if found:
            raise NotFound(
                f"{name!r} can mean more than one {what}.",
                suggestions=found[:3],
                hint="Write the name exactly.",
            )
        _refuse_version(name, index)
        raise NotFound(
            f"There is no {what} named {name!r}" + (f" of {of!r}." if of else "."),
            suggestions=_nearest(name, index.names, index.folded, 3),
            hint=None if index.names else f"No {what} exists yet.",
        )

    def _snapshot(self, kind: EntityKind, tenant: str) -> _Names:
        key = (tenant, kind)
        with self._lock:
            known, version = self._names.get(key), self._version
        if known is not None:
            return known
        loader = _LOADERS.get(kind)
        loaded = _Names(loader(self._kernel, tenant) if loader else ())
        with self._lock:
            if version == self._version:
                self._names[key] = loaded
        return loaded


def no_version(name: str, wanted: int | None, versions: Iterable[int]) -> NotFound:
    """The error for a version that something does not have.

    Args:
        name: what the version is of.
        wanted: the version that does not exist.
        versions: those that do, one at least.
    """
    *others, last = [str(version) for version in sorted(versions)]
    there_are = f"are versions {', '.join(others)} and" if others else "is only version"
    return NotFound(f"{name} has no version {wanted}.", hint=f"There {there_are} {last}.")


def _refuse_version(name: str, index: _Index) -> None:
    """Say of `tickets@7` that version 7 is missing, where other versions of tickets are known."""
    match = _VERSIONED.match(name.strip())
    found = index.find(match["name"]) if match else []
    versions = index.versions(found[0]) if len(found) == 1 else set[int]()
    if match is not None and versions:
        raise no_version(found[0], int(match["version"]), versions)


_VERSIONED = re.compile(
    r"^(?P<name>.+?)(?:\s*@\s*v?|\s+v(?:ersion)?\s*)(?P<version>\d{1,9})$", re.I
)
_ARTICLE = re.compile(r"^the\s+")
_BRIDGED = re.compile(r"(?!^-\d)[\s_\-]+")  # a minus before a number is none of them


def fold(name: str) -> str:
    """A name without case, spaces, dashes, underscores and a leading article."""
    return _BRIDGED.sub("", _ARTICLE.sub("", name.strip().casefold()))


def nearest(name: str, known: Sequence[str], limit: int = 3) -> list[str]:
    """The known names nearest to a misspelt one, best first (similarity of at least 0.55)."""
    return _nearest(name, known, [fold(n) for n in known], limit)


def _nearest(name: str, known: Sequence[str], folded: Sequence[str], limit: int) -> list[str]:
    from rapidfuzz import fuzz, process

    wanted = fold(name)[:_LONGEST]
    found = process.extract(wanted, folded, scorer=fuzz.WRatio, limit=limit, score_cutoff=55)
    return [known[place] for _, _, place in found]


_LONGEST = 200  # more of a name does not help to find what was meant, and costs time
_REFERENCE = re.compile(
    r"^(?P<name>.+?)"
    r"(?:\s*@\s*v?(?P<at>[0-9]{1,9})|\s*@\s*(?P<alias>[a-z][\w-]*)"
    r"|(?:[\s:/]+|,\s*)(?:v|version\s*)?(?P<version>[0-9]{1,9}))?$",
    re.I | re.S,
)


@dataclass(frozen=True, slots=True)
class ModelReference:
    """A model as people write it: a name with a version or an alias, or alone."""

    name: str
    version: int | None = None
    alias: str | None = None


def parse_model_reference(text: str) -> ModelReference:
    """Split `ticket-router v3`, `ticket-router@challenger`, `ticket-router/3` into its parts."""
    match = _REFERENCE.match(text.strip())
    if match is None:
        return ModelReference(text.strip())
    version = match["version"] or match["at"]
    return ModelReference(
        match["name"].strip(),
        int(version) if version else None,
        match["alias"].lower() if match["alias"] else None,
    )
