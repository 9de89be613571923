"""An assistant on a fresh home, and a way to talk to it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from graphs.assistant import Assistant, make_understanding
from graphs.events import AssistantEvent
from graphs.understanding import Understanding
from tests.support.turns import Say
from tools.catalog import load_operations
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel


@pytest.fixture(scope="session")
def understanding() -> Understanding:
    """The real parser; it keeps nothing between sentences, so one serves all tests."""
    return make_understanding(load_operations())


@pytest_asyncio.fixture
async def assistant(kernel: Kernel, understanding: Understanding) -> AsyncIterator[Assistant]:
    """The real assistant: parser, agents, MCP servers, graph."""
    opened = await Assistant.open(kernel, understanding)
    yield opened
    await opened.close()


@pytest_asyncio.fixture
async def say(assistant: Assistant, kernel: Kernel) -> Say:
    """Say a sentence in the thread `t1`; the turn's events come back."""
    context = RequestContext(kernel.principals.local(), conversation="t1")

    async def speak(text: str, *, auto_confirm: bool = False) -> list[AssistantEvent]:
        return [e async for e in assistant.ask(text, context, auto_confirm=auto_confirm)]

    return speak
