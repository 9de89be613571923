"""The second speed: what the parser abstains on goes to a language model, as a plan to fill in.

The model sees the person's words and the operations that could matter, nothing else: no document,
no tool output. What it answers is checked like any plan (known operations, known arguments, names
in the live catalogue), sent back for repair once, and otherwise refused. It acts through the same
gate; a dangerous step of its making waits for a person's approval.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field

from agents.catalog import TEAM
from graphs.names import LiveNames
from graphs.plan import Plan, Step
from graphs.plan_check import check_step
from tools.kernel.budget import TOKENS
from tools.kernel.errors import PilothouseError
from tools.kernel.identity import RequestContext
from tools.kernel.operations import Operation
from tools.kernel.telemetry import span

if TYPE_CHECKING:
    from graphs.understanding import Understanding
    from tools.kernel.kernel import Kernel

log = logging.getLogger(__name__)

CANDIDATES = 12
LETTERS_A_TOKEN = 4
_AGENTS = frozenset(a.name for a in TEAM)
PROMPT = Path(__file__).with_name("llm_planner.md")


class DraftStep(BaseModel):
    """One step as a model drafts it."""

    operation: str = Field(description="Name of one of the operations listed.")
    arguments: dict[str, Any] = Field(
        default_factory=dict,
        description='Its arguments. {"step": "s1", "field": "job"} takes a field of the result of '
        "an earlier step.",
    )
    depends_on: list[str] = Field(default_factory=list, description="Steps that come before.")


class Draft(BaseModel):
    """A plan for what the person asked, made only of the operations listed."""

    steps: list[DraftStep] = Field(
        default_factory=list[DraftStep], description="s1, s2, … in order."
    )
    reply: str | None = Field(
        None, description="What to say when nothing is to be done, or one question to ask back."
    )
    delegate: str | None = Field(
        None, description="One agent's name, when the task needs it to look around by itself."
    )


class LlmPlanner:
    """Drafts plans with the configured language model.

    Args:
        kernel: settings, budget and operations.
        understanding: names the operations that could matter for a sentence.
    """

    def __init__(self, kernel: Kernel, understanding: Understanding) -> None:
        self._kernel = kernel
        self._understanding = understanding

    async def plan(
        self, text: str, context: RequestContext, names: LiveNames, parsed: Plan
    ) -> Plan:
        """A plan for a sentence, or the parser's own with a word on why there is none."""
        began = time.perf_counter()
        try:
            self._kernel.budget.check_tokens(context.principal)
            with span("llm.plan", model=str(self._kernel.settings.model)):
                draft, problem = await self._drafted(text, context, names)
        except PilothouseError as error:
            return _fallen_back(parsed, str(error))
        except Exception as error:
            log.warning("the language model failed: %s", type(error).__name__)
            return _fallen_back(
                parsed, f"The language model did not answer usably ({type(error).__name__})."
            )
        if draft is None:
            return _fallen_back(parsed, f"The language model's plan does not hold: {problem}")
        ms = (time.perf_counter() - began) * 1000
        return Plan(
            text=text,
            steps=_steps(draft, text),
            reply=draft.reply,
            confidence=0.5,
            ms=round(ms, 1),
        )

    async def _drafted(
        self, text: str, context: RequestContext, names: LiveNames
    ) -> tuple[Draft | None, str]:
        ranked = self._ranked(text)
        messages = [("system", _instructions(ranked)), ("human", text)]
        problem = ""
        for _ in range(2):
            draft, usage = await self._ask(messages)
            self._kernel.budget.record(
                context.principal, TOKENS, usage, f"model {self._kernel.settings.model}"
            )
            problem = self._problem(draft, ranked, names)
            if draft is not None and not problem:
                return draft, ""
            told = draft.model_dump_json() if draft is not None else "(no valid plan)"
            messages += [("ai", told), ("human", f"That does not hold: {problem} Mend the plan.")]
        return None, problem

    def _ranked(self, text: str) -> list[Operation[Any, Any]]:
        """All operations, the likeliest first."""
        chances = self._understanding.router.distribution(text)
        known = [o for o in self._kernel.operations if not o.hidden]
        return sorted(known, key=lambda o: chances.get(o.name, 0.0), reverse=True)

    async def _ask(self, messages: list[tuple[str, str]]) -> tuple[Draft | None, int]:
        model = await asyncio.to_thread(self._model)
        answer = await asyncio.wait_for(
            model.ainvoke(messages), self._kernel.settings.model_timeout
        )
        usage = getattr(answer["raw"], "usage_metadata", None) or {}
        used = int(usage.get("total_tokens", 0)) or _estimated(messages, answer["raw"])
        parsed = answer["parsed"]
        return (parsed if isinstance(parsed, Draft) else None), used

    def _model(self) -> Any:
        from langchain.chat_models import init_chat_model

        settings = self._kernel.settings
        options: dict[str, Any] = {"timeout": settings.model_timeout, "max_retries": 0}
        if settings.model_url:
            # Streamed, because some servers do nothing else, and all that agents use do it.
            options |= {"model_provider": "openai", "base_url": settings.model_url}
            options |= {"streaming": True, "stream_usage": True}
        if settings.model_key:
            options["api_key"] = settings.model_key.get_secret_value()
        elif settings.model_url:
            options["api_key"] = "none"
        chat = init_chat_model(settings.model, **options)
        return chat.with_structured_output(Draft, method="function_calling", include_raw=True)

    def _problem(
        self, draft: Draft | None, operations: list[Operation[Any, Any]], names: LiveNames
    ) -> str:
        if draft is None:
            return "it is not a plan in the form asked for."
        if draft.delegate is not None:
            if draft.steps:
                return "it has both steps and a delegate."
            return "" if draft.delegate in _AGENTS else f"there is no agent {draft.delegate!r}."
        if not draft.steps and not (draft.reply or "").strip():
            return "it has neither steps nor a reply."
        known = {o.name: o for o in operations}
        earlier: dict[str, Operation[Any, Any]] = {}
        for step in _steps(draft, ""):
            if step.operation not in known:
                return f"{step.operation!r} is not one of the operations listed."
            problem = check_step(step, known[step.operation], earlier, names)
            if problem:
                return problem
            earlier[step.id] = known[step.operation]
        return ""


