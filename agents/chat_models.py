"""The configured language model as a LangChain chat model: which provider, where, with which key.

`PILOTHOUSE_MODEL=provider:name` takes a provider that LangChain knows; any other name with
`PILOTHOUSE_MODEL_URL` is an endpoint that speaks OpenAI's protocol (llama.cpp's server, vLLM, …).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from tools.kernel.errors import Unavailable

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from tools.kernel.settings import Settings

OPENAI = "openai"
_OWN_URL = ("anthropic", "ollama")
"""Providers whose own protocol is spoken at `PILOTHOUSE_MODEL_URL`."""


def provider_of(settings: Settings) -> tuple[str, str]:
    """The provider and the model's name there."""
    provider, _, name = (settings.model or "").partition(":")
    if name and provider in (OPENAI, *_OWN_URL):
        return provider, name
    if name and settings.model_url is None:
        return provider, name
    return OPENAI, settings.model or ""


def structured_method(provider: str) -> str:
    """How a provider is made to answer in a schema: Anthropic by a forced tool, others by it."""
    return "function_calling" if provider == "anthropic" else "json_schema"


def chat_model(settings: Settings, *, retries: int, max_tokens: int | None = None) -> BaseChatModel:
    """The chat model that the settings name.

    Args:
        settings: model, URL, key and timeout.
        retries: how often a failed call is tried again.
        max_tokens: the longest answer; the provider's own limit when None.

    Raises:
        Unavailable: if the provider is not known, not installed, or lacks its key.
    """
    from langchain.chat_models import init_chat_model

    provider, name = provider_of(settings)
    options = _options(settings, provider, retries, max_tokens)
    try:
        made = cast("BaseChatModel", init_chat_model(name, model_provider=provider, **options))
        # OpenAI's client imports hundreds of modules at its first answer in a schema: now instead.
        getattr(getattr(made, "root_async_client", None), "beta", None)
    except Exception as error:  # the message may hold the key
        raise Unavailable(
            f"The language model {settings.model!r} cannot be used ({type(error).__name__}).",
            hint="Install the provider's LangChain package and set PILOTHOUSE_MODEL_KEY.",
        ) from error
    return made


def _options(
    settings: Settings, provider: str, retries: int, max_tokens: int | None
) -> dict[str, Any]:
    key = settings.model_key.get_secret_value() if settings.model_key is not None else None
    if provider == "ollama":
        return _ollama(settings, key, max_tokens)
    options: dict[str, Any] = {"timeout": settings.model_timeout, "max_retries": retries}
    if settings.model_url is not None:
        options["base_url"] = settings.model_url
        # A key for one provider, found in the environment, must not travel to another.
        key = key or "none"
    if key is not None:
        options["api_key"] = key
    if max_tokens is not None:
        options["max_tokens"] = max_tokens
    if provider == OPENAI:
        # Streamed, because some servers do nothing else; streamed answers tell their tokens too.
        options |= {"streaming": True, "stream_usage": True, "use_responses_api": False}
    return options


def _ollama(settings: Settings, key: str | None, max_tokens: int | None) -> dict[str, Any]:
    client: dict[str, Any] = {"timeout": settings.model_timeout}
    if key is not None:
        client["headers"] = {"Authorization": f"Bearer {key}"}
    options: dict[str, Any] = {"client_kwargs": client}
    if settings.model_url is not None:
        options["base_url"] = settings.model_url
    if max_tokens is not None:
        options["num_predict"] = max_tokens
    return options
