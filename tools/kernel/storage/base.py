"""The declarative base that every domain's tables derive from.

Tables are named `ph_<domain>_<things>` and carry a tenant; times are UTC. MLflow's tables live in
the same database under MLflow's own names.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, ColumnElement, DateTime, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

from tools.kernel.periods import Span


class UtcDateTime(TypeDecorator[datetime]):
    """A time that is always aware and in UTC, on databases that drop the zone too."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Refuse a naive time; store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("times must carry a zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Any) -> datetime | None:
        """Give the zone back to what SQLite stored without it."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


class Base(DeclarativeBase):
    """Base of all tables; JSON columns for dicts and lists, UTC for times."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012
        dict[str, Any]: JSON,
        list[Any]: JSON,
        datetime: UtcDateTime,
    }


class Record:
    """Mixin: the columns that every table of ours has."""

    tenant: Mapped[str] = mapped_column(String(64), default="default", index=True)
    created: Mapped[datetime] = mapped_column(default=now)

    @classmethod
    def made_within(cls, span: Span | None) -> list[ColumnElement[bool]]:
        """The conditions for rows that were made within a stretch of time; none for all time."""
        bounds: list[ColumnElement[bool]] = []
        if span is not None and span.start is not None:
            bounds.append(cls.created >= span.start)
        if span is not None and span.end is not None:
            bounds.append(cls.created < span.end)
        return bounds
