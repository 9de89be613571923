"""The datasets' tables."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tools.kernel.storage.base import Base, Record


class DatasetRow(Record, Base):
    """One version of a dataset; its rows lie in the home under their SHA-256."""

    __tablename__ = "ph_datasets_versions"
    __table_args__ = (UniqueConstraint("tenant", "name", "version"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64), index=True)
    version: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    source: Mapped[str] = mapped_column(Text)
    builtin: Mapped[bool] = mapped_column(default=False)
    rows: Mapped[int]
    profile: Mapped[dict[str, Any]]


class DatasetUseRow(Record, Base):
    """What was made from a dataset version, and so keeps it from being removed."""

    __tablename__ = "ph_datasets_uses"
    __table_args__ = (UniqueConstraint("dataset", "used_by"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    dataset: Mapped[int] = mapped_column(ForeignKey("ph_datasets_versions.id"))
    used_by: Mapped[str] = mapped_column(String(200))
