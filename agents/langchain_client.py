"""Any provider that LangChain's `init_chat_model` knows, as an AutoGen model client."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Literal, cast

from autogen_core import CancellationToken, FunctionCall
from autogen_core.models import (
    AssistantMessage,
    ChatCompletionClient,
    CreateResult,
    FunctionExecutionResultMessage,
    LLMMessage,
    ModelInfo,
    RequestUsage,
    SystemMessage,
)
from autogen_core.tools import Tool, ToolSchema
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    ToolMessage,
)
from langchain_core.messages import SystemMessage as LangChainSystem
from pydantic import BaseModel

from agents.chat_models import chat_model
from agents.model_clients import CAPABILITIES, RETRIES
from tools.kernel.settings import Settings


class LangChainClient(ChatCompletionClient):
    """Wraps a LangChain chat model; keeps count of the tokens that it reports.

    Args:
        model: the chat model.
    """

    component_type = "model"

    def __init__(self, model: BaseChatModel) -> None:
        self._model = model
        self._total = RequestUsage(prompt_tokens=0, completion_tokens=0)

    @classmethod
    def of(cls, settings: Settings) -> LangChainClient:
        """The client of a `provider:model`.

        Raises:
            Unavailable: if the provider is not known, not installed, or lacks its key.
        """
        return cls(chat_model(settings, retries=RETRIES))

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
        task = asyncio.ensure_future(self._bound(tools, tool_choice).ainvoke(_translated(messages)))
        if cancellation_token is not None:
            cancellation_token.link_future(task)
        return self._result(cast("AIMessage", await task))

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
        whole: AIMessageChunk | None = None
        async for chunk in self._bound(tools, tool_choice).astream(_translated(messages)):
            if cancellation_token is not None and cancellation_token.is_cancelled():
                raise asyncio.CancelledError
            part = cast("AIMessageChunk", chunk)
            whole = part if whole is None else whole + part
            if text := _text(part):
                yield text
        if whole is None:
            raise RuntimeError("the model answered nothing")
        yield self._result(whole)

    async def close(self) -> None:
        """LangChain closes its connections with the process."""

    def actual_usage(self) -> RequestUsage:
        """Tokens used so far."""
        return self._total

    def total_usage(self) -> RequestUsage:
        """Tokens used so far."""
        return self._total

    def count_tokens(
        self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = ()
    ) -> int:
        """A rough count: four characters a token."""
        return sum(len(str(m.content)) for m in messages) // 4

    def remaining_tokens(
        self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = ()
    ) -> int:
        """What a context of 32,000 tokens would leave."""
        return 32_000 - self.count_tokens(messages, tools=tools)

    @property
    def capabilities(self) -> ModelInfo:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The same as `model_info`; AutoGen still declares it."""
        return CAPABILITIES

    @property
    def model_info(self) -> ModelInfo:
        """Function calls, no pictures."""
        return CAPABILITIES

    def _bound(self, tools: Sequence[Tool | ToolSchema], choice: Any) -> Any:
        if not tools or choice == "none":
            return self._model
        schemas = [t if isinstance(t, dict) else t.schema for t in tools]
        return self._model.bind_tools([{"type": "function", "function": s} for s in schemas])

    def _result(self, message: AIMessage) -> CreateResult:
        used = message.usage_metadata
        usage = RequestUsage(
            prompt_tokens=used["input_tokens"] if used else 0,
            completion_tokens=used["output_tokens"] if used else 0,
        )
        self._total.prompt_tokens += usage.prompt_tokens
        self._total.completion_tokens += usage.completion_tokens
        calls = [
            FunctionCall(id=c["id"] or "", name=c["name"], arguments=json.dumps(c["args"]))
            for c in message.tool_calls
        ]
        return CreateResult(
            finish_reason="function_calls" if calls else "stop",
            content=calls or _text(message),
            usage=usage,
            cached=False,
        )


def _translated(messages: Sequence[LLMMessage]) -> list[BaseMessage]:
    found: list[BaseMessage] = []
    for message in messages:
        if isinstance(message, SystemMessage):
            found.append(LangChainSystem(message.content))
        elif isinstance(message, FunctionExecutionResultMessage):
            found += [ToolMessage(r.content, tool_call_id=r.call_id) for r in message.content]
        elif isinstance(message, AssistantMessage):
            found.append(_assistant(message))
        else:
            found.append(HumanMessage(str(message.content)))
    return found


def _assistant(message: AssistantMessage) -> AIMessage:
    if isinstance(message.content, str):
        return AIMessage(message.content)
    return AIMessage(
        "",
        tool_calls=[
            {"name": c.name, "args": json.loads(c.arguments or "{}"), "id": c.id}
            for c in message.content
        ],
    )


def _text(message: BaseMessage) -> str:
    return str(message.text)
