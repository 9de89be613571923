"""One turn of one agent, and how it is cancelled."""

from __future__ import annotations

import asyncio

import anyio
from autogen_agentchat.agents import AssistantAgent
from autogen_agentchat.base import Response
from autogen_agentchat.messages import TextMessage
from autogen_core import CancellationToken

from agents.ports import OnEvent
from agents.workbench import SessionWorkbench


async def turn(
    agent: AssistantAgent, workbench: SessionWorkbench, task: str, on_event: OnEvent
) -> Response | None:
    """Run one turn of an agent; cancelling it cancels its calls, and tells their servers."""
    token = CancellationToken()
    message = TextMessage(content=task, source="user")
    try:
        async for event in agent.on_messages_stream([message], token):
            if isinstance(event, Response):
                return event
            on_event(event)
        return None
    except asyncio.CancelledError:
        token.cancel()
        with anyio.CancelScope(shield=True):
            await workbench.settle()
        raise
    finally:
        token.cancel()
