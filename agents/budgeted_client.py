"""A language model that asks before every call whether it may, and tells what each call used.

An agent's turn is many calls: a budget that is looked at only when the turn begins would be passed
in its middle.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Literal, Protocol

from autogen_core import CancellationToken
from autogen_core.models import (
    ChatCompletionClient,
    CreateResult,
    LLMMessage,
    ModelInfo,
    RequestUsage,
)
from autogen_core.tools import Tool, ToolSchema
from pydantic import BaseModel

LETTERS_A_TOKEN = 4


class Meter(Protocol):
    """Watches what one person's language model uses."""

    async def check(self, prompt_tokens: int) -> None:
        """Let a call pass that sends about so many tokens.

        Raises:
            BudgetExceeded: if it may not.
        """
        ...

    async def record(self, prompt_tokens: int, answer_tokens: int, ms: float) -> None:
        """Note what a call used."""
        ...


class BudgetedClient(ChatCompletionClient):
    """Wraps any client.

    Args:
        inner: the client that does the work; closed by whoever made it.
        meter: asked before each call, told after it.
    """

    component_type = "model"

    def __init__(self, inner: ChatCompletionClient, meter: Meter) -> None:
        self._inner = inner
        self._meter = meter

    async def create(
        self,
        messages: Sequence[LLMMessage],
        *,
        tools: Sequence[Tool | ToolSchema] = (),
        tool_choice: Tool | Literal["auto", "required", "none"] = "auto",
        json_output: bool | type[BaseModel] | None = None,
        extra_create_args: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,
    ) -> CreateResult:
        """One answer."""
        await self._meter.check(_size(messages, tools))
        began = time.perf_counter()
        result = await self._inner.create(
            messages,
            tools=tools,
            tool_choice=tool_choice,
            json_output=json_output,
            extra_create_args=extra_create_args or {},
            cancellation_token=cancellation_token,
        )
        await self._record(messages, tools, result, began)
        return result

    async def create_stream(
        self,
        messages: Sequence[LLMMessage],
        *,
        tools: Sequence[Tool | ToolSchema] = (),
        tool_choice: Tool | Literal["auto", "required", "none"] = "auto",
        json_output: bool | type[BaseModel] | None = None,
        extra_create_args: Mapping[str, Any] | None = None,
        cancellation_token: CancellationToken | None = None,
    ) -> AsyncGenerator[str | CreateResult, None]:
        """One answer, its text as it comes."""
        await self._meter.check(_size(messages, tools))
        began = time.perf_counter()
        async for part in self._inner.create_stream(
            messages,
            tools=tools,
            tool_choice=tool_choice,
            json_output=json_output,
            extra_create_args=extra_create_args or {},
            cancellation_token=cancellation_token,
        ):
            if isinstance(part, CreateResult):
                await self._record(messages, tools, part, began)
            yield part

    async def close(self) -> None:
        """The wrapped client is not this one's to close."""

    def actual_usage(self) -> RequestUsage:
        """The wrapped client's."""
        return self._inner.actual_usage()

    def total_usage(self) -> RequestUsage:
        """The wrapped client's."""
        return self._inner.total_usage()

    def count_tokens(
        self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = ()
    ) -> int:
        """The wrapped client's."""
        return self._inner.count_tokens(messages, tools=tools)

    def remaining_tokens(
        self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = ()
    ) -> int:
        """The wrapped client's."""
        return self._inner.remaining_tokens(messages, tools=tools)

    @property
    def capabilities(self) -> ModelInfo:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The same as `model_info`; AutoGen still declares it."""
        return self._inner.model_info

    @property
    def model_info(self) -> ModelInfo:
        """The wrapped client's."""
        return self._inner.model_info

    async def _record(
        self,
        messages: Sequence[LLMMessage],
        tools: Sequence[Tool | ToolSchema],
        result: CreateResult,
        began: float,
    ) -> None:
        """Tell the meter; a server that counts nothing is estimated, never taken as free."""
        used = result.usage
        sent = used.prompt_tokens or _size(messages, tools)
        got = used.completion_tokens or len(str(result.content)) // LETTERS_A_TOKEN
        await self._meter.record(sent, got, (time.perf_counter() - began) * 1000)


def _size(messages: Sequence[LLMMessage], tools: Sequence[Tool | ToolSchema]) -> int:
    """About how many tokens a call sends."""
    offered = [t if isinstance(t, dict) else t.schema for t in tools]
    said = sum(len(str(m.content)) for m in messages) + len(str(offered))
    return said // LETTERS_A_TOKEN
