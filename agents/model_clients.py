"""Who chooses an agent's tool calls: a plan (no language model), or a configured language model."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any, Literal
from uuid import uuid4

from autogen_core import CancellationToken, FunctionCall
from autogen_core.models import (
    ChatCompletionClient,
    CreateResult,
    FunctionExecutionResultMessage,
    LLMMessage,
    ModelFamily,
    ModelInfo,
    RequestUsage,
)
from autogen_core.tools import Tool, ToolSchema
from pydantic import BaseModel

from agents.chat_models import OPENAI, provider_of
from tools.kernel.errors import PilothouseError, Unavailable
from tools.kernel.settings import Settings

_NOTHING = RequestUsage(prompt_tokens=0, completion_tokens=0)
CAPABILITIES = ModelInfo(
    vision=False,
    function_calling=True,
    json_output=True,
    structured_output=False,
    family=ModelFamily.UNKNOWN,
    multiple_system_messages=False,
)
RETRIES = 1

log = logging.getLogger(__name__)


class PlannedModelClient(ChatCompletionClient):
    """Emits exactly the planned call, then stops; asks nobody and costs nothing.

    Args:
        tool: the tool's name.
        arguments: its arguments.
    """

    component_type = "model"

    def __init__(self, tool: str, arguments: Mapping[str, Any]) -> None:
        call_id = f"call_{uuid4().hex[:12]}"
        self.call = FunctionCall(
            id=call_id, name=tool, arguments=json.dumps(dict(arguments), default=str)
        )

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
        """The call at first; once its result is among the messages, an empty end."""
        done = any(isinstance(m, FunctionExecutionResultMessage) for m in messages)
        return CreateResult(
            finish_reason="stop" if done else "function_calls",
            content="" if done else [self.call],
            usage=_NOTHING,
            cached=False,
        )

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
        """The same in one piece."""
        yield await self.create(messages)

    async def close(self) -> None:
        """Nothing is open."""

    def actual_usage(self) -> RequestUsage:
        """No tokens."""
        return _NOTHING

    def total_usage(self) -> RequestUsage:
        """No tokens."""
        return _NOTHING

    def count_tokens(
        self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = ()
    ) -> int:
        """No tokens."""
        return 0

    def remaining_tokens(
        self, messages: Sequence[LLMMessage], *, tools: Sequence[Tool | ToolSchema] = ()
    ) -> int:
        """As many as anybody could want."""
        return 1_000_000

    @property
    def capabilities(self) -> ModelInfo:  # pyright: ignore[reportIncompatibleMethodOverride]
        """The same as `model_info`; AutoGen still declares it."""
        return CAPABILITIES

    @property
    def model_info(self) -> ModelInfo:
        """It calls functions, and nothing else."""
        return CAPABILITIES


def llm_client(settings: Settings) -> ChatCompletionClient:
    """The configured language model.

    `PILOTHOUSE_MODEL_URL` names any OpenAI-compatible endpoint, or that of the provider in
    `provider:model`. A bare name without it means OpenAI itself.

    Raises:
        Unavailable: if `PILOTHOUSE_MODEL` is not set, or the provider's package is not installed.
    """
    if not settings.model:
        raise Unavailable(
            "No language model is configured.",
            hint="Set PILOTHOUSE_MODEL (and PILOTHOUSE_MODEL_URL for an endpoint of your own).",
        )
    provider, name = provider_of(settings)
    if settings.model != name and (settings.model_url is None or provider != OPENAI):
        from agents.langchain_client import LangChainClient

        return LangChainClient.of(settings)
    from agents.openai_client import openai_client

    return openai_client(settings, name)


def told_failure(error: Exception) -> PilothouseError:
    """A failed call to a language model, as people read it; never the request or the key."""
    if isinstance(error, PilothouseError):
        return error
    log.warning("the language model failed: %s", type(error).__name__)
    status = getattr(error, "status_code", None)
    what = f"HTTP status {status}" if isinstance(status, int) else type(error).__name__
    return Unavailable(
        f"The language model did not answer ({what}).",
        hint="Everyday requests work without it. `pilothouse doctor` checks the endpoint.",
    )
