"""The documents' tables: texts, the passages that they were cut into, and what was seeded."""

from __future__ import annotations

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tools.kernel.storage.base import Base, Record


class DocumentRow(Record, Base):
    """One content of a document; `status` is `active`, or `former` after it was replaced."""

    __tablename__ = "ph_knowledge_documents"
    __table_args__ = (Index("ix_ph_knowledge_documents_name", "tenant", "name", "status"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(512))
    title: Mapped[str] = mapped_column(String(512))
    path: Mapped[str] = mapped_column(Text)
    kind: Mapped[str] = mapped_column(String(16))
    sha256: Mapped[str] = mapped_column(String(64))
    text: Mapped[str] = mapped_column(Text)
    builtin: Mapped[bool] = mapped_column(default=False)
    status: Mapped[str] = mapped_column(String(16), default="active")
    batch: Mapped[str] = mapped_column(String(32), index=True)
    replaced_in: Mapped[str | None] = mapped_column(String(32), index=True)


class PassageRow(Record, Base):
    """Where a passage stands in its document's text; its vector has the same id in Chroma."""

    __tablename__ = "ph_knowledge_passages"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    document: Mapped[int] = mapped_column(ForeignKey("ph_knowledge_documents.id"), index=True)
    ordinal: Mapped[int]
    heading: Mapped[str] = mapped_column(Text)
    start: Mapped[int]
    end: Mapped[int]


class SeedRow(Record, Base):
    """A built-in document that was read once, so that forgetting it lasts."""

    __tablename__ = "ph_knowledge_seeds"
    __table_args__ = (UniqueConstraint("tenant", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(512))
    sha256: Mapped[str] = mapped_column(String(64))
