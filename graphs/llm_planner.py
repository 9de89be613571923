"""The second speed: what the parser abstains on goes to a language model, as a plan to fill in.

The model sees the person's words and the operations and names that could matter, nothing else. What
it answers is checked like any plan (known operations and arguments, names in the live catalogue,
conditions on figures that there will be), sent back for repair once, and otherwise refused. It acts
through the same gate; a dangerous step of its making waits for a person's approval.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agents.budgeted_client import LETTERS_A_TOKEN
from agents.catalog import TEAM
from agents.chat_models import OPENAI, chat_model, provider_of, structured_method
from agents.model_clients import told_failure
from graphs.model_meter import ModelMeter
from graphs.names import LiveNames
from graphs.plan import Plan, Step
from graphs.plan_check import Catalogued
from graphs.plan_draft import Draft, problem_of, read_draft
from graphs.plan_prompt import Retrieved, instructions, request, retrieve
from graphs.plan_schema import plan_schema
from graphs.plan_words import unsaid
from graphs.understanding import guards
from tools.kernel.identity import RequestContext
from tools.kernel.telemetry import span

if TYPE_CHECKING:
    from graphs.understanding import ConversationState, Understanding
    from tools.kernel.kernel import Kernel

log = logging.getLogger(__name__)

ATTEMPTS = 2
LONGEST_ANSWER = 1024
"""Tokens."""

_AGENTS = tuple(a.name for a in TEAM)
_UNSUPPORTED = (400, 404, 422, 501)
"""What servers answer that know no answers in a schema."""

Messages = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Asked:
    """A sentence that the parser abstained on.

    Attributes:
        text: what was said, with what was pasted.
        own: the person's own words.
        pasted: True if something was pasted.
        context: who says it.
        names: the names that exist.
        state: the conversation so far.
        before: the person's earlier sentences in the conversation, oldest first.
    """

    text: str
    own: str
    pasted: bool
    context: RequestContext
    names: LiveNames
    state: ConversationState
    before: tuple[str, ...] = ()


class LlmPlanner:
    """Drafts plans with the configured language model.

    Args:
        kernel: settings, budget and operations.
        understanding: names the operations that could matter for a sentence.
    """

    def __init__(self, kernel: Kernel, understanding: Understanding) -> None:
        self._kernel = kernel
        self._understanding = understanding
        self._provider, _ = provider_of(kernel.settings)
        self._method = structured_method(self._provider)
        self._chat: Any = None

    def warm(self) -> None:
        """Import and make the provider's client, which takes seconds once.

        Raises:
            Unavailable: if the provider cannot be used.
        """
        self._chat = chat_model(self._kernel.settings, retries=0, max_tokens=LONGEST_ANSWER)

    async def plan(
        self,
        text: str,
        context: RequestContext,
        names: LiveNames,
        parsed: Plan,
        state: ConversationState,
        before: tuple[str, ...] = (),
    ) -> Plan:
        """A plan for a sentence, or the parser's own with a word on why there is none.

        It takes `model_timeout` seconds at most, its repair included.
        """
        own, pasted = guards.own_words(text)
        if not own.strip():
            return parsed
        asked = Asked(text, own, pasted, context, names, state, before)
        meter = ModelMeter(self._kernel, context.principal, LONGEST_ANSWER)
        began = time.perf_counter()
        try:
            if self._chat is None:
                await asyncio.to_thread(self.warm)
            with span("llm.plan", model=meter.use.model):
                async with asyncio.timeout(self._kernel.settings.model_timeout):
                    plan = await self._planned(asked, meter)
        except TimeoutError:
            seconds = self._kernel.settings.model_timeout
            plan = _fallen_back(parsed, f"The language model gave no plan in {seconds:g} s.")
        except Exception as error:
            plan = _fallen_back(parsed, str(told_failure(error)))
        else:
            plan = plan if isinstance(plan, Plan) else _fallen_back(parsed, plan)
        plan.use = meter.use if meter.use.calls else None
        plan.ms = round((time.perf_counter() - began) * 1000, 1)
        return plan

    async def _planned(self, asked: Asked, meter: ModelMeter) -> Plan | str:
        """A plan that holds, or why there is none."""
        found = await asyncio.to_thread(retrieve, asked.own, self._understanding, asked.names)
        catalogue = Catalogued(asked.names, self._understanding.linker)
        messages = self._messages(asked, found)
        problem = ""
        for _ in range(ATTEMPTS):
            draft = await self._ask(messages, found, meter)
            problem = problem_of(draft, found.operations, _AGENTS, catalogue)
            if draft is not None and not problem:
                return await asyncio.to_thread(self._made, draft, asked)
            told = draft.model_dump_json() if draft is not None else "(no valid plan)"
            messages += [("ai", told), ("human", f"That does not hold: {problem} Mend the plan.")]
        return f"The language model's plan does not hold: {problem}"

    def _messages(self, asked: Asked, found: Retrieved) -> Messages:
        messages: Messages = [("system", instructions(found))]
        if asked.before:
            said = "\n".join(f"- {guards.own_words(sentence)[0]}" for sentence in asked.before)
            messages.append(("human", f"Said earlier, and dealt with:\n{said}"))
            messages.append(("ai", "Noted."))
        messages.append(("human", request(asked.own, asked.pasted, asked.text)))
        return messages

    def _made(self, draft: Draft, asked: Asked) -> Plan | str:
        if draft.delegate is not None:
            task = {"task": request(asked.own, asked.pasted, asked.text)}
            steps = [Step(id="s1", operation=f"agent.{draft.delegate}", arguments=task)]
            return Plan(text=asked.text, steps=steps, reply=draft.reply, confidence=0.5)
        steps = draft.planned()
        strange = unsaid(steps, asked.own, self._understanding, asked.names, asked.state)
        if strange and asked.pasted:
            return "What was pasted asks for nothing, and your own words do not name the change."
        return Plan(text=asked.text, steps=steps, reply=draft.reply, confidence=0.5, unsaid=strange)

    async def _ask(self, messages: Messages, found: Retrieved, meter: ModelMeter) -> Draft | None:
        schema = plan_schema(found.operations, found.names, _AGENTS)
        sent = (len(str(messages)) + len(str(schema))) // LETTERS_A_TOKEN
        await meter.check(sent)
        began = time.perf_counter()
        parsed = None
        used: tuple[int, int] | None = (sent, 0)  # of an answer that is given up in its middle
        try:
            answer = await self._answered(messages, schema)
            used, parsed = _used(answer["raw"], sent), answer["parsed"]
        except Exception as error:
            used = _cut_short(error)
            if used is None:
                raise
        finally:
            if used is not None:
                await meter.record(*used, (time.perf_counter() - began) * 1000)
        return read_draft(parsed)

    async def _answered(self, messages: Messages, schema: dict[str, Any]) -> dict[str, Any]:
        """An answer in the schema: by the server's own way or, if it knows none, by a tool call."""
        try:
            return await self._structured(self._method, schema).ainvoke(messages)
        except Exception as error:
            status = getattr(error, "status_code", None)
            if self._method == "function_calling" or status not in _UNSUPPORTED:
                raise
            log.info("the model's server knows no answers in a schema; tools are called instead")
        answer = await self._structured("function_calling", schema).ainvoke(messages)
        self._method = "function_calling"
        return answer

    def _structured(self, method: str, schema: dict[str, Any]) -> Any:
        more = {"strict": False} if self._provider == OPENAI else {}
        return self._chat.with_structured_output(schema, method=method, include_raw=True, **more)


def _used(raw: Any, sent: int) -> tuple[int, int]:
    """Tokens that were sent and received: as the server counts or, if it does not, as estimated."""
    told = getattr(raw, "usage_metadata", None) or {}
    got = len(str(raw.content)) // LETTERS_A_TOKEN
    return int(told.get("input_tokens", 0)) or sent, int(told.get("output_tokens", 0)) or got


def _cut_short(error: Exception) -> tuple[int, int] | None:
    """Tokens of an answer that reached its limit before its end; None for any other failure."""
    from openai import LengthFinishReasonError

    if not isinstance(error, LengthFinishReasonError):
        return None
    usage = error.completion.usage
    return (usage.prompt_tokens, usage.completion_tokens) if usage else (0, LONGEST_ANSWER)


def _fallen_back(parsed: Plan, why: str) -> Plan:
    reply = f"{why} {parsed.reply}" if parsed.reply else why
    return parsed.model_copy(update={"reply": reply})
