"""How a server reaches the gate: in this process, or in the platform process of the home.

Imports nothing heavy, so that a thin client can implement `Caller` (`ui.client.RemoteCaller`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from tools.kernel.identity import RequestContext
from tools.kernel.secrets import masked, revealed

if TYPE_CHECKING:
    from tools.kernel.gate import Gate, Outcome

Progress = Callable[[float, str], None]
"""Takes a fraction from 0 to 1 and a message; may be called from any thread."""


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """What a call gave, as plain data.

    Attributes:
        result: the operation's output, secrets masked.
        receipt: its receipt.
        job: the job that it started, if any.
        revealed: the output with its secrets readable, where it holds any: for the asker's own
            screen, never for a model, a log or a store.
    """

    result: dict[str, Any]
    receipt: dict[str, Any]
    job: int | None = None
    revealed: dict[str, Any] | None = None


class Caller(Protocol):
    """Makes calls through the gate. Safe for concurrent use from one event loop."""

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
        """Carry out one operation.

        Cancelling the task drops a call that has not begun; one that has begun comes to its end,
        and its receipt says what was done.

        Raises:
            PilothouseError: for every expected trouble, `NeedsApproval` among them.
        """
        ...


class LocalCaller:
    """Calls the gate of this process, each call in a worker thread.

    Args:
        gate: the kernel's gate.
        workers: how many calls run at the same time; more wait for their turn.
    """

    def __init__(self, gate: Gate, workers: int = 16) -> None:
        self._gate = gate
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="gate")

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
        """See `Caller.call`; long work reports as a job, so `progress` stays quiet here."""
        run = partial(
            self._gate.call,
            name,
            arguments,
            context,
            approval=approval,
            idempotency_key=idempotency_key,
        )
        loop = asyncio.get_running_loop()
        return _plain(await loop.run_in_executor(self._threads, run))

    def close(self) -> None:
        """Take no more calls; those that run come to their end."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _plain(outcome: Outcome) -> CallOutcome:
    result, shown = masked(outcome.result), revealed(outcome.result)
    return CallOutcome(
        result=result,
        receipt=outcome.receipt.model_dump(mode="json"),
        job=outcome.job,
        revealed=shown if shown != result else None,
    )
