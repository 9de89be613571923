"""The documents in the database: the truth that the vectors are reconciled with.

Owns rows and nothing else: no vectors, no ranking, no files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Select, delete, func, select
from sqlalchemy.orm import Session

from tools.kernel.storage import Database
from tools.knowledge.outline import SEPARATOR
from tools.knowledge.passages import Cut, cut, passage_id
from tools.knowledge.reading import Document
from tools.knowledge.tables import DocumentRow, PassageRow, SeedRow


@dataclass(frozen=True, slots=True)
class StoredPassage:
    """A passage with its text and its document's name."""

    id: str
    source: str
    sha256: str
    heading: str
    start: int
    end: int
    text: str

    @property
    def embedded(self) -> str:
        """What its vector is made from, and what is ranked by words."""
        return f"{self.heading}\n{self.text}" if self.heading else self.text


class Library:
    """Reads and writes a tenant's documents; safe to use from several threads.

    Args:
        database: the platform's database.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def active(self, tenant: str) -> list[DocumentRow]:
        """The documents that can be asked, by name."""
        query = select(DocumentRow).where(
            DocumentRow.tenant == tenant, DocumentRow.status == "active"
        )
        with self._database.session() as session:
            return list(session.scalars(query.order_by(DocumentRow.name)))

    def find(self, tenant: str, name: str) -> DocumentRow | None:
        """The active document of that name."""
        with self._database.session() as session:
            return session.scalar(_named(tenant, name))

    def names(self, tenant: str) -> list[tuple[str, str, str]]:
        """Name, title and path of every active document, without their texts."""
        query = select(DocumentRow.name, DocumentRow.title, DocumentRow.path).where(
            DocumentRow.tenant == tenant, DocumentRow.status == "active"
        )
        with self._database.session() as session:
            return [(r.name, r.title, r.path) for r in session.execute(query)]

    def texts(self, tenant: str) -> dict[str, str]:
        """The text of every active document by name."""
        query = select(DocumentRow.name, DocumentRow.text).where(
            DocumentRow.tenant == tenant, DocumentRow.status == "active"
        )
        with self._database.session() as session:
            return {r.name: r.text for r in session.execute(query)}

    def counts(self, tenant: str) -> dict[int, int]:
        """How many passages each document has."""
        query = select(PassageRow.document, func.count()).where(PassageRow.tenant == tenant)
        with self._database.session() as session:
            rows = session.execute(query.group_by(PassageRow.document)).all()
        return {document: count for document, count in rows}

    def state(self, tenant: str) -> tuple[object, ...]:
        """Two equal values mean that no passage was added or removed between."""
        query = select(func.count(), func.max(PassageRow.created), func.max(PassageRow.id)).where(
            PassageRow.tenant == tenant
        )
        with self._database.session() as session:
            return tuple(session.execute(query).one())

    def passages(self, tenant: str, source: str | None = None) -> list[StoredPassage]:
        """All passages of a tenant, or those of one document, in order."""
        query = (
            select(PassageRow, DocumentRow)
            .join(DocumentRow, DocumentRow.id == PassageRow.document)
            .where(PassageRow.tenant == tenant)
            .order_by(DocumentRow.name, PassageRow.ordinal)
        )
        if source is not None:
            query = query.where(DocumentRow.name == source)
        with self._database.session() as session:
            return [_stored(p, d) for p, d in session.execute(query)]

    def add(self, tenant: str, name: str, document: Document, batch: str, builtin: bool) -> int:
        """Store a document and its passages; a document of that name becomes a former one.

        Returns:
            How many passages it has.
        """
        with self._database.writing() as session:
            former = session.scalar(_named(tenant, name))
            if former is not None:
                _drop_passages(session, former.id)
                former.status, former.replaced_in = "former", batch
            row = DocumentRow(
                tenant=tenant,
                name=name,
                title=document.title[:512],
                path=str(document.path),
                kind=document.kind,
                sha256=document.sha256,
                text=document.text,
                builtin=builtin,
                status="active",
                batch=batch,
            )
            session.add(row)
            session.flush()
            return _add_passages(session, row)

    def forget(self, tenant: str, name: str) -> None:
        """Delete every content that the document ever had here, and all its passages."""
        query = select(DocumentRow.id).where(DocumentRow.tenant == tenant, DocumentRow.name == name)
        with self._database.writing() as session:
            for document in session.scalars(query).all():
                _drop_passages(session, document)
                session.execute(delete(DocumentRow).where(DocumentRow.id == document))

    def batch(self, tenant: str, batch: str) -> tuple[list[str], list[str]]:
        """Names that an ingest added, and names whose content it replaced, if still as it left."""
        query = select(DocumentRow.name).where(DocumentRow.tenant == tenant)
        with self._database.session() as session:
            made = set(session.scalars(query.where(DocumentRow.batch == batch)))
            replaced = set(session.scalars(query.where(DocumentRow.replaced_in == batch)))
        return sorted(made - replaced), sorted(replaced)

    def restore(self, tenant: str, name: str, batch: str) -> None:
        """Give a document back the content that an ingest replaced."""
        with self._database.writing() as session:
            newer = session.scalar(_named(tenant, name))
            if newer is not None:
                _drop_passages(session, newer.id)
                session.delete(newer)
            former = session.scalars(
                select(DocumentRow).where(
                    DocumentRow.tenant == tenant,
                    DocumentRow.name == name,
                    DocumentRow.replaced_in == batch,
                )
            ).one()
            former.status, former.replaced_in = "active", None
            session.flush()
            _add_passages(session, former)

    def seeds(self, tenant: str) -> dict[str, str]:
        """The built-in documents that were read before, with their hashes."""
        query = select(SeedRow).where(SeedRow.tenant == tenant)
        with self._database.session() as session:
            return {row.name: row.sha256 for row in session.scalars(query)}

    def note_seed(self, tenant: str, name: str, sha256: str) -> None:
        """Remember that a built-in document was read with this content."""
        query = select(SeedRow).where(SeedRow.tenant == tenant, SeedRow.name == name)
        with self._database.writing() as session:
            row = session.scalar(query) or SeedRow(tenant=tenant, name=name)
            row.sha256 = sha256
            session.add(row)


def document_passages(tenant: str, name: str, document: Document) -> list[StoredPassage]:
    """The passages that a document will be cut into, before it is stored."""
    return [
        StoredPassage(
            passage_id(tenant, name, document.sha256, span),
            name,
            document.sha256,
            _full_heading(document.title, span.heading),
            span.start,
            span.end,
            document.text[span.start : span.end],
        )
        for span in cut(document.text)
    ]


def _named(tenant: str, name: str) -> Select[DocumentRow]:
    return select(DocumentRow).where(
        DocumentRow.tenant == tenant, DocumentRow.name == name, DocumentRow.status == "active"
    )


def _add_passages(session: Session, row: DocumentRow) -> int:
    spans: Sequence[Cut] = cut(row.text)
    session.add_all(
        PassageRow(
            id=passage_id(row.tenant, row.name, row.sha256, span),
            tenant=row.tenant,
            document=row.id,
            ordinal=span.ordinal,
            heading=_full_heading(row.title, span.heading),
            start=span.start,
            end=span.end,
        )
        for span in spans
    )
    return len(spans)


def _drop_passages(session: Session, document: int) -> None:
    session.execute(delete(PassageRow).where(PassageRow.document == document))
    session.flush()


def _full_heading(title: str, heading: str) -> str:
    """The path with the document's title at its front, where it is not there already."""
    if not title or heading.split(SEPARATOR)[0] == title:
        return heading
    return f"{title}{SEPARATOR}{heading}" if heading else title


def _stored(row: PassageRow, document: DocumentRow) -> StoredPassage:
    return StoredPassage(
        row.id,
        document.name,
        document.sha256,
        row.heading,
        row.start,
        row.end,
        document.text[row.start : row.end],
    )
