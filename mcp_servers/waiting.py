"""What a door knows beside making calls: how jobs go on, and where people decide approvals."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Protocol

from mcp_servers.bearer import base_of
from mcp_servers.caller import Progress
from mcp_servers.offer import Request
from tools.kernel.identity import RequestContext

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

ENDED = ("done", "failed", "cancelled")
PENDING = "pending"
STEP_SECONDS = 1.0


class Waiting(Protocol):
    """Waits without holding anybody else up; giving a wait up leaves nothing behind."""

    async def job(
        self, job: int, context: RequestContext, progress: Progress, seconds: float
    ) -> None:
        """Wait until a job has ended or the seconds are over; tell its progress meanwhile."""
        ...

    async def granted(self, approval: str, context: RequestContext, seconds: float) -> bool:
        """Wait until an approval is decided or the seconds are over; True if it was granted."""
        ...

    def page(self, approval: str, request: Request) -> str:
        """The address of the page on which a person who is signed in decides an approval."""
        ...


class LocalWaiting:
    """Waits for what happens in this process's kernel, in threads of its own.

    Args:
        kernel: the started kernel.
        threads: how many waits there can be at the same time; more take turns of a second.
    """

    def __init__(self, kernel: Kernel, threads: int = 32) -> None:
        self._kernel = kernel
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="mcp-wait")

    async def job(
        self, job: int, context: RequestContext, progress: Progress, seconds: float
    ) -> None:
        """See `Waiting`."""

        def status() -> str:
            return self._kernel.jobs.get(job, context.tenant).status

        def note(events: list[Any]) -> None:
            told = [event.data for event in events if event.kind == "job.progress"]
            if told:  # of what came together, the newest counts
                progress(float(told[-1]["fraction"]), str(told[-1].get("message") or ""))

        await self._wait(f"job:{job}", context, status, lambda s: s in ENDED, note, seconds)

    async def granted(self, approval: str, context: RequestContext, seconds: float) -> bool:
        """See `Waiting`."""

        def status() -> str:
            return self._kernel.approvals.get(approval, context.tenant).status

        found = await self._wait(
            "approvals", context, status, lambda s: s != PENDING, lambda _: None, seconds
        )
        return found == "granted"

    def page(self, approval: str, request: Request) -> str:
        """See `Waiting`: at the address that the client called the gateway by."""
        base = base_of(request.request, self._kernel.settings.public_url)  # pyright: ignore[reportArgumentType]
        return f"{base}/approvals/{approval}"

    async def _wait(
        self,
        topic: str,
        context: RequestContext,
        status: Callable[[], str],
        over: Callable[[str], bool],
        note: Callable[[list[Any]], None],
        seconds: float,
    ) -> str:
        """Look again after each event until it is over; the last status."""
        loop = asyncio.get_running_loop()
        ends, after = loop.time() + seconds, 0

        def look(left: float) -> tuple[str, list[Any]]:
            seen = status()
            wait = 0.0 if over(seen) else min(max(left, 0.0), STEP_SECONDS)
            return seen, self._kernel.events.wait(topic, after, wait, tenant=context.tenant)

        while True:
            left = ends - loop.time()
            seen, events = await loop.run_in_executor(self._threads, look, left)
            note(events)
            after = events[-1].id if events else after
            if over(seen) or left <= 0:
                return seen

    def close(self) -> None:
        """Wait for nothing any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
