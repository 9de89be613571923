"""OpenAI and every endpoint that speaks its protocol."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from autogen_core.models import CreateResult, LLMMessage
from autogen_ext.models.openai import OpenAIChatCompletionClient

from agents.model_clients import CAPABILITIES, RETRIES
from tools.kernel.errors import Unavailable
from tools.kernel.settings import Settings


class MeteredClient(OpenAIChatCompletionClient):
    """AutoGen's client; asks for the token count of streamed answers too."""

    def create_stream(
        self, messages: Sequence[LLMMessage], **more: Any
    ) -> AsyncGenerator[str | CreateResult, None]:
        """The answer as it comes, its token count last."""
        more.setdefault("include_usage", True)
        return super().create_stream(messages, **more)


def openai_client(settings: Settings, model: str) -> MeteredClient:
    """The client of a model at OpenAI, or at `PILOTHOUSE_MODEL_URL`.

    Raises:
        Unavailable: if it cannot be used, for instance for want of a key.
    """
    arguments: dict[str, Any] = {
        "model": model,
        "timeout": settings.model_timeout,
        "max_retries": RETRIES,
    }
    if settings.model_key is not None:
        arguments["api_key"] = settings.model_key.get_secret_value()
    if settings.model_url is not None:
        # A key for one provider, found in the environment, must not travel to another.
        arguments = {"api_key": "none", **arguments, "base_url": settings.model_url}
        return MeteredClient(**arguments, model_info=CAPABILITIES)
    try:
        return _known_or_not(arguments)
    except Exception as error:
        raise Unavailable(
            f"The language model {model!r} cannot be used ({type(error).__name__}).",
            hint="Set PILOTHOUSE_MODEL_KEY, or PILOTHOUSE_MODEL_URL for an endpoint of your own.",
        ) from error


def _known_or_not(arguments: dict[str, Any]) -> MeteredClient:
    try:
        return MeteredClient(**arguments)
    except ValueError:  # AutoGen does not know what this model can do
        return MeteredClient(**arguments, model_info=CAPABILITIES)
