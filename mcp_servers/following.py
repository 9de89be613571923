"""Waiting for a job, with its progress: the one tool that is no operation.

Starting a job answers at once; who wants to see it through calls this tool. It acts on nothing and
decides nothing: what it tells is read through the gate, before and after the wait. Stopping the
call stops the waiting and not the job.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import mcp.types as types

from mcp_servers.caller import Progress
from tools.kernel.errors import InvalidInput
from tools.kernel.identity import RequestContext

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel

FOLLOW = "platform_follow_job"
READS = "platform.jobs"
ENDED = ("done", "failed", "cancelled")
LONGEST = 50.0
"""Seconds. Many clients give a call up after a minute."""
USUAL = 20.0
Follow = Callable[[int, RequestContext, Progress, float], Awaitable[None]]
"""Waits until a job has ended or the seconds are over, and tells its progress meanwhile."""

TOOL = types.Tool(
    name=FOLLOW,
    title="Wait for a job and tell its progress",
    description="Wait until a job has ended, at most the given seconds, and tell its progress "
    "meanwhile; then answer with how it stands. Reads only. If it still runs, call it again. "
    "Stopping this call does not stop the job.\nFor example: wait for job 7",
    inputSchema={
        "type": "object",
        "properties": {
            "job": {"type": "integer", "minimum": 1, "description": "The job's number."},
            "seconds": {
                "type": "number",
                "minimum": 0,
                "maximum": LONGEST,
                "default": USUAL,
                "description": "How long to wait at most.",
            },
        },
        "required": ["job"],
        "additionalProperties": False,
    },
    annotations=types.ToolAnnotations(
        title="Wait for a job",
        readOnlyHint=True,
        destructiveHint=False,
        idempotentHint=True,
        openWorldHint=False,
    ),
)


def read_arguments(arguments: dict[str, Any]) -> tuple[int, float]:
    """The job's number and the seconds.

    Raises:
        InvalidInput: naming what is wrong.
    """
    unknown = [name for name in arguments if name not in ("job", "seconds")]
    if unknown:
        raise InvalidInput(f"{FOLLOW}: no argument {unknown[0]!r}.", suggestions=["job", "seconds"])
    job, seconds = arguments.get("job"), arguments.get("seconds", USUAL)
    if type(job) is not int or job < 1:
        raise InvalidInput(
            f"{FOLLOW}: job must be a job's number.", hint="platform_jobs lists them."
        )
    if type(seconds) not in (int, float) or not 0 <= seconds <= LONGEST:
        raise InvalidInput(f"{FOLLOW}: seconds must be from 0 to {LONGEST:.0f}.")
    return job, float(seconds)


class LocalFollow:
    """Follows jobs of this process's kernel; threads of its own wait, so that calls find theirs.

    Args:
        kernel: the started kernel.
        waiters: how many can be waited for at the same time; more take turns.
    """

    def __init__(self, kernel: Kernel, waiters: int = 32) -> None:
        self._kernel = kernel
        self._threads = ThreadPoolExecutor(waiters, thread_name_prefix="mcp-follow")

    async def __call__(
        self, job: int, context: RequestContext, progress: Progress, seconds: float
    ) -> None:
        """See `Follow`."""
        loop = asyncio.get_running_loop()
        ends, after = loop.time() + seconds, 0
        while (left := ends - loop.time()) > 0:
            found, status = await loop.run_in_executor(
                self._threads, self._look, job, context.tenant, after, min(left, 1.0)
            )
            told = [event.data for event in found if event.kind == "job.progress"]
            if told:  # of what came together, the newest counts
                progress(float(told[-1]["fraction"]), str(told[-1].get("message") or ""))
            after = found[-1].id if found else after
            if status in ENDED:
                return

    def _look(self, job: int, tenant: str, after: int, seconds: float) -> Any:
        status = self._kernel.jobs.get(job, tenant).status
        wait = 0.0 if status in ENDED else seconds
        found = self._kernel.events.wait(f"job:{job}", after, wait, tenant=tenant)
        return found, status

    def close(self) -> None:
        """Wait for nothing any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
