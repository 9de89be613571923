"""The live catalogue as the parser sees it: names of one tenant, without I/O once loaded."""

from __future__ import annotations

from collections.abc import Sequence

from tools.kernel.entities import Catalogue, EntityKind, EntityName


class LiveNames:
    """The names that exist now.

    Args:
        catalogue: the platform's catalogue.
        tenant: whose names.
    """

    def __init__(self, catalogue: Catalogue, tenant: str) -> None:
        self._catalogue = catalogue
        self._tenant = tenant

    @property
    def owner(self) -> str:
        """Whose names they are: an index of them may follow on another of the same owner."""
        return self._tenant

    @property
    def version(self) -> int:
        """Equal values mean equal names."""
        return self._catalogue.version

    def names(self, kind: EntityKind) -> Sequence[EntityName]:
        """All names of a kind."""
        return self._catalogue.names(kind, self._tenant)

    def warm(self) -> None:
        """Load every kind's names, so that parsing finds them in memory."""
        for kind in EntityKind:
            self.names(kind)
