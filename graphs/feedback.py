"""What people say of answers, kept as labelled examples: a thumb, a comment, a correction."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from graphs.conversations import Conversations
from graphs.tables import FeedbackRow, TurnRow
from tools.kernel.errors import NotFound
from tools.kernel.identity import RequestContext
from tools.kernel.storage import Database

_MEANT = re.compile(
    r"^\s*(?:no[,.!]?\s+)?(?:sorry[,.!]?\s+)?"
    r"(?:(?:that|this|it)\s*(?:was|is|'s)\s+(?:all\s+)?(?:wrong|not what i (?:meant|wanted|asked)"
    r"(?: for)?|a mistake)|wrong)\s*[,.;:!–—-]*\s*(?:and\s+|because\s+)?"
    r"(?:what\s+)?i\s+(?:really\s+|actually\s+)?(?:meant|wanted)(?:\s+was)?(?:\s+to)?"
    r"\s*[,:]?\s*(?P<meant>.+?)\s*$",
    re.I | re.S,
)


def corrected(text: str) -> str | None:
    """What was meant, if a sentence says that the last answer was wrong and what was meant."""
    match = _MEANT.match(text)
    return match["meant"].strip(" \"'“”") or None if match else None


class Feedback:
    """The labelled examples of a home."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._conversations = Conversations(database)

    def give(
        self,
        conversation: str,
        number: int,
        context: RequestContext,
        *,
        good: bool,
        comment: str | None = None,
        meant: str | None = None,
    ) -> str:
        """Keep what somebody says of a turn of theirs; what they said of it before is replaced.

        Returns:
            The example's id.

        Raises:
            NotFound: if they have no such turn.
        """
        self._conversations.get(conversation, context)
        turns = {t.number: t for t in self._conversations.turns(conversation)}
        if number not in turns:
            raise NotFound(f"Conversation {conversation} has no turn {number}.")
        row = FeedbackRow(
            id=uuid4().hex,
            tenant=context.tenant,
            principal=context.principal.name,
            conversation=conversation,
            turn=number,
            sentence=turns[number].text,
            plan=turns[number].plan,
            good=good,
            comment=comment or None,
            meant=meant,
        )
        with self._database.writing() as session:
            session.execute(
                delete(FeedbackRow).where(
                    FeedbackRow.conversation == conversation, FeedbackRow.turn == number
                )
            )
            session.add(row)
        return row.id

    def take_back(self, feedback: str, context: RequestContext) -> None:
        """Delete an example of one's own."""
        with self._database.writing() as session:
            session.execute(
                delete(FeedbackRow).where(
                    FeedbackRow.id == feedback,
                    FeedbackRow.tenant == context.tenant,
                    FeedbackRow.principal == context.principal.name,
                )
            )

    def of_conversation(self, conversation: str) -> list[FeedbackRow]:
        """What was said of a conversation's turns."""
        query = select(FeedbackRow).where(FeedbackRow.conversation == conversation)
        with self._database.session() as session:
            return list(session.scalars(query.order_by(FeedbackRow.turn)).all())

    def examples(self, tenant: str) -> list[dict[str, Any]]:
        """A tenant's examples, oldest first.

        Returns:
            What was said, planned, judged and commented; of a correction also the sentence that was
            meant, and the plan that came of it.
        """
        query = select(FeedbackRow).where(FeedbackRow.tenant == tenant)
        with self._database.session() as session:
            rows = session.scalars(query.order_by(FeedbackRow.created)).all()
            return [_example(row, _next(session, row)) for row in rows]


def _next(session: Session, row: FeedbackRow) -> TurnRow | None:
    """The turn in which a correction was carried out."""
    if row.meant is None:
        return None
    after = session.get(TurnRow, f"{row.conversation}.{row.turn + 1}")
    return after if after is not None and after.text == row.meant else None


def _example(row: FeedbackRow, after: TurnRow | None) -> dict[str, Any]:
    return {
        "id": row.id,
        "said": row.sentence,
        "plan": row.plan,
        "good": row.good,
        "comment": row.comment,
        "meant": row.meant,
        "meant_plan": after.plan if after else None,
        "at": row.created.isoformat(),
    }
