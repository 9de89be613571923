"""The documents of a home: reading, forgetting, searching and answering."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from uuid import uuid4

from tools.kernel.entities import EntityName, nearest
from tools.kernel.errors import Conflict, InvalidInput, NotFound
from tools.kernel.operations import Evidence
from tools.knowledge import seeds
from tools.knowledge.answering import THRESHOLD, Candidate, select
from tools.knowledge.index import Found, PassageIndex, Snapshot
from tools.knowledge.library import Library, StoredPassage, document_passages
from tools.knowledge.outline import SEPARATOR
from tools.knowledge.reading import Document, file_sha256, find_files, read
from tools.knowledge.types import (
    Answer,
    Citation,
    ForgottenSource,
    IngestedSource,
    IngestResult,
    IngestWithdrawn,
    Passage,
    SearchResults,
    Source,
    SourceList,
)

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel
    from tools.knowledge.store import PassageStore
    from tools.knowledge.tables import DocumentRow


@dataclass(frozen=True, slots=True)
class PlannedFile:
    """What ingesting one file would do; `known` is the hash of the content it would replace."""

    source: str
    document: Document
    status: Literal["added", "replaced", "unchanged"]
    known: str | None

    @property
    def sha256(self) -> str:
        """Hash of the file's bytes."""
        return self.document.sha256


@dataclass(frozen=True, slots=True)
class PlannedIngest:
    """What ingesting a path would do."""

    files: list[PlannedFile]
    skipped: list[str]


class KnowledgeService:
    """Documents, their passages and the answers from them; safe to use from several threads.

    The documents that come with the platform are read at the first use, once for each tenant.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._library = Library(kernel.database)
        folder = kernel.settings.folder("chroma")
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
        return SourceList(sources=[_source(row, counts.get(row.id, 0)) for row in rows])

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
        return _source(row, len(self._library.passages(tenant, name)))

    def search(self, tenant: str, query: str, limit: int) -> SearchResults:
        """The passages that fit a query best."""
        self._seed(tenant)
        found = self._index.search(tenant, query, limit)
        return SearchResults(query=query, passages=[_passage(f) for f in found])

    def ask(self, tenant: str, question: str) -> Answer:
        """An answer made of the documents' own sentences, or the statement that there is none."""
        found, snapshot = self.found(question, tenant)
        selection = select(question, found, snapshot)
        near = list(dict.fromkeys(f.passage.source for f in found))[:3]
        if not selection.chosen or selection.confidence < THRESHOLD:
            return _no_answer(question, selection.confidence, near)
        return _answer(question, selection.chosen, selection.confidence, near)

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
        base, files, skipped = find_files(path)
        known = {row.name: row for row in self._library.active(tenant)}
        planned: list[PlannedFile] = []
        taken: dict[str, str] = {name: row.path for name, row in known.items()}
        for file in files:
            try:
                document = read(file)
            except InvalidInput as error:
                if len(files) == 1:
                    raise
                skipped.append(error.message)
                continue
            planned.append(_plan_file(document, _name(file, base, taken), known))
            taken[planned[-1].source] = str(file)
        return PlannedIngest(planned, skipped)

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
                tenant, planned.source, planned.document, batch, builtin or _is_bundled(planned)
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
                _plan_file(d, d.path.name, known)
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


def _is_bundled(planned: PlannedFile) -> bool:
    return planned.document.path.parent == seeds.BUNDLED.resolve()


def _plan_file(document: Document, name: str, known: dict[str, DocumentRow]) -> PlannedFile:
    row = known.get(name)
    if row is None:
        return PlannedFile(name, document, "added", None)
    if row.sha256 == document.sha256:
        return PlannedFile(name, document, "unchanged", row.sha256)
    return PlannedFile(name, document, "replaced", row.sha256)


def _name(file: Path, base: Path, taken: dict[str, str]) -> str:
    """The shortest path below `base`, or more of the path if another file has that name."""
    name = file.relative_to(base).as_posix()
    parents = list(base.parts[1:])
    while name in taken and taken[name] != str(file) and parents:
        name = f"{parents.pop()}/{name}"
    return name


def _spellings(name: str, title: str) -> tuple[str, ...]:
    stem = Path(name).stem
    return tuple(dict.fromkeys(s for s in (stem, Path(name).name, title) if s and s != name))


def _source(row: DocumentRow, chunks: int) -> Source:
    return Source(
        name=row.name,
        title=row.title,
        path=row.path,
        kind=row.kind,
        sha256=row.sha256,
        characters=len(row.text),
        chunks=chunks,
        builtin=row.builtin,
        ingested=row.created,
    )


def _passage(found: Found) -> Passage:
    part = found.passage
    return Passage(
        source=part.source,
        heading=part.heading,
        chunk=part.id,
        start=part.start,
        end=part.end,
        text=part.text,
        score=round(found.score, 6),
        similarity=round(found.similarity, 4),
    )


def _answer(
    question: str, chosen: Sequence[Candidate], confidence: float, near: list[str]
) -> Answer:
    citations = [_citation(number, c) for number, c in enumerate(chosen, 1)]
    lines: list[str] = []
    for citation, candidate in zip(citations, chosen, strict=True):
        mark = "- " if candidate.unit.kind == "item" else ""
        lines.append(f"{mark}{candidate.unit.text} [{citation.number}]")
    return Answer(
        question=question,
        answered=True,
        text="\n".join(lines),
        citations=citations,
        confidence=round(confidence, 3),
        nearest=near,
    )


def _citation(number: int, candidate: Candidate) -> Citation:
    part: StoredPassage = candidate.passage
    unit = candidate.unit
    heading = SEPARATOR.join(unit.heading) if unit.heading else part.heading
    return Citation(
        number=number,
        source=part.source,
        heading=heading,
        chunk=part.id,
        start=unit.start,
        end=unit.end,
        quote=part.text[unit.start - part.start : unit.end - part.start],
        sha256=part.sha256,
    )


def _no_answer(question: str, confidence: float, near: list[str]) -> Answer:
    hint = f" The nearest documents are {', '.join(near)}." if near else ""
    return Answer(
        question=question,
        answered=False,
        text=f"I found nothing in the documents that answers this.{hint}",
        confidence=round(confidence, 3),
        nearest=near,
    )
