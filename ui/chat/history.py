"""Chainlit's store of conversations, read from the assistant's own: nothing is kept twice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from chainlit.data.base import BaseDataLayer
from chainlit.types import (
    Feedback,
    PageInfo,
    PaginatedResponse,
    Pagination,
    ThreadDict,
    ThreadFilter,
)
from chainlit.user import PersistedUser, User
from fastapi import HTTPException

from tools.kernel.errors import PilothouseError
from ui.chat.people import asking, identifier, owner
from ui.chat.transcript import Transcript

if TYPE_CHECKING:
    from ui.api.door import Door

SINCE = "1970-01-01T00:00:00Z"


class History(BaseDataLayer):
    """Conversations and feedback; what the chat shows is drawn from the stored events.

    Args:
        door: the platform.
    """

    def __init__(self, door: Door) -> None:
        self._door = door

    async def get_user(self, identifier: str) -> PersistedUser | None:
        """The user of a login; who that is was checked before."""
        return PersistedUser(id=identifier, identifier=identifier, createdAt=SINCE)

    async def create_user(self, user: User) -> PersistedUser | None:
        """The same: users are made with `pilothouse users`."""
        return await self.get_user(user.identifier)

    async def list_threads(
        self, pagination: Pagination, filters: ThreadFilter
    ) -> PaginatedResponse[ThreadDict]:
        """A page of a person's conversations, newest first."""
        assistant, context = await self._door.assistant(), owner(filters.userId or "")
        skip = int(pagination.cursor or 0)
        found = await asyncio.to_thread(
            assistant.threads.list, context, pagination.first + 1, skip, filters.search or ""
        )
        more, found = len(found) > pagination.first, found[: pagination.first]
        end = str(skip + len(found))
        page = PageInfo(hasNextPage=more, startCursor=str(skip), endCursor=end)
        return PaginatedResponse(page, [_thread(t, filters.userId or "") for t in found])

    async def get_thread_author(self, thread_id: str) -> str:
        """Whose conversation it is; empty if there is none."""
        found = await asyncio.to_thread((await self._door.assistant()).threads.owner, thread_id)
        return "/".join(found) if found else ""

    async def get_thread(self, thread_id: str) -> ThreadDict | None:
        """A conversation with all that it shows."""
        author = await self.get_thread_author(thread_id)
        if not author:
            return None
        drawn = await asyncio.to_thread(self.transcript, thread_id, author)
        rows = (await self._door.assistant()).feedback.of_conversation
        given = {r.turn: r for r in await asyncio.to_thread(rows, thread_id)}
        for turn in drawn.turns.values():
            row = given.get(turn.number)
            if row is not None and turn.run in drawn.steps:
                judged = {"id": row.id, "value": int(row.good), "comment": row.comment}
                drawn.steps[turn.run]["feedback"] = {**judged, "forId": turn.run}
        title = next((t.sentence for t in drawn.turns.values()), "")
        whole = _thread({"thread": thread_id, "title": title, "updated": SINCE}, author)
        whole["steps"] = list(drawn.steps.values())  # pyright: ignore[reportGeneralTypeIssues]
        whole["elements"] = list(drawn.elements.values())  # pyright: ignore[reportGeneralTypeIssues]
        return whole

    def transcript(self, thread: str, author: str) -> Transcript:
        """A conversation as it stands, drawn from its events."""
        drawn = self.blank(thread, author)
        after = 0
        while found := self._door.kernel.events.read(f"conversation:{thread}", after):
            for event in found:
                drawn.take(event)
            after = found[-1].id
        return drawn

    def blank(self, thread: str, author: str) -> Transcript:
        """A conversation of which nothing was drawn yet."""
        kernel, tenant = self._door.kernel, author.partition("/")[0]
        return Transcript(
            thread,
            author,
            lambda approval: kernel.approvals.get(approval, tenant).model_dump(mode="json"),
            kernel.settings.currency,
        )

    async def update_thread(
        self,
        thread_id: str,
        name: str | None = None,
        user_id: str | None = None,
        metadata: dict[str, Any] | None = None,
        tags: list[str] | None = None,
    ) -> None:
        """Rename a conversation, or begin one: Chainlit says which by naming the user."""
        if name is None:
            return
        assistant = await self._door.assistant()
        if user_id is not None:
            await asyncio.to_thread(assistant.threads.begin, thread_id, name, owner(user_id))
            return
        await _answered(asyncio.to_thread(assistant.threads.rename, thread_id, name, asking.get()))

    async def delete_thread(self, thread_id: str) -> None:
        """Erase a conversation."""
        assistant = await self._door.assistant()
        await _answered(assistant.threads.erase(thread_id, asking.get()))

    async def upsert_feedback(self, feedback: Feedback) -> str:
        """Keep a thumb and its comment as a labelled example of whoever conversed."""
        thread, context = feedback.threadId or "", asking.get()
        author = await self.get_thread_author(thread)
        turn = None
        if author == identifier(context.principal):
            drawn = await asyncio.to_thread(self.transcript, thread, author)
            turn = drawn.turn_of_run(feedback.forId)
        if turn is None:
            raise HTTPException(404, "You have no such answer to judge.")
        give, good = (await self._door.assistant()).feedback.give, feedback.value == 1
        return await asyncio.to_thread(
            give, thread, turn.number, context, good=good, comment=feedback.comment
        )

    async def delete_feedback(self, feedback_id: str) -> bool:
        """Take a thumb back."""
        assistant = await self._door.assistant()
        await asyncio.to_thread(assistant.feedback.take_back, feedback_id, asking.get())
        return True

    async def create_element(self, element: Any) -> None:
        """Nothing: elements are drawn from events."""

    async def get_element(self, thread_id: str, element_id: str) -> None:
        """Nothing is stored here."""

    async def delete_element(self, element_id: str, thread_id: str | None = None) -> None:
        """Nothing is stored here."""

    async def create_step(self, step_dict: Any) -> None:
        """Nothing: steps are drawn from events."""

    async def update_step(self, step_dict: Any) -> None:
        """Nothing is stored here."""

    async def delete_step(self, step_id: str) -> None:
        """Nothing is stored here."""

    async def get_favorite_steps(self, user_id: str) -> list[Any]:
        """Favourites are not offered."""
        return []

    async def build_debug_url(self) -> str:
        """There is no debugger."""
        return ""

    async def close(self) -> None:
        """Nothing is held open."""


async def _answered(work: Awaitable[None]) -> None:
    try:
        await work
    except PilothouseError as error:
        raise HTTPException(error.status, str(error)) from error


def _thread(found: dict[str, Any], author: str) -> ThreadDict:
    return {
        "id": found["thread"],
        "createdAt": found["updated"],
        "name": found["title"],
        "userId": author,
        "userIdentifier": author,
        "tags": [],
        "metadata": {},
        "steps": [],
        "elements": [],
    }
