"""Waiting for a job, with its progress: the one tool that is no operation.

Starting a job answers at once; who wants to see it through calls this tool. It acts on nothing and
decides nothing: what it tells is read through the gate, before and after the wait. Stopping the
call stops the waiting and not the job.
"""

from __future__ import annotations

from typing import Any

import mcp.types as types

from tools.kernel.errors import InvalidInput

FOLLOW = "platform_follow_job"
READS = "platform.jobs"
LONGEST = 50.0
"""Seconds. Many clients give a call up after a minute."""
USUAL = 20.0

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
