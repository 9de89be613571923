"""The kinds of things that arguments name, and the live catalogue of their names.

Domains publish their names with `entity_source`; the catalogue keeps an in-memory snapshot for each
tenant, so that linking a name costs no I/O, and drops it when the gate reports a change.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Sequence
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


@dataclass(frozen=True, slots=True)
class EntityName:
    """One name in the catalogue.

    Attributes:
        name: the canonical name, as operations take it.
        also: other spellings under which people know it.
        of: the owner's name where the name is only unique within it (a version of a model).
    """

    name: str
    also: tuple[str, ...] = ()
    of: str | None = None


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


class Catalogue:
    """The names that exist now, for each tenant; safe to use from several threads."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._lock = threading.Lock()
        self._names: dict[tuple[str, EntityKind], tuple[EntityName, ...]] = {}
        self._version = 0

    @property
    def version(self) -> int:
        """Grows with every change; two equal values mean that no name has changed between."""
        return self._version

    def names(self, kind: EntityKind, tenant: str) -> tuple[EntityName, ...]:
        """All names of a kind, loaded at the first use after a change."""
        key = (tenant, kind)
        with self._lock:
            known, version = self._names.get(key), self._version
        if known is not None:
            return known
        loader = _LOADERS.get(kind)
        loaded = tuple(loader(self._kernel, tenant)) if loader else ()
        with self._lock:
            if version == self._version:
                self._names[key] = loaded
        return loaded

    def changed(self) -> None:
        """Forget the snapshot; called after every act that may have changed a name."""
        with self._lock:
            self._names.clear()
            self._version += 1

    def resolve(self, kind: EntityKind, name: str, tenant: str, *, of: str | None = None) -> str:
        """The canonical name for `name`.

        Only differences of case, spaces, dashes and underscores are bridged, never a misspelling.

        Raises:
            NotFound: with the nearest names as suggestions.
        """
        known = [n for n in self.names(kind, tenant) if of is None or n.of == of]
        folded = fold(name)
        for entry in known:
            if folded == fold(entry.name) or any(folded == fold(also) for also in entry.also):
                return entry.name
        raise NotFound(
            f"There is no {kind.value.replace('_', ' ')} named {name!r}"
            + (f" of {of!r}." if of else "."),
            suggestions=nearest(name, [n.name for n in known]),
            hint=None if known else f"No {kind.value.replace('_', ' ')} exists yet.",
        )


def fold(name: str) -> str:
    """A name without case, spaces, dashes, underscores and a leading article."""
    return re.sub(r"[\s_\-]+", "", re.sub(r"^the\s+", "", name.strip().casefold()))


def nearest(name: str, known: Sequence[str], limit: int = 3) -> list[str]:
    """The known names nearest to a misspelt one, best first (similarity of at least 0.55)."""
    from rapidfuzz import fuzz, process

    found = process.extract(
        fold(name), {n: fold(n) for n in known}, scorer=fuzz.WRatio, limit=limit, score_cutoff=55
    )
    return [key for _, _, key in found]


_REFERENCE = re.compile(
    r"^(?P<name>.+?)(?:\s*@\s*(?P<alias>[a-z][\w-]*)|[\s:/]+(?:v|version\s*)?(?P<version>\d+))?$",
    re.I,
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
    version = match["version"]
    return ModelReference(
        match["name"].strip(),
        int(version) if version else None,
        match["alias"].lower() if match["alias"] else None,
    )
