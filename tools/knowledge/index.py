"""Finding passages: words and meaning, fused.

Owns the in-memory word index of each tenant and its agreement with the vectors: the database is
right, vectors that it does not know are deleted, and missing ones are made anew.
"""

from __future__ import annotations

import fcntl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tools.kernel.embedding import get_embedder
from tools.knowledge.library import Library, StoredPassage
from tools.knowledge.ranking import Bm25, fuse
from tools.knowledge.store import PassageStore

if TYPE_CHECKING:
    from tools.kernel.embedding import Vectors

DEPTH = 50
"""How many passages each of the two rankings hands to the fusion."""


@dataclass(frozen=True, slots=True)
class Found:
    """A passage that fits a query.

    Attributes:
        score: of the fusion.
        similarity: cosine of the vectors.
    """

    passage: StoredPassage
    score: float
    similarity: float


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A tenant's passages as they were at one moment, ready to be ranked by words."""

    state: tuple[object, ...]
    passages: dict[str, StoredPassage]
    order: list[str]
    texts: dict[str, str]
    words: Bm25


class PassageIndex:
    """Keeps words, vectors and database in agreement, and ranks; safe to use from several threads.

    Args:
        library: the documents.
        folder: holds the vectors and the lock that processes share.
        open_store: opens the vector store at the first use.
        embed: makes the vectors of texts.
    """

    def __init__(
        self,
        library: Library,
        folder: Path,
        open_store: Callable[[Path], PassageStore],
        embed: Callable[[Sequence[str]], Vectors],
    ) -> None:
        self._library = library
        self._folder = folder
        self._open_store = open_store
        self._embed = embed
        self._store: PassageStore | None = None
        self._snapshots: dict[str, Snapshot] = {}
        self._lock = threading.RLock()

    @property
    def store(self) -> PassageStore:
        """The vectors; opened at the first use."""
        with self._lock:
            if self._store is None:
                self._store = self._open_store(self._folder)
            return self._store

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Only one thread of one process writes at a time."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with self._lock, (self._folder.parent / "chroma.lock").open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def put(self, tenant: str, passages: Sequence[StoredPassage], vectors: Vectors) -> None:
        """Store the vectors of passages that the database holds."""
        by_source: dict[str, list[int]] = {}
        for number, passage in enumerate(passages):
            by_source.setdefault(passage.source, []).append(number)
        for source, numbers in by_source.items():
            ids = [passages[n].id for n in numbers]
            self.store.put(tenant, source, ids, vectors[numbers])

    def reconcile(self, tenant: str) -> tuple[int, int]:
        """Make the vectors agree with the database; how many were made and how many deleted."""
        snapshot = self._read(tenant)
        there = self.store.ids(tenant)
        surplus = there - snapshot.passages.keys()
        missing = [snapshot.passages[i] for i in snapshot.order if i not in there]
        if surplus:
            self.store.remove(tenant, sorted(surplus))
        if missing:
            vectors = self._embed([p.embedded for p in missing])
            self.put(tenant, missing, vectors)
        return len(missing), len(surplus)

    def snapshot(self, tenant: str) -> Snapshot:
        """The tenant's passages now; whenever they have changed, the vectors are reconciled."""
        known = self._snapshots.get(tenant)
        if known is not None and known.state == self._library.state(tenant):
            return known
        with self.exclusive():
            self.reconcile(tenant)
            fresh = self._read(tenant)
            self._snapshots[tenant] = fresh
        return fresh

    def search(self, tenant: str, query: str, limit: int) -> list[Found]:
        """The passages that fit best, by rank fusion of BM25 and cosine, best first."""
        snapshot = self.snapshot(tenant)
        if not snapshot.order:
            return []
        vector = get_embedder().embed_one(query)
        near = dict(self.store.nearest(tenant, vector, min(DEPTH, len(snapshot.order))))
        near = {name: value for name, value in near.items() if name in snapshot.passages}
        words = [snapshot.order[n] for n, _ in snapshot.words.rank(query)[:DEPTH]]
        best = fuse([list(near), words])[:limit]
        return [Found(snapshot.passages[name], score, near.get(name, 0.0)) for name, score in best]

    def close(self) -> None:
        """Close the store."""
        with self._lock:
            if self._store is not None:
                self._store.close()
                self._store = None

    def _read(self, tenant: str) -> Snapshot:
        state = self._library.state(tenant)
        passages = self._library.passages(tenant)
        by_id = {p.id: p for p in passages}
        texts = self._library.texts(tenant)
        return Snapshot(state, by_id, list(by_id), texts, Bm25([p.embedded for p in passages]))
