"""Where the passages' vectors are kept: the interface that every backend fulfils.

A store may be used from several threads at once. It owns nothing but vectors: texts, offsets and
names are the database's, which is right wherever the two disagree.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tools.kernel.embedding import Vectors


class PassageStore(ABC):
    """Vectors of passages by id, apart for each tenant."""

    name: str
    """What evidence calls it, such as `chroma`."""

    @abstractmethod
    def put(self, tenant: str, source: str, ids: Sequence[str], vectors: Vectors) -> None:
        """Store unit vectors of shape (n, 384); an id that is known is overwritten."""

    @abstractmethod
    def remove(self, tenant: str, ids: Sequence[str]) -> None:
        """Delete these; ids that are not known are passed over."""

    @abstractmethod
    def ids(self, tenant: str, source: str | None = None) -> set[str]:
        """All ids of a tenant, or those of one document."""

    @abstractmethod
    def nearest(self, tenant: str, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """The nearest passages with their cosine, nearest first."""

    @abstractmethod
    def close(self) -> None:
        """Let go of files and connections; the store is not used afterwards."""
