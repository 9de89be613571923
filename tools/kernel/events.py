"""What happened, as small records that doors stream, and resume from after a break."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, delete, func, insert, select
from sqlalchemy.orm import Session

from tools.kernel.storage import Database, now
from tools.kernel.tables import EventRow

_EVENTS = cast("Table", EventRow.__table__)
_ROWS = insert(_EVENTS)
_INSERT = _ROWS.returning(_EVENTS.c.id)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    Attributes:
        id: grows with every event; resume with `after=id`.
        topic: what it is about: `job:7`, `conversation:abc`, `rollout:3`, `approvals`.
        kind: what happened, for example `job.progress`.
        data: the details, JSON-like.
        at: when, in UTC.
        tenant: whose it is.
    """

    id: int
    topic: str
    kind: str
    data: dict[str, Any]
    at: datetime
    tenant: str = "default"


class Events:
    """Publish, read and wait; safe to use from several threads.

    Waiters in this process are woken at once; events of other processes are seen within a second.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._arrived = threading.Condition()
        self._published = 0
        self.listeners: list[Callable[[], None]] = []
        """Called, from any thread, whenever this process has stored events; must not block."""

    def publish(self, topic: str, kind: str, data: dict[str, Any], tenant: str = "default") -> int:
        """Store an event and wake whoever waits; returns its id."""
        with self.writing() as session:
            return self.add(session, topic, kind, data, tenant)

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A writing session for events and what they tell of; wakes whoever waits at its end."""
        with self._database.writing() as session:
            yield session
        self.wake()

    @staticmethod
    def add(
        session: Session, topic: str, kind: str, data: dict[str, Any], tenant: str = "default"
    ) -> int:
        """Store an event together with what it tells of, within `writing`."""
        row = {"tenant": tenant, "topic": topic, "kind": kind, "data": data, "at": now()}
        return int(session.connection().execute(_INSERT, row).scalar() or 0)

    @staticmethod
    def add_all(
        session: Session, topic: str, kind: str, told: list[dict[str, Any]], tenant: str = "default"
    ) -> None:
        """Store several events of a topic, in order, within `writing`."""
        common = {"tenant": tenant, "topic": topic, "kind": kind, "at": now()}
        if told:
            session.connection().execute(_ROWS, [{**common, "data": data} for data in told])

    def wake(self) -> None:
        """Let whoever waits look again."""
        with self._arrived:
            self._published += 1
            self._arrived.notify_all()
        for listener in self.listeners:
            listener()

    def newest(self) -> int:
        """The id of the newest event of all; 0 if there is none."""
        with self._database.session() as session:
            return session.scalar(select(func.max(EventRow.id))) or 0

    def since(self, after: int, limit: int = 500) -> list[Event]:
        """All topics' events with an id above `after`, oldest first, at most `limit`."""
        query = select(EventRow).where(EventRow.id > after).order_by(EventRow.id).limit(limit)
        with self._database.session() as session:
            return [_event(row) for row in session.scalars(query)]

    def read(
        self, topic: str, after: int = 0, limit: int = 500, tenant: str | None = None
    ) -> list[Event]:
        """The topic's events with an id above `after`, oldest first, at most `limit`.

        A topic that ends in `:*` means all topics that begin so.
        """
        query = select(EventRow).where(EventRow.id > after)
        if topic.endswith(":*"):
            query = query.where(EventRow.topic.startswith(topic[:-1], autoescape=True))
        else:
            query = query.where(EventRow.topic == topic)
        if tenant is not None:
            query = query.where(EventRow.tenant == tenant)
        with self._database.session() as session:
            rows = session.scalars(query.order_by(EventRow.id).limit(limit)).all()
        return [_event(row) for row in rows]

    def erase(self, topic: str) -> None:
        """Delete a topic's events, when a person has what they said erased."""
        with self._database.writing() as session:
            session.execute(delete(EventRow).where(EventRow.topic == topic))

    def wait(
        self, topic: str, after: int = 0, timeout: float = 10.0, tenant: str | None = None
    ) -> list[Event]:
        """Like `read`, but blocks up to `timeout` seconds until there is one."""
        deadline = time.monotonic() + timeout
        while True:
            with self._arrived:
                seen = self._published
            found = self.read(topic, after, tenant=tenant)
            left = deadline - time.monotonic()
            if found or left <= 0:
                return found
            with self._arrived:
                if seen == self._published:
                    self._arrived.wait(min(left, 1.0))


def _event(row: EventRow) -> Event:
    return Event(row.id, row.topic, row.kind, row.data, row.at, row.tenant)
