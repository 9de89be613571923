"""Keeping conversations: turns, their plans and results, and the entities in focus."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import Table, bindparam, delete, func, insert, select, update
from sqlalchemy.orm import Session

from graphs.plan import Plan
from graphs.tables import ConversationRow, FeedbackRow, TurnRow
from tools.kernel.errors import NotFound
from tools.kernel.identity import RequestContext
from tools.kernel.jobs import pack_context
from tools.kernel.storage import Database, now

WAITING = ("needs_confirmation", "needs_approval")
# Made once: building a statement costs more than running it.
_TALKS = cast("Table", ConversationRow.__table__)
_TURNS = cast("Table", TurnRow.__table__)
_STATE = (
    update(_TALKS)
    .where(_TALKS.c.id == bindparam("which"))
    .values(state=bindparam("state"), updated=bindparam("updated"))
)
_END = (
    update(_TURNS)
    .where(_TURNS.c.id == bindparam("which"))
    .values(status=bindparam("status"), results=bindparam("results"))
)
_COUNT = select(func.count()).where(_TURNS.c.conversation == bindparam("conversation"))
_NEW = insert(_TURNS)
_WAITS = (
    select(_TURNS.c.id)
    .where(
        _TURNS.c.conversation == bindparam("conversation"),
        _TURNS.c.status.in_(bindparam("statuses", expanding=True)),
    )
    .order_by(_TURNS.c.number.desc())
    .limit(1)
)


class Conversations:
    """The stored conversations of a home; a principal sees only their own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @contextmanager
    def _within(self, session: Session | None) -> Iterator[Session]:
        """The session that is given, or one of our own."""
        if session is not None:
            yield session
            return
        with self._database.session() as own:
            yield own

    def open(self, conversation: str, text: str, context: RequestContext) -> ConversationRow:
        """The conversation of that id, made when new.

        A page and the first thing said in it may open it at the same moment: one of them makes it.

        Raises:
            NotFound: if it belongs to somebody else.
        """
        with self._database.session() as session:
            row = session.get(ConversationRow, conversation)
        if row is None:
            with self._database.writing() as session:
                row = session.get(ConversationRow, conversation)
                if row is None:
                    row = ConversationRow(
                        id=conversation,
                        tenant=context.tenant,
                        principal=context.principal.name,
                        title=text.strip()[:80],
                        state={},
                        updated=now(),
                    )
                    session.add(row)
        return self._own(row, conversation, context)

    def get(
        self, conversation: str, context: RequestContext, session: Session | None = None
    ) -> ConversationRow:
        """A conversation.

        Raises:
            NotFound: if there is none, or it belongs to somebody else.
        """
        with self._within(session) as session:
            row = session.get(ConversationRow, conversation)
        return self._own(row, conversation, context)

    @staticmethod
    def _own(
        row: ConversationRow | None, conversation: str, context: RequestContext
    ) -> ConversationRow:
        mine = (context.tenant, context.principal.name)
        if row is None or (row.tenant, row.principal) != mine:
            raise NotFound(f"You have no conversation {conversation!r}.")
        return row

    def owner(self, conversation: str) -> tuple[str, str] | None:
        """Whose conversation it is, as tenant and name; None if there is no such conversation."""
        with self._database.session() as session:
            row = session.get(ConversationRow, conversation)
        return None if row is None else (row.tenant, row.principal)

    def list(
        self, context: RequestContext, limit: int = 50, skip: int = 0, search: str = ""
    ) -> list[ConversationRow]:
        """The principal's conversations, newest first; those whose title holds `search`."""
        query = select(ConversationRow).where(
            ConversationRow.tenant == context.tenant,
            ConversationRow.principal == context.principal.name,
        )
        if search:
            query = query.where(ConversationRow.title.icontains(search, autoescape=True))
        with self._database.session() as session:
            ordered = query.order_by(ConversationRow.updated.desc()).offset(skip).limit(limit)
            return list(session.scalars(ordered).all())

    def rename(self, conversation: str, title: str) -> None:
        """Give a conversation another title."""
        with self._database.session() as session:
            session.execute(
                update(ConversationRow)
                .where(ConversationRow.id == conversation)
                .values(title=title.strip()[:200])
            )

    def erase(self, conversation: str) -> None:
        """Delete a conversation, its turns, and what was said of its answers."""
        with self._database.writing() as session:
            for table in (FeedbackRow, TurnRow):
                session.execute(delete(table).where(table.conversation == conversation))
            session.execute(delete(ConversationRow).where(ConversationRow.id == conversation))

    def add_turn(
        self,
        conversation: str,
        text: str,
        plan: Plan,
        context: RequestContext,
        *,
        confirm: bool,
        session: Session | None = None,
    ) -> TurnRow:
        """Store a new turn as running; `confirm` is kept for a start after a crash."""
        with self._within(session) as session:
            connection = session.connection()
            count = connection.execute(_COUNT, {"conversation": conversation}).scalar()
            number = int(count or 0) + 1
            row = {
                "id": f"{conversation}.{number}",
                "tenant": context.tenant,
                "created": now(),
                "conversation": conversation,
                "number": number,
                "text": text,
                "context": {**pack_context(context), "confirm": confirm},
                "plan": plan.model_dump(mode="json"),
                "status": "running",
                "results": {},
            }
            connection.execute(_NEW, row)
        return TurnRow(**row)

    def settle(
        self, turn: str, status: str, results: dict[str, Any], session: Session | None = None
    ) -> None:
        """Note how a turn stands."""
        given = {"which": turn, "status": status, "results": results}
        with self._within(session) as session:
            session.connection().execute(_END, given)

    def mark(self, turn: str, status: str) -> None:
        """Note a turn's status alone."""
        with self._database.session() as session:
            session.execute(update(TurnRow).where(TurnRow.id == turn).values(status=status))

    def remember(
        self, conversation: str, state: dict[str, Any], session: Session | None = None
    ) -> None:
        """Store what is in focus."""
        given = {"which": conversation, "state": state, "updated": now()}
        with self._within(session) as session:
            session.connection().execute(_STATE, given)

    def turns(self, conversation: str) -> list[TurnRow]:
        """All turns, in order."""
        query = select(TurnRow).where(TurnRow.conversation == conversation)
        with self._database.session() as session:
            return list(session.scalars(query.order_by(TurnRow.number)).all())

    def said(self, context: RequestContext, limit: int = 3) -> tuple[str, ...]:
        """The person's last sentences in the context's conversation, oldest first."""
        query = select(TurnRow.text).where(TurnRow.conversation == context.conversation)
        with self._database.session() as session:
            newest = session.scalars(query.order_by(TurnRow.number.desc()).limit(limit)).all()
        return tuple(reversed(newest))

    def waiting(
        self,
        conversation: str,
        statuses: tuple[str, ...] = WAITING,
        session: Session | None = None,
    ) -> TurnRow | None:
        """The newest turn that waits for a person, or None."""
        given = {"conversation": conversation, "statuses": statuses}
        with self._within(session) as session:
            found = session.connection().execute(_WAITS, given).scalar()
            return session.get(TurnRow, found) if found is not None else None

    def turn(self, turn: str) -> TurnRow:
        """One turn by id."""
        with self._database.session() as session:
            return session.get_one(TurnRow, turn)

    def interrupted(self) -> list[TurnRow]:
        """The turns that were running when the process ended."""
        with self._database.session() as session:
            query = select(TurnRow).where(TurnRow.status == "running")
            return list(session.scalars(query.order_by(TurnRow.created)).all())
