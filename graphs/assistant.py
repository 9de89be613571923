"""The assistant: the composition root, and the one object that every door talks to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from agents.team import Team
from graphs.answering import Answering
from graphs.arranging import announcement
from graphs.checkpoints import Supervision
from graphs.conversations import Conversations
from graphs.deciding import Deciding
from graphs.dispatch import Dispatcher
from graphs.drafting import Drafting, refuse_if
from graphs.events import AssistantEvent, Message, PlanEvent
from graphs.feedback import Feedback
from graphs.hearing import Heard, Hearing
from graphs.names import LiveNames
from graphs.plan import Plan
from graphs.schedule_runner import ScheduleRunner
from graphs.stream import TurnStream
from graphs.tables import TurnRow
from graphs.threads import Threads
from graphs.turn_rules import carries_out, needs_confirming
from graphs.turns import Turns
from graphs.understanding import ParsedPlan, Understanding
from graphs.understanding.names import NameView
from graphs.understanding.parse_lines import parse_turns
from mcp_servers.caller import LocalCaller
from mcp_servers.memory import LocalServers
from tools.kernel.embedding import get_embedder
from tools.kernel.entities import EntityKind
from tools.kernel.errors import Conflict
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.operations import OperationSet

if TYPE_CHECKING:
    from autogen_core.models import ChatCompletionClient

    from tools.kernel.settings import Settings

log = logging.getLogger(__name__)


class Assistant:
    """Words in, a plan out, receipts back. Made with `open`; lives in one event loop.

    Attributes:
        understanding: the parser.
        feedback: what people said of answers.
        threads: the conversations that are kept.
    """

    def __init__(self, kernel: Kernel, understanding: Understanding, turns: Turns) -> None:
        self._kernel = kernel
        self._turns = turns
        self._conversations = Conversations(kernel.database)
        self._drafting = Drafting()
        self.feedback = Feedback(kernel.database)
        self.threads = Threads(kernel.events, self._conversations, turns)
        self._hearing = Hearing(kernel, understanding, self._conversations, self.feedback)
        self._answering = Answering(kernel.gate, self._conversations)
        self._deciding = Deciding(kernel, self._conversations, turns)
        self._exit = AsyncExitStack()
        self._runner = ScheduleRunner(kernel, turns)
        self.understanding = understanding

    @classmethod
    async def open(cls, kernel: Kernel, understanding: Understanding | None = None) -> Assistant:
        """Put understanding, agents, MCP servers and graph together, and go on with what a crash
        cut off.

        Args:
            kernel: a started kernel.
            understanding: the parser, when one is there already; else it is made.
        """
        if understanding is None:
            understanding = await asyncio.to_thread(make_understanding, kernel.operations)
        exit_stack = AsyncExitStack()
        caller = LocalCaller(kernel.gate)
        exit_stack.callback(caller.close)
        model = await asyncio.to_thread(_model, kernel.settings)
        team = Team(LocalServers(kernel.operations, caller), model)
        exit_stack.push_async_callback(team.close)
        dispatcher = Dispatcher(kernel, team)
        supervision = Supervision(kernel.settings, dispatcher)
        exit_stack.push_async_callback(supervision.close)
        turns = Turns(kernel, supervision, dispatcher)
        assistant = cls(kernel, understanding, turns)
        assistant._exit = exit_stack
        await asyncio.to_thread(assistant._hearing.warm)
        turns.recover()
        await assistant._runner.start()
        if not kernel.database.is_sqlite:
            heeding = asyncio.create_task(turns.heed())
            exit_stack.callback(heeding.cancel)
        return assistant

    async def close(self) -> None:
        """Let go of everything; turns that run go on at the next start."""
        await self._runner.close()
        await self._turns.close()
        await self._exit.aclose()

    def names(self, context: RequestContext) -> LiveNames:
        """The names that exist for whoever asks."""
        return self._hearing.names(context)

    async def ask(
        self, text: str, context: RequestContext, *, auto_confirm: bool = False
    ) -> AsyncIterator[AssistantEvent]:
        """Understand a sentence and carry it out.

        Args:
            text: what the person says.
            context: who says it; `conversation` is the thread, a new one when None.
            auto_confirm: answer the confirmation of writing plans with yes. Approvals of
                dangerous steps are never answered by it, nor changes of a language model's making
                that the words do not name.

        Yields:
            The turn's events; the last is `Done`.
        """
        conversation = context.conversation or uuid4().hex[:12]
        context = replace(context, conversation=conversation)
        async with self._turns.only_one(context):
            stream = await self._taken_up(text, context, auto_confirm=auto_confirm)
        async for event in stream.listen():
            yield event

    def takes_more(self, thread: str) -> bool:
        """True if a conversation may be told more while it runs: it only waits for a job."""
        return self._turns.waits_for_jobs(thread)

    async def _taken_up(
        self, text: str, context: RequestContext, *, auto_confirm: bool
    ) -> TurnStream:
        """Understand a sentence and begin what it asks for; the events of its turn."""
        with self._drafting.of(str(context.conversation)) as stop:
            heard = await asyncio.to_thread(self._hear, text, context)
            waiting = heard.waiting
            if waiting is not None and heard.plan is None:
                refuse_if(stop)
                return await self._deciding.take(heard.decision, waiting, context)
            plan = await self._hearing.understand(heard, context, stop)
        dropped = isinstance(plan, ParsedPlan) and plan.drops_pending
        if waiting is not None and (dropped or _replaces(plan, waiting)):
            await self._turns.replace(waiting, context)
        asked = not auto_confirm or bool(plan.unsaid)
        confirm = asked and needs_confirming(plan, self._kernel.operations)
        begun = await asyncio.to_thread(self._begin, heard, plan, context, confirm=confirm)
        turn, stream, planned = begun
        stream.deliver(planned)
        if told := announcement(plan, self._kernel.operations, datetime.now().astimezone()):
            await stream.emit(Message(text=told))
        if carries_out(plan):
            self._turns.begin(turn, plan, context, stream, confirm=confirm)
        else:
            await self._answering.answer(turn, plan, context, stream)
        return stream

    def _hear(self, text: str, context: RequestContext) -> Heard:
        self._turns.mark_failed()
        return self._hearing.hear(text, context)

    def _begin(
        self, heard: Heard, plan: Plan, context: RequestContext, *, confirm: bool
    ) -> tuple[TurnRow, TurnStream, AssistantEvent]:
        """Store a turn, its first event, and what is now in focus: all or nothing."""
        conversation, keeper = str(context.conversation), self._conversations
        state = heard.state.after(plan).model_dump(mode="json")
        with self._kernel.events.writing() as session:
            turn = keeper.add_turn(
                conversation, heard.text, plan, context, confirm=confirm, session=session
            )
            keeper.remember(conversation, state, session)
            stream = TurnStream(self._kernel.events, conversation, context.tenant, turn.number)
            planned = stream.add(PlanEvent(plan=plan))
            with stream.storing(session):
                pass
        return turn, stream, planned

    async def resume(
        self,
        thread: str,
        context: RequestContext,
        *,
        confirmed: bool | None = None,
        approval: str | None = None,
    ) -> AsyncIterator[AssistantEvent]:
        """Go on with a turn that waits, after a confirmation or a decided approval.

        Args:
            thread: the conversation.
            context: who resumes it; the steps still act for who asked for them.
            confirmed: the answer, if the turn waits for a confirmation.
            approval: the decided approval's id, to find its turn among several that wait.

        Raises:
            NotFound: if nothing waits there.
        """
        find = self._deciding.waiting
        waiting = await asyncio.to_thread(find, thread, context, confirmed, approval)
        stream = self._turns.resume(waiting, context, confirmed=confirmed)
        async for event in stream.listen():
            yield event

    async def cancel(
        self, thread: str, context: RequestContext, turn: int | None = None
    ) -> dict[str, Any]:
        """Stop a turn that runs in a conversation, and the jobs that it started.

        Args:
            thread: the conversation.
            context: who stops it.
            turn: the turn's number; when None the sentence that is just being understood, or
                else the newest that runs.

        Returns:
            `done`, `not_done` (steps) and `jobs` (stopped job numbers).

        Raises:
            NotFound, Conflict: if there is no such conversation, or nothing runs in it.
        """
        await asyncio.to_thread(self._conversations.get, thread, context)
        if turn is None and self._drafting.stop(thread):
            return {"done": [], "not_done": [], "jobs": []}
        stopped = await self._turns.cancel(thread, context, turn)
        if stopped is None:
            raise Conflict(f"Nothing runs in conversation {thread}.")
        return stopped

    def prepare(self, context: RequestContext, names: NameView | None = None) -> None:
        """Read and index every name once, so that the first sentence does not wait for it.

        Args:
            context: whose names.
            names: the names that exist, instead of the live ones.
        """
        view = self.names(context) if names is None else names
        for kind in EntityKind:
            try:
                self.understanding.linker.index(kind, view)
            except Exception:  # the first sentence that needs these names tells what is wrong
                log.warning("the names of kind %s could not be read", kind, exc_info=True)

    def parse(
        self,
        said: str | Sequence[str],
        context: RequestContext,
        names: NameView | None = None,
        now: datetime | None = None,
    ) -> Plan:
        """What a sentence means; nothing is executed or remembered.

        Args:
            said: a sentence, or the sentences of a conversation, of which the last is planned and
                those before are taken as said and done.
            context: whose names it may mention.
            names: the names that exist, instead of the live ones.
            now: the time that counts as now, instead of the clock's.
        """
        if names is None:
            names = self.names(context)
            names.warm()
        turns = [said] if isinstance(said, str) else list(said)
        return parse_turns(turns, self.understanding, names, now)


def _replaces(plan: Plan, waiting: TurnRow) -> bool:
    """True if a plan is the waiting one with other arguments: a correction of it."""
    before = [step["operation"] for step in (waiting.plan or {}).get("steps", [])]
    now = [step.operation for step in plan.steps]
    return bool(before) and before == now and not plan.dry_run


def _model(settings: Settings) -> ChatCompletionClient | None:
    """The agents' language model, where one is configured; its libraries take seconds to import."""
    if not settings.model:
        return None
    from agents.model_clients import llm_client

    return llm_client(settings)


def make_understanding(operations: OperationSet) -> Understanding:
    """The parser over all operations."""
    return Understanding(operations, get_embedder())
