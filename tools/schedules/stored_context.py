"""For whom a schedule acts: the person who made it, in a conversation of the schedule's own."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

from tools.kernel.identity import Channel, RequestContext
from tools.kernel.jobs import pack_context


def stored_context(context: RequestContext) -> dict[str, Any]:
    """The context of a schedule's runs as data.

    The roles kept are an upper bound: every call checks what its principal may at that time.
    """
    conversation = f"schedule-{uuid4().hex[:10]}"
    own = replace(context, conversation=conversation, channel=Channel.JOB, plan=None, step=None)
    return pack_context(own)