def draft_ids(draft: Draft) -> list[str]:
    """The ids that a draft's steps get, in order."""
    return [f"s{number}" for number in range(1, len(draft.steps) + 1)]


def _steps(draft: Draft, text: str) -> list[Step]:
    if draft.delegate is not None:
        return [Step(id="s1", operation=f"agent.{draft.delegate}", arguments={"task": text})]
    return [
        Step(id=i, operation=s.operation, arguments=s.arguments, depends_on=s.depends_on)
        for i, s in zip(draft_ids(draft), draft.steps, strict=True)
    ]


def _estimated(messages: list[tuple[str, str]], answer: Any) -> int:
    """Tokens of a call whose server does not count them."""
    said = sum(len(text) for _, text in messages)
    return (said + len(str(answer.content)) + len(str(answer.tool_calls))) // LETTERS_A_TOKEN


def _instructions(ranked: list[Operation[Any, Any]]) -> str:
    """The prompt: the likeliest operations in full, the others in a line each."""
    listed = [
        {
            "operation": o.name,
            "effect": o.effect.value,
            "about": o.summary,
            "arguments": o.input.model_json_schema()["properties"] if o.input.model_fields else {},
            "result_fields": list(o.output.model_fields),
        }
        for o in ranked[:CANDIDATES]
    ]
    team = "\n".join(f"- {a.name}: {a.title}" for a in TEAM)
    others = "\n".join(f"- {o.name}: {o.summary}" for o in ranked[CANDIDATES:])
    shown = json.dumps(listed, indent=1)
    return PROMPT.read_text().format(operations=shown, others=others, team=team)


def _fallen_back(parsed: Plan, why: str) -> Plan:
    reply = f"{why} {parsed.reply}" if parsed.reply else why
    return parsed.model_copy(update={"reply": reply})
