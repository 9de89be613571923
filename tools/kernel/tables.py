"""The kernel's tables."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, Integer, String, Text, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from tools.kernel.storage.base import Base, Record


class PrincipalRow(Record, Base):
    """A person or program, its roles, and how it signs in other than by tokens.

    `epoch` grows with each change of roles or password; sessions of an earlier one are over.
    """

    __tablename__ = "ph_principals"
    __table_args__ = (UniqueConstraint("tenant", "name"), UniqueConstraint("issuer", "subject"))

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(128))
    roles: Mapped[list[Any]] = mapped_column(default=list)
    active: Mapped[bool] = mapped_column(default=True)
    password_hash: Mapped[str | None] = mapped_column(String(256))
    issuer: Mapped[str | None] = mapped_column(String(256))
    subject: Mapped[str | None] = mapped_column(String(256))
    epoch: Mapped[int] = mapped_column(default=0, server_default=text("0"))


class TokenRow(Record, Base):
    """An access token: its holder, what it lends and until when; of itself only the hash."""

    __tablename__ = "ph_tokens"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    principal: Mapped[str] = mapped_column(String(128), index=True)
    label: Mapped[str] = mapped_column(String(64))
    prefix: Mapped[str] = mapped_column(String(12))
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[Any] | None]
    audience: Mapped[str | None] = mapped_column(String(512))
    expires: Mapped[datetime | None]
    used: Mapped[datetime | None]
    revoked: Mapped[datetime | None]


class SessionRow(Record, Base):
    """A person who is signed in with a browser; of the cookie only the hash."""

    __tablename__ = "ph_sessions"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    principal: Mapped[str] = mapped_column(String(128), index=True)
    epoch: Mapped[int]
    hash: Mapped[str] = mapped_column(String(64), unique=True)
    previous: Mapped[str | None] = mapped_column(String(64), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    rotated: Mapped[datetime]
    seen: Mapped[datetime]
    expires: Mapped[datetime]


class LoginFailureRow(Record, Base):
    """How often signing in to an account failed lately from an address, and until when to wait."""

    __tablename__ = "ph_login_failures"

    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    account: Mapped[str] = mapped_column(String(64), index=True)
    failures: Mapped[int] = mapped_column(default=0)
    last: Mapped[datetime]
    until: Mapped[datetime | None]


class LoginFlowRow(Record, Base):
    """A sign-in that is under way at an identity provider; used once."""

    __tablename__ = "ph_login_flows"

    state: Mapped[str] = mapped_column(String(64), primary_key=True)
    browser: Mapped[str] = mapped_column(String(64))
    nonce: Mapped[str] = mapped_column(String(64))
    verifier: Mapped[str] = mapped_column(String(128))
    goal: Mapped[str] = mapped_column(String(512))
    expires: Mapped[datetime]


class ApprovalRow(Record, Base):
    """A dangerous call that waits for, or got, a person's decision."""

    __tablename__ = "ph_approvals"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    operation: Mapped[str] = mapped_column(String(128))
    arguments: Mapped[dict[str, Any]]
    digest: Mapped[str] = mapped_column(String(64), index=True)
    proposer: Mapped[str] = mapped_column(String(128))
    channel: Mapped[str] = mapped_column(String(16))
    conversation: Mapped[str | None] = mapped_column(String(64), index=True)
    plan: Mapped[str | None] = mapped_column(String(64))
    step: Mapped[str | None] = mapped_column(String(64))
    preview: Mapped[dict[str, Any]]
    second_person: Mapped[bool] = mapped_column(default=False)
    status: Mapped[str] = mapped_column(String(16), index=True)
    expires: Mapped[datetime]
    decided: Mapped[datetime | None]
    decided_by: Mapped[str | None] = mapped_column(String(128))
    self_approved: Mapped[bool] = mapped_column(default=False)
    reason: Mapped[str | None] = mapped_column(Text)
    seal: Mapped[str | None] = mapped_column(String(64))


class ReceiptRow(Record, Base):
    """What was asked, what was done, and the evidence read back."""

    __tablename__ = "ph_receipts"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, unique=True)
    operation: Mapped[str] = mapped_column(String(128), index=True)
    effect: Mapped[str] = mapped_column(String(16))
    principal: Mapped[str] = mapped_column(String(128), index=True)
    conversation: Mapped[str | None] = mapped_column(String(64), index=True)
    job: Mapped[int | None] = mapped_column(index=True)
    status: Mapped[str] = mapped_column(String(16))
    body: Mapped[dict[str, Any]]
    undone_by: Mapped[str | None] = mapped_column(String(32))


