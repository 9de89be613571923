"""The table of schedules; their runs are plan runs of the kernel under `schedule-<id>`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tools.kernel.storage.base import Base, Record


class ScheduleRow(Record, Base):
    """One schedule; `timing` is a `Timing` as data, `context` says for whom it acts."""

    __tablename__ = "ph_schedules"
    __table_args__ = (UniqueConstraint("tenant", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    sentence: Mapped[str] = mapped_column(Text)
    steps: Mapped[list[Any]]
    timing: Mapped[dict[str, Any]]
    after_job: Mapped[int | None] = mapped_column(index=True)
    context: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(String(16), index=True)
    note: Mapped[str] = mapped_column(Text, default="")
    next_due: Mapped[datetime | None]

    @property
    def source(self) -> str:
        """The source under which its runs are kept."""
        return f"schedule-{self.id}"
