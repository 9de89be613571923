"""The device fleet's tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tools.kernel.storage.base import Base, Record, now


class GroupRow(Record, Base):
    """A group of devices; `baseline` has the forms of what a device that joins it is to serve."""

    __tablename__ = "ph_devices_groups"
    __table_args__ = (UniqueConstraint("tenant", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    protected: Mapped[bool] = mapped_column(default=False)
    baseline: Mapped[list[Any]] = mapped_column(default=list)


class DeviceRow(Record, Base):
    """A device: who it is, how it proves that, and what it is meant to serve.

    Secrets are kept as SHA-256 only. `generation` grows with every change of what is desired and
    is the ETag that the device polls with. `credential_hash` is in force; `next_hash` was handed
    out by a renewal and takes its place when it is first shown, and then `previous_hash` is what a
    thief would still have. `touched` moves with every change of the row.
    """

    __tablename__ = "ph_devices_devices"
    __table_args__ = (UniqueConstraint("tenant", "name"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    group: Mapped[str] = mapped_column("device_group", String(64), index=True)
    profile: Mapped[str] = mapped_column(String(16))
    token_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    token_expires: Mapped[datetime | None]
    public_key: Mapped[str | None] = mapped_column(Text)
    credential_hash: Mapped[str | None] = mapped_column(String(64), unique=True)
    credential_expires: Mapped[datetime | None]
    next_hash: Mapped[str | None] = mapped_column(String(64), unique=True, index=True)
    next_expires: Mapped[datetime | None]
    previous_hash: Mapped[str | None] = mapped_column(String(64), index=True)
    locked: Mapped[datetime | None]
    enrolled: Mapped[datetime | None]
    retired: Mapped[datetime | None]
    generation: Mapped[int] = mapped_column(default=0)
    serve: Mapped[list[Any]] = mapped_column(default=list)
    stage: Mapped[list[Any]] = mapped_column(default=list)
    cause: Mapped[str | None] = mapped_column(String(96))
    changed: Mapped[datetime | None]
    touched: Mapped[datetime | None] = mapped_column(default=now, onupdate=now, index=True)


class ReportRow(Base):
    """A device's newest report, and the traffic of its earlier boots; one row a device."""

    __tablename__ = "ph_devices_reports"

    device: Mapped[int] = mapped_column(ForeignKey("ph_devices_devices.id"), primary_key=True)
    boot: Mapped[int]
    sequence: Mapped[int]
    at: Mapped[datetime]
    body: Mapped[dict[str, Any]]
    earlier: Mapped[list[Any]] = mapped_column(JSON, default=list)