class AuditRow(Base):
    """One link of the audit chain; never changed after it is written."""

    __tablename__ = "ph_audit"

    sequence: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    tenant: Mapped[str] = mapped_column(String(64), index=True)
    at: Mapped[str] = mapped_column(String(40))
    body: Mapped[str] = mapped_column(Text)
    previous: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class IdempotencyRow(Record, Base):
    """A call that carried an idempotency key: who makes it, whether it acts, and its receipt."""

    __tablename__ = "ph_idempotency"
    __table_args__ = (UniqueConstraint("tenant", "principal", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    principal: Mapped[str] = mapped_column(String(128))
    key: Mapped[str] = mapped_column(String(200))
    digest: Mapped[str] = mapped_column(String(64))
    receipt: Mapped[str | None] = mapped_column(String(32))
    claimant: Mapped[str] = mapped_column(String(160), default="", server_default="")
    acting: Mapped[bool] = mapped_column(default=False, server_default=false())


class JobRow(Record, Base):
    """A durable job; the workflow engine holds its steps, this row what people see."""

    __tablename__ = "ph_jobs"

    id: Mapped[int] = mapped_column(primary_key=True)
    operation: Mapped[str] = mapped_column(String(128), index=True)
    arguments: Mapped[dict[str, Any]]
    context: Mapped[dict[str, Any]]
    receipt: Mapped[str | None] = mapped_column(String(32))
    status: Mapped[str] = mapped_column(String(16), index=True)
    progress: Mapped[float] = mapped_column(default=0.0)
    message: Mapped[str] = mapped_column(Text, default="")
    metrics: Mapped[dict[str, Any]] = mapped_column(default=dict)
    result: Mapped[dict[str, Any] | None]
    error: Mapped[dict[str, Any] | None]
    attempts: Mapped[int] = mapped_column(default=0)
    cancelling: Mapped[bool] = mapped_column(default=False, server_default=false())
    seconds: Mapped[float] = mapped_column(default=0.0, server_default=text("0"))
    started: Mapped[datetime | None]
    ended: Mapped[datetime | None]


class PlanRunRow(Record, Base):
    """A plan that was due, and what came of it; unique for each occasion of its source."""

    __tablename__ = "ph_plan_runs"
    __table_args__ = (UniqueConstraint("source", "key"), UniqueConstraint("source", "number"))

    id: Mapped[int] = mapped_column(primary_key=True)
    source: Mapped[str] = mapped_column(String(64))
    key: Mapped[str] = mapped_column(String(64))
    number: Mapped[int]
    due: Mapped[datetime]
    sentence: Mapped[str] = mapped_column(Text)
    steps: Mapped[list[Any]]
    context: Mapped[dict[str, Any]]
    status: Mapped[str] = mapped_column(String(16), index=True)
    note: Mapped[str] = mapped_column(Text, default="")
    turn: Mapped[str | None] = mapped_column(String(80), index=True)
    receipts: Mapped[list[Any]] = mapped_column(default=list)
    began: Mapped[datetime | None]
    ended: Mapped[datetime | None]


class EventRow(Base):
    """Something that happened, for doors to stream and to resume from."""

    __tablename__ = "ph_events"
    __table_args__ = (Index("ix_ph_events_topic_id", "topic", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[str] = mapped_column(String(64))
    topic: Mapped[str] = mapped_column(String(96))
    kind: Mapped[str] = mapped_column(String(48))
    data: Mapped[dict[str, Any]]
    at: Mapped[datetime]


class UsageRow(Record, Base):
    """Tokens and compute that a principal used; what budgets are checked against."""

    __tablename__ = "ph_usage"

    id: Mapped[int] = mapped_column(primary_key=True)
    principal: Mapped[str] = mapped_column(String(128), index=True)
    what: Mapped[str] = mapped_column(String(16))
    amount: Mapped[float]
    source: Mapped[str] = mapped_column(String(96))


class ReceiptCounterRow(Base):
    """The last number given to a receipt of a tenant's database."""

    __tablename__ = "ph_counters"

    name: Mapped[str] = mapped_column(String(32), primary_key=True)
    value: Mapped[int] = mapped_column(default=0)


class JobReferenceRow(Base):
    """Which receipt a job's completion wrote, so that completing twice writes once."""

    __tablename__ = "ph_job_receipts"

    job: Mapped[int] = mapped_column(ForeignKey("ph_jobs.id"), primary_key=True)
    receipt: Mapped[str] = mapped_column(String(32))
