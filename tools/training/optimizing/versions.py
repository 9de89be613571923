"""Where models come from and where variants go; the registry, which stands above, says how.

@version_store
class Store: ...  # made as `Store(kernel)` at its first use
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from tools.kernel.errors import Unavailable

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel


HELD_OUT_ROWS = "held_out_rows"
"""The metric of a variant that says on how many rows the others were measured."""


@dataclass(frozen=True, slots=True)
class ParentVersion:
    """A registered version that variants are made of.

    Attributes:
        model: its name.
        version: its number.
        folder: its files, checked against the registered hash.
        content_sha256: that hash.
        run_id: its MLflow run.
        dataset: what it was trained on, `name@2`.
        labels: its classes.
    """

    model: str
    version: int
    folder: Path
    content_sha256: str
    run_id: str
    dataset: str
    labels: tuple[str, ...]

    def __str__(self) -> str:
        """The version as people write it."""
        return f"{self.model} v{self.version}"


@dataclass(frozen=True, slots=True)
class NewVariant:
    """A variant that passed, to be registered.

    Attributes:
        parent: what it was made of.
        variant: its target's name.
        folder: its files, where they stay.
        job: the job that made it.
        run_id: its MLflow run.
        metrics: what was measured.
        by: who asked for it.
    """

    parent: ParentVersion
    variant: str
    folder: Path
    job: int
    run_id: str
    by: str
    metrics: dict[str, float] = field(default_factory=dict[str, float])


class VersionStore(Protocol):
    """What the registry offers."""

    def parent(self, model: str, version: int | None, tenant: str) -> ParentVersion:
        """A version, the newest that is no variant itself when none is named."""
        ...

    def register(self, new: NewVariant, tenant: str) -> int:
        """Register a variant with its lineage; the same one again gives the same number."""
        ...

    def unregister(self, model: str, version: int, tenant: str) -> None:
        """Take a variant out; nothing if it is not there any more."""
        ...

    def facts(self, model: str, version: int, tenant: str) -> dict[str, Any]:
        """What the registry says of a version: `state`, `content`, `variant`, `parent`."""
        ...


_STORES: list[type[Any]] = []


def version_store(store: type[Any]) -> type[Any]:
    """Register the class that keeps versions."""
    _STORES.append(store)
    return store


def versions(kernel: Kernel) -> VersionStore:
    """The home's versions.

    Raises:
        Unavailable: if this process has no registry.
    """
    if not _STORES:
        raise Unavailable("There is no registry in this process.")
    return kernel.get(_STORES[-1])
