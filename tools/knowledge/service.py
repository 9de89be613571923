"""The documents of a home: reading, forgetting, searching and answering."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from tools.kernel.entities import EntityName, nearest
from tools.kernel.errors import Conflict, NotFound
from tools.kernel.operations import Evidence
from tools.knowledge import seeds
from tools.knowledge.answering import THRESHOLD, select
from tools.knowledge.index import Found, PassageIndex, Snapshot
from tools.knowledge.ingesting import PlannedFile, PlannedIngest, is_bundled, plan_file, plan_ingest
from tools.knowledge.library import Library, document_passages
from tools.knowledge.reading import file_sha256, read
from tools.knowledge.types import (
    Answer,
    ForgottenSource,
    IngestedSource,
    IngestResult,
    IngestWithdrawn,
    SearchResults,
    Source,
    SourceList,
)
from tools.knowledge.views import answer_view, no_answer, passage_view, source_view

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel
    from tools.knowledge.store import PassageStore


class KnowledgeService:
    """Documents, their passages and the answers from them; safe to use from several threads.

    The documents that come with the platform are read at the first use, once for each tenant.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._library = Library(kernel.database)
        worker = kernel.settings.worker  # an embedded Chroma belongs to one process
        folder = kernel.settings.folder(f"chroma-{worker}" if worker else "chroma")
        self._index = PassageIndex(self._library, folder, _open_store, seeds.embed)
        self._seeded: set[str] = set()
        self._lock = threading.Lock()

    def close(self) -> None:
        """Let go of the vectors."""
        self._index.close()

    def names(self, tenant: str) -> list[EntityName]:
        """Every document's name, with its title and its name without the ending."""
        known = self._library.names(tenant)
        listed = {name for name, _, _ in known}
        forgotten = self._library.seeds(tenant).keys()
        coming = [p for p in seeds.bundled_files() if p.name not in listed | forgotten]
        return [
            *(EntityName(name, _spellings(name, title)) for name, title, _ in known),
            *(EntityName(p.name, _spellings(p.name, read(p).title)) for p in coming),
        ]

    def sources(self, tenant: str) -> SourceList:
        """All documents, by name."""
        self._seed(tenant)
        counts = self._library.counts(tenant)
        rows = self._library.active(tenant)
        return SourceList(sources=[source_view(row, counts.get(row.id, 0)) for row in rows])

    def source(self, tenant: str, name: str) -> Source:
        """One document.

        Raises:
            NotFound: with the nearest names.
        """
        self._seed(tenant)
        row = self._library.find(tenant, name)
        if row is None:
            known = [n for n, _, _ in self._library.names(tenant)]
            raise NotFound(
                f"There is no document named {name!r}.", suggestions=nearest(name, known)
            )
        return source_view(row, len(self._library.passages(tenant, name)))

    def search(self, tenant: str, query: str, limit: int) -> SearchResults:
        """The passages that fit a query best."""
        self._seed(tenant)
        found = self._index.search(tenant, query, limit)
        return SearchResults(query=query, passages=[passage_view(f) for f in found])

    def ask(self, tenant: str, question: str) -> Answer:
        """An answer made of the documents' own sentences, or the statement that there is none."""
        found, snapshot = self.found(question, tenant)
        selection = select(question, found, snapshot)
        near = list(dict.fromkeys(f.passage.source for f in found))[:3]
        if not selection.chosen or selection.confidence < THRESHOLD:
            return no_answer(question, selection.confidence, near)
        return answer_view(question, selection.chosen, selection.confidence, near)

    def found(self, question: str, tenant: str) -> tuple[list[Found], Snapshot]:
        """The passages that a question is answered from."""
        self._seed(tenant)
        return self._index.search(tenant, question, 10), self._index.snapshot(tenant)

    def plan(self, tenant: str, path: str) -> PlannedIngest:
        """What `ingest` would do; changes nothing.

        Raises:
            InvalidInput: if a file cannot be read.
            NotFound: if nothing is at `path`.
        """
        return plan_ingest(path, {row.name: row for row in self._library.active(tenant)})

    def ingest(self, tenant: str, path: str) -> IngestResult:
        """Read a file or folder; the same content again changes nothing."""
        self._seed(tenant)
        with self._index.exclusive():
            planned = self.plan(tenant, path)
            changed = [p for p in planned.files if p.status != "unchanged"]
            batch = uuid4().hex[:16] if changed else None
            self._store(tenant, changed, batch or "", builtin=False)
        counts = {
            p.source: len(document_passages(tenant, p.source, p.document)) for p in planned.files
        }
        return IngestResult(
            path=path,
            batch=batch,
            sources=[
                IngestedSource(
                    source=p.source, status=p.status, sha256=p.sha256, chunks=counts[p.source]
                )
                for p in planned.files
            ],
            skipped=planned.skipped,
        )

    def forget(self, tenant: str, name: str) -> ForgottenSource:
        """Delete a document's text, passages and vectors.

        Raises:
            NotFound: if there is none of that name.
        """
        found = self.source(tenant, name)
        with self._index.exclusive():
            self._library.forget(tenant, found.name)
            self._index.store.remove(tenant, sorted(self._index.store.ids(tenant, found.name)))
        return ForgottenSource(
            source=found.name, chunks=found.chunks, path=found.path, sha256=found.sha256
        )

    def plan_withdraw(self, tenant: str, batch: str) -> tuple[list[str], list[str]]:
        """The documents that withdrawing an ingest would forget, and those it would restore.

        Raises:
            Conflict: if nothing of the ingest is left to take back.
        """
        added, replaced = self._library.batch(tenant, batch)
        if not added and not replaced:
            raise Conflict(f"Nothing of the ingest {batch} is there any more.")
        return added, replaced

    def withdraw(self, tenant: str, batch: str) -> IngestWithdrawn:
        """Take an ingest back."""
        with self._index.exclusive():
            added, replaced = self.plan_withdraw(tenant, batch)
            for name in added:
                self._library.forget(tenant, name)
            for name in replaced:
                self._library.restore(tenant, name, batch)
            self._index.reconcile(tenant)
        return IngestWithdrawn(batch=batch, forgotten=added, restored=replaced)

    def readable_again(self, path: str, sha256: str) -> bool:
        """True if the file that a document was read from still has the same content."""
        return file_sha256(path) == sha256

    def evidence(self, tenant: str, names: Sequence[str]) -> list[Evidence]:
        """For each document: its content, and its passages in the database and in the vectors."""
        facts: list[Evidence] = []
        for name in names:
            row = self._library.find(tenant, name)
            stored = len(self._library.passages(tenant, name))
            vectors = len(self._index.store.ids(tenant, name))
            content = row.sha256 if row else "absent"
            facts += [
                Evidence(fact=f"content of {name}", value=content, source="database"),
                Evidence(fact=f"passages of {name}", value=stored, source="database"),
                Evidence(fact=f"vectors of {name}", value=vectors, source=self._index.store.name),
            ]
        return facts

    def _store(
        self, tenant: str, files: Sequence[PlannedFile], batch: str, *, builtin: bool
    ) -> None:
        cuts = {p.source: document_passages(tenant, p.source, p.document) for p in files}
        passages = [passage for parts in cuts.values() for passage in parts]
        vectors = seeds.embed([p.embedded for p in passages])  # before anything is changed
        at = 0
        for planned in files:
            parts = cuts[planned.source]
            former = self._index.store.ids(tenant, planned.source)
            self._library.add(
                tenant, planned.source, planned.document, batch, builtin or is_bundled(planned)
            )
            self._index.put(tenant, parts, vectors[at : at + len(parts)])
            self._index.store.remove(tenant, sorted(former - {p.id for p in parts}))
            at += len(parts)

    def _seed(self, tenant: str) -> None:
        """Read the documents that come with the platform, those not read before only."""
        if tenant in self._seeded:
            return
        with self._lock, self._index.exclusive():
            if tenant in self._seeded:
                return
            read_before = self._library.seeds(tenant)
            documents = [read(path) for path in seeds.bundled_files()]
            fresh = [d for d in documents if read_before.get(d.path.name) != d.sha256]
            known = {row.name: row for row in self._library.active(tenant)}
            wanted = [
                plan_file(d, d.path.name, known)
                for d in fresh
                if d.path.name not in read_before or d.path.name in known
            ]
            changed = [p for p in wanted if p.status != "unchanged"]
            self._store(tenant, changed, "builtin", builtin=True)
            for document in fresh:
                self._library.note_seed(tenant, document.path.name, document.sha256)
            self._seeded.add(tenant)


def _open_store(folder: Path) -> PassageStore:
    from tools.knowledge.chroma import ChromaStore

    return ChromaStore(folder)


def _spellings(name: str, title: str) -> tuple[str, ...]:
    stem = Path(name).stem
    return tuple(dict.fromkeys(s for s in (stem, Path(name).name, title) if s and s != name))
