"""The tables of conversations: what was said, planned and done, and what is in focus."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from tools.kernel.storage import Base, Record


class ConversationRow(Record, Base):
    """One conversation of one principal."""

    __tablename__ = "ph_graph_conversations"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    principal: Mapped[str] = mapped_column(String(128), index=True)
    title: Mapped[str] = mapped_column(String(200))
    state: Mapped[dict[str, Any]]
    updated: Mapped[datetime] = mapped_column(index=True)


class TurnRow(Record, Base):
    """One sentence of a conversation and what came of it."""

    __tablename__ = "ph_graph_turns"

    id: Mapped[str] = mapped_column(String(80), primary_key=True)
    conversation: Mapped[str] = mapped_column(ForeignKey("ph_graph_conversations.id"), index=True)
    number: Mapped[int]
    text: Mapped[str] = mapped_column(Text)
    context: Mapped[dict[str, Any]]
    plan: Mapped[dict[str, Any] | None]
    status: Mapped[str] = mapped_column(String(24), index=True)
    results: Mapped[dict[str, Any]] = mapped_column(default=dict)


class FeedbackRow(Record, Base):
    """What a person said of the answer to a sentence: a labelled example for evals."""

    __tablename__ = "ph_graph_feedback"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    conversation: Mapped[str] = mapped_column(ForeignKey("ph_graph_conversations.id"), index=True)
    principal: Mapped[str] = mapped_column(String(128), index=True)
    turn: Mapped[int]
    sentence: Mapped[str] = mapped_column(Text)
    plan: Mapped[dict[str, Any] | None]
    good: Mapped[bool]
    comment: Mapped[str | None] = mapped_column(Text)
    meant: Mapped[str | None] = mapped_column(Text)
