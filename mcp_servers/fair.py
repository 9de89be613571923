"""A caller that lets nobody take all the threads: so many calls of a principal run at once."""

from __future__ import annotations

import asyncio
from typing import Any

from mcp_servers.caller import Caller, CallOutcome, Progress
from tools.kernel.identity import RequestContext

EACH = 6


class FairCaller:
    """Makes calls through another caller; those over the number wait for the principal's own.

    To be used from one event loop.

    Args:
        caller: who makes them.
        each: calls of one principal that run at the same time.
    """

    def __init__(self, caller: Caller, each: int = EACH) -> None:
        self._caller = caller
        self._each = each
        self._turns: dict[tuple[str, str], tuple[asyncio.Semaphore, int]] = {}

    async def call(
        self,
        name: str,
        arguments: dict[str, Any],
        context: RequestContext,
        *,
        approval: str | None = None,
        idempotency_key: str | None = None,
        progress: Progress | None = None,
    ) -> CallOutcome:
        """See `Caller.call`; cancelling a call that waits for its turn drops it."""
        owner = (context.tenant, context.principal.name)
        turn, users = self._turns.get(owner, (asyncio.Semaphore(self._each), 0))
        self._turns[owner] = (turn, users + 1)
        try:
            async with turn:
                return await self._caller.call(
                    name,
                    arguments,
                    context,
                    approval=approval,
                    idempotency_key=idempotency_key,
                    progress=progress,
                )
        finally:
            self._leave(owner)

    def _leave(self, owner: tuple[str, str]) -> None:
        turn, users = self._turns[owner]
        if users > 1:
            self._turns[owner] = (turn, users - 1)
        else:
            del self._turns[owner]
