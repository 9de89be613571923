"""Hearing a sentence in its conversation: what it answers, or the plan that it means."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from graphs.arranging import timed_as
from graphs.drafting import unless, without_steps
from graphs.feedback import corrected
from graphs.names import LiveNames
from graphs.plan import Plan
from graphs.tables import TurnRow
from graphs.understanding import ConversationState, ParsedPlan, Understanding, guards
from graphs.understanding.text import tokenise
from tools.kernel.identity import RequestContext

if TYPE_CHECKING:
    from graphs.conversations import Conversations
    from graphs.feedback import Feedback
    from graphs.llm_planner import LlmPlanner
    from tools.kernel.kernel import Kernel


@dataclass(frozen=True, slots=True)
class Heard:
    """A sentence in its conversation.

    Attributes:
        text: what was said, or meant by a correction.
        state: what is in focus.
        waiting: the turn that waits for a person, if one does.
        decision: the answer to what waits, if the sentence is one; else there is a plan.
        plan: what the parser makes of it.
    """

    text: str
    state: ConversationState
    waiting: TurnRow | None
    decision: str = ""
    plan: ParsedPlan | None = None


class Hearing:
    """Hears sentences; safe to use from several threads.

    Args:
        kernel: for the names that exist, and the settings of a language model.
        understanding: the parser.
        conversations: what was said before.
        feedback: where corrections are kept.
    """

    def __init__(
        self,
        kernel: Kernel,
        understanding: Understanding,
        conversations: Conversations,
        feedback: Feedback,
    ) -> None:
        self._kernel = kernel
        self._understanding = understanding
        self._conversations = conversations
        self._feedback = feedback
        self._planner = _planner(kernel, understanding)

    def warm(self) -> None:
        """Get the language model's planner ready, where there is one."""
        if self._planner is not None:
            self._planner.warm()

    def names(self, context: RequestContext) -> LiveNames:
        """The names that exist for whoever asks."""
        return LiveNames(self._kernel.catalogue, context.tenant)

    def hear(self, text: str, context: RequestContext) -> Heard:
        """What a sentence meets in its conversation, and what the parser makes of it."""
        conversation = str(context.conversation)
        row = self._conversations.open(conversation, text, context)
        waiting = self._conversations.waiting(conversation)
        state = ConversationState.model_validate(row.state or {})
        waits = Plan.model_validate(waiting.plan) if waiting is not None and waiting.plan else None
        state = state.model_copy(update={"proposed": waits})
        meant = corrected(text)
        if meant is not None:
            self._note_correction(conversation, meant, context)
            text = meant
        decision = guards.act(tokenise(text)) if waiting is not None else None
        if decision in ("yes", "no", "cancel"):
            return Heard(text, state, waiting, decision)
        names = self.names(context)
        names.warm()
        plan = self._understanding.parse(text, names, state)
        return Heard(text, state, waiting, plan=plan)

    def _note_correction(self, conversation: str, meant: str, context: RequestContext) -> None:
        """Keep that the last answer was wrong, and what was meant."""
        turns = self._conversations.turns(conversation)
        if turns:
            self._feedback.give(conversation, turns[-1].number, context, good=False, meant=meant)

    async def understand(self, heard: Heard, context: RequestContext, stop: asyncio.Event) -> Plan:
        """The parser's plan, or a language model's where the parser abstains and one is there.

        Args:
            heard: a sentence that is no answer to what waits.
            context: who says it.
            stop: set when the person no longer wants it.
        """
        plan = heard.plan
        if plan is None:
            raise ValueError("an answer to what waits has no plan")
        if plan.abstained and not plan.final and self._planner is not None:
            before = await asyncio.to_thread(self._conversations.said, context)
            names = self.names(context)
            draft = self._planner.plan(heard.text, context, names, plan, heard.state, before)
            drafted = await unless(stop, draft)
            if drafted is not None:
                return timed_as(plan, drafted)
        return without_steps(plan) if stop.is_set() else plan


def _planner(kernel: Kernel, understanding: Understanding) -> LlmPlanner | None:
    """The planner with a language model, where one is configured."""
    if not kernel.settings.model:
        return None
    from graphs.llm_planner import LlmPlanner

    return LlmPlanner(kernel, understanding)
