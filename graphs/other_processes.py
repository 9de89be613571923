"""Turns that other processes on the same database run: told apart, waited for, and stopped."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from graphs.conversations import Conversations
from graphs.plan import Plan
from graphs.tables import TurnRow
from tools.kernel.jobs import OPEN

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

T = TypeVar("T")

CONTROL = "control"
"""The topic on which processes ask one another."""
LOOK_SECONDS = 0.5
STOP_SECONDS = 25.0
"""How long another process is waited for when it is to stop a turn."""


class OtherProcesses:
    """What goes on in the processes beside this one. On SQLite there are none.

    Args:
        kernel: for leases, jobs and events.
        conversations: the turns of all processes.
        is_own: tells a turn's id that this process runs.
    """

    def __init__(
        self, kernel: Kernel, conversations: Conversations, is_own: Callable[[str], bool]
    ) -> None:
        self._kernel = kernel
        self._conversations = conversations
        self._is_own = is_own

    async def take(self, lease: str) -> bool:
        """Take a lease; False if another holds it."""
        return await self._of_leases(self._kernel.leases.take, lease)

    async def release(self, lease: str) -> None:
        """Give a lease back."""
        await self._of_leases(self._kernel.leases.release, lease)

    async def is_busy(self, conversation: str) -> bool:
        """True if another process runs a turn of a conversation that has begun no job."""
        return await self._of_leases(self._is_busy, conversation)

    def _is_busy(self, conversation: str) -> bool:
        return any(not self._is_away(turn) for turn in self._running(conversation))

    async def _of_leases(self, act: Callable[[str], T], name: str) -> T:
        """Ask about a lease: a server is asked from a thread, the set in memory here."""
        if self._kernel.database.is_sqlite:
            return act(name)
        return await asyncio.to_thread(act, name)

    def _running(self, conversation: str) -> list[TurnRow]:
        if self._kernel.database.is_sqlite:
            return []
        turns = self._conversations.turns(conversation)
        return [t for t in turns if t.status == "running" and not self._is_own(t.id)]

    def _is_away(self, turn: TurnRow) -> bool:
        """True once a turn has begun a job."""
        plan = (turn.plan or {}).get("id")
        return any(
            row.context.get("plan") == plan
            for status in OPEN
            for row in self._kernel.jobs.list(turn.tenant, status=status)
        )

    async def cancel(self, conversation: str, number: int | None) -> dict[str, Any] | None:
        """Have the process that runs a turn of a conversation stop it.

        Args:
            conversation: its id.
            number: which turn of it; the newest when None.

        Returns:
            The ids of steps in `done` and `not_done`, and `jobs`; None if no turn runs.
        """
        found = await asyncio.to_thread(self._running, conversation)
        wanted = [turn for turn in found if number in (None, turn.number)]
        if not wanted:
            return None
        turn = wanted[-1]
        told = {"conversation": conversation, "number": turn.number, "context": turn.context}
        await asyncio.to_thread(
            self._kernel.events.publish, CONTROL, "turn.cancel", told, turn.tenant
        )
        deadline = asyncio.get_running_loop().time() + STOP_SECONDS
        while turn.status == "running" and asyncio.get_running_loop().time() < deadline:
            await asyncio.sleep(LOOK_SECONDS)
            turn = await asyncio.to_thread(self._conversations.turn, turn.id)
        steps = [step.id for step in Plan.model_validate(turn.plan).steps]
        done = [s for s in steps if turn.results.get(s, {}).get("status") == "done"]
        return {"done": done, "not_done": [s for s in steps if s not in done], "jobs": []}
