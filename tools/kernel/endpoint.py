"""A configured language model as something to measure: asked over HTTP, timed and priced.

Speaks OpenAI's chat protocol, which llama.cpp's server, vLLM, Ollama and the hosted providers
offer. Which model and where is `PILOTHOUSE_MODEL`, `PILOTHOUSE_MODEL_URL`, `PILOTHOUSE_MODEL_KEY`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from tools.kernel.identity import Principal
    from tools.kernel.kernel import Kernel

_URLS = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com/v1",
    "ollama": "http://127.0.0.1:11434/v1",
}
MOST_TOKENS = 64
_TOKENS_A_LETTER = 0.4


@dataclass(frozen=True, slots=True)
class Answer:
    """What a language model said.

    Attributes:
        text: its answer.
        seconds: how long it took.
        prompt_tokens: tokens sent, by its own count.
        answer_tokens: tokens answered.
        cost: money, by the configured prices.
    """

    text: str
    seconds: float
    prompt_tokens: int
    answer_tokens: int
    cost: float


class Endpoint:
    """The configured language model; every answer is counted in the asking person's budget.

    Args:
        kernel: the platform's kernel.
        principal: for whom it is asked.
        model: another model at the same endpoint; the configured one when None.

    Raises:
        Conflict: if none is configured, or its endpoint is not known.
    """

    def __init__(self, kernel: Kernel, principal: Principal, model: str | None = None) -> None:
        import httpx

        settings = kernel.settings
        if settings.model is None:
            raise Conflict(
                "No language model is configured.",
                hint="Set PILOTHOUSE_MODEL, and PILOTHOUSE_MODEL_URL for an endpoint of your own.",
            )
        provider, name = _named(settings.model)
        self.name = model or name
        url = settings.model_url or _URLS.get(provider)
        if url is None:
            raise Conflict(
                f"The provider {provider!r} cannot be measured: its address is not known.",
                hint="Set PILOTHOUSE_MODEL_URL to an endpoint that speaks OpenAI's protocol.",
            )
        key = settings.model_key.get_secret_value() if settings.model_key else "none"
        self._budget, self._principal = kernel.budget, principal
        self._client = httpx.Client(
            base_url=url.rstrip("/") + "/",
            headers={"Authorization": f"Bearer {key}"},
            timeout=settings.model_timeout,
        )

    def ask(
        self,
        system: str,
        question: str,
        most_tokens: int = MOST_TOKENS,
        turns: Sequence[Mapping[str, str]] = (),
    ) -> Answer:
        """One question, answered without chance (temperature 0).

        Args:
            system: the instruction.
            question: what is asked.
            most_tokens: the longest answer.
            turns: earlier messages, such as worked examples.

        Raises:
            BudgetExceeded: if today's budget is used up.
            Unavailable: if the endpoint does not answer as it should.
        """
        letters = len(system) + len(question) + sum(len(turn["content"]) for turn in turns)
        guessed = round(_TOKENS_A_LETTER * letters)
        self._budget.check_model(self._principal, guessed, most_tokens)
        body = {
            "model": self.name,
            "messages": [
                {"role": "system", "content": system},
                *turns,
                {"role": "user", "content": question},
            ],
            "temperature": 0,
            "max_tokens": most_tokens,
        }
        began = time.perf_counter()
        told = self._post(body)
        seconds = time.perf_counter() - began
        used = told.get("usage") or {}
        prompt = int(used.get("prompt_tokens") or guessed)
        answered = int(used.get("completion_tokens") or 0)
        cost = self._budget.record_model(self._principal, prompt, answered)
        return Answer(_text(told), seconds, prompt, answered, cost)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def _post(self, body: dict[str, Any]) -> dict[str, Any]:
        import httpx

        try:
            response = self._client.post("chat/completions", json=body)
            response.raise_for_status()
            return response.json()
        except httpx.HTTPStatusError as error:
            raise Unavailable(
                f"{self.name} answered with HTTP status {error.response.status_code}.",
                hint="`pilothouse doctor` checks the endpoint.",
            ) from None
        except (httpx.HTTPError, ValueError) as error:
            raise Unavailable(
                f"{self.name} does not answer ({type(error).__name__}).",
                hint="`pilothouse doctor` checks the endpoint.",
            ) from None


def _named(model: str) -> tuple[str, str]:
    provider, _, name = model.partition(":")
    return (provider, name) if name and provider in _URLS else ("openai", model)


def _text(told: dict[str, Any]) -> str:
    try:
        return str(told["choices"][0]["message"]["content"] or "").strip()
    except (KeyError, IndexError, TypeError):
        raise Unavailable("The language model's answer is not in OpenAI's shape.") from None
