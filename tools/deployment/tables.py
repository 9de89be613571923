"""The tables of rollouts and bundles."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tools.kernel.storage.base import Base, Record


class RolloutRow(Record, Base):
    """One rollout or A/B test of one group; `strategy` is `ab_test` for the latter.

    `bundles` holds the bundle of every form of the version that a device of it gets, `bundle` that
    of the version's own. `offers` in its plan are those forms, as devices that join later get them.
    """

    __tablename__ = "ph_deployment_rollouts"
    __table_args__ = (
        UniqueConstraint("job"),
        Index(
            "uq_ph_deployment_rollouts_open",
            "tenant",
            "open_group",
            unique=True,
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    job: Mapped[int]
    group: Mapped[str] = mapped_column("device_group", String(64), index=True)
    model: Mapped[str] = mapped_column(String(128))
    version: Mapped[int]
    strategy: Mapped[str] = mapped_column(String(16))
    percent: Mapped[int]
    state: Mapped[str] = mapped_column(String(16), index=True)
    paused: Mapped[bool] = mapped_column(default=False)
    open_group: Mapped[str | None] = mapped_column(String(64))
    takes_over: Mapped[int | None]
    bundle: Mapped[str | None] = mapped_column(String(64))
    bundles: Mapped[dict[str, Any]] = mapped_column(default=dict)
    reason: Mapped[str | None] = mapped_column(Text)
    baseline_before: Mapped[list[Any]] = mapped_column(default=list)
    touches: Mapped[int] = mapped_column(default=0)
    plan: Mapped[dict[str, Any]] = mapped_column(default=dict)
    step: Mapped[int] = mapped_column(default=0)
    skip: Mapped[int] = mapped_column(default=0)
    hold: Mapped[str | None] = mapped_column(Text)
    ended: Mapped[datetime | None]


class TargetRow(Record, Base):
    """One device of a rollout: what it was to serve before, and whether the rollout changed it.

    `wave` is the step that reaches it, counted from 0. `excluded` devices were put back by
    themselves, and are left alone by the rollout that goes on. `form` is the form of the version
    that suits it.
    """

    __tablename__ = "ph_deployment_targets"
    __table_args__ = (UniqueConstraint("rollout", "device"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    rollout: Mapped[int] = mapped_column(ForeignKey("ph_deployment_rollouts.id"), index=True)
    device: Mapped[str] = mapped_column(String(64))
    before: Mapped[list[Any]] = mapped_column(default=list)
    chosen: Mapped[bool] = mapped_column(default=False)
    awaited: Mapped[bool] = mapped_column(default=True)
    touched: Mapped[bool] = mapped_column(default=False)
    traffic_before: Mapped[list[Any]] = mapped_column(default=list)
    facts_before: Mapped[dict[str, Any]] = mapped_column(default=dict)
    wave: Mapped[int] = mapped_column(default=0)
    excluded: Mapped[bool] = mapped_column(default=False)
    form: Mapped[str | None] = mapped_column(String(64))


class JudgementRow(Record, Base):
    """What a step's figures were at one moment, and what was made of them."""

    __tablename__ = "ph_deployment_judgements"

    id: Mapped[int] = mapped_column(primary_key=True)
    rollout: Mapped[int] = mapped_column(index=True)
    step: Mapped[int]
    verdict: Mapped[str] = mapped_column(String(16))
    says: Mapped[str] = mapped_column(Text)
    metrics: Mapped[list[Any]] = mapped_column(default=list)


class FreezeRow(Record, Base):
    """A change freeze of one group, or (without one) of all."""

    __tablename__ = "ph_deployment_freezes"

    id: Mapped[int] = mapped_column(primary_key=True)
    group: Mapped[str | None] = mapped_column("device_group", String(64))
    reason: Mapped[str] = mapped_column(Text)
    until: Mapped[datetime | None]
    lifted: Mapped[datetime | None]
    declared_by: Mapped[str] = mapped_column(String(128))


class OutcomeRow(Record, Base):
    """How one key's request ended in an A/B test, and which version had answered it."""

    __tablename__ = "ph_deployment_outcomes"
    __table_args__ = (UniqueConstraint("rollout", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    rollout: Mapped[int]
    key: Mapped[str] = mapped_column(String(200))
    version: Mapped[int]
    value: Mapped[float]


class BundleRow(Record, Base):
    """The bundle that was built from a model version; its files lie under home/bundles/<sha>."""

    __tablename__ = "ph_deployment_bundles"
    __table_args__ = (UniqueConstraint("tenant", "model", "version", "source"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    model: Mapped[str] = mapped_column(String(128))
    version: Mapped[int]
    source: Mapped[str] = mapped_column(String(64))
    sha256: Mapped[str] = mapped_column(String(64), index=True)
    size: Mapped[int]
    memory_mb: Mapped[int]
