"""The passages' vectors in an embedded Chroma under the home."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import Unavailable
from tools.knowledge.store import PassageStore

if TYPE_CHECKING:
    from tools.kernel.embedding import Vectors

_BATCH = 2_000
_COLLECTION = "pilothouse_passages"


class ChromaStore(PassageStore):
    """Chroma's persistent client in this process; sends no telemetry, embeds nothing itself.

    Args:
        folder: Chroma's own folder; made when missing.

    Raises:
        Unavailable: if the folder cannot be used.
    """

    name = "chroma"

    def __init__(self, folder: Path) -> None:
        import chromadb
        from chromadb.config import Settings

        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = threading.Lock()
        try:
            self._client: Any = chromadb.PersistentClient(
                path=str(folder), settings=Settings(anonymized_telemetry=False)
            )
            self._collection: Any = self._client.get_or_create_collection(
                _COLLECTION,
                configuration={"hnsw": {"space": "cosine"}},
                embedding_function=None,
            )
        except Exception as error:
            raise Unavailable(
                f"The passages' vectors in {folder} cannot be opened ({type(error).__name__}).",
                hint="Remove that folder: it is made anew from the database.",
            ) from error

    def put(self, tenant: str, source: str, ids: Sequence[str], vectors: Vectors) -> None:
        """See `PassageStore`."""
        metadata = {"tenant": tenant, "source": source}
        with self._lock:
            for at in range(0, len(ids), _BATCH):
                part = list(ids[at : at + _BATCH])
                self._collection.upsert(
                    ids=part,
                    embeddings=vectors[at : at + _BATCH],
                    metadatas=[metadata] * len(part),
                )

    def remove(self, tenant: str, ids: Sequence[str]) -> None:
        """See `PassageStore`."""
        known = self.ids(tenant) & set(ids)
        with self._lock:
            for at in range(0, len(known), _BATCH):
                self._collection.delete(ids=sorted(known)[at : at + _BATCH])

    def ids(self, tenant: str, source: str | None = None) -> set[str]:
        """See `PassageStore`."""
        where: dict[str, Any] = {"tenant": tenant}
        if source is not None:
            where = {"$and": [where, {"source": source}]}
        return set(self._collection.get(where=where, include=[])["ids"])

    def nearest(self, tenant: str, vector: Vectors, limit: int) -> list[tuple[str, float]]:
        """See `PassageStore`."""
        found = self._collection.query(
            query_embeddings=vector.reshape(1, -1),
            n_results=limit,
            where={"tenant": tenant},
            include=["distances"],
        )
        pairs = zip(found["ids"][0], found["distances"][0], strict=True)
        return [(name, 1.0 - float(distance)) for name, distance in pairs]

    def close(self) -> None:
        """See `PassageStore`."""
        self._client.close()
