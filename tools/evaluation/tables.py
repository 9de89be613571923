"""The evaluation's tables: results and comparisons, one row for each job that measured."""

from __future__ import annotations

from typing import Any

from sqlalchemy import String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tools.kernel.storage.base import Base, Record


class EvaluationRow(Record, Base):
    """One model measured once; `body` is the whole `EvaluationResult`."""

    __tablename__ = "ph_evaluation_results"
    __table_args__ = (UniqueConstraint("measured_by"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    measured_by: Mapped[int]
    model: Mapped[str] = mapped_column(String(128), index=True)
    version: Mapped[int | None]
    training_job: Mapped[int | None] = mapped_column(index=True)
    run_id: Mapped[str | None] = mapped_column(String(64))
    dataset: Mapped[str] = mapped_column(String(160))
    split: Mapped[str] = mapped_column(String(16))
    accuracy: Mapped[float]
    body: Mapped[dict[str, Any]]


class ComparisonRow(Record, Base):
    """Two models compared once; `body` is the whole `ComparisonResult`."""

    __tablename__ = "ph_evaluation_comparisons"
    __table_args__ = (UniqueConstraint("measured_by"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    measured_by: Mapped[int]
    model: Mapped[str] = mapped_column(String(128), index=True)
    version: Mapped[int]
    other_model: Mapped[str] = mapped_column(String(128), index=True)
    other_version: Mapped[int]
    p_value: Mapped[float]
    body: Mapped[dict[str, Any]]


class ReportRow(Record, Base):
    """A report of another kind (`robustness`, `frontier`, `drift`, …), kept once for its key."""

    __tablename__ = "ph_evaluation_reports"
    __table_args__ = (UniqueConstraint("tenant", "kind", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(24))
    key: Mapped[str] = mapped_column(String(160))
    model: Mapped[str] = mapped_column(String(128), index=True)
    version: Mapped[int | None]
    body: Mapped[dict[str, Any]]


class ExperimentRow(Record, Base):
    """A declared experiment; `body` is the whole `Experiment`."""

    __tablename__ = "ph_evaluation_experiments"

    id: Mapped[int] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(String(128), index=True)
    version: Mapped[int]
    other_model: Mapped[str] = mapped_column(String(128))
    other_version: Mapped[int]
    status: Mapped[str] = mapped_column(String(16))
    body: Mapped[dict[str, Any]]
