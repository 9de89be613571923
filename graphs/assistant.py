"""The assistant: the composition root, and the one object that every door talks to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from agents.team import Team
from graphs.arranging import announcement, timed_as
from graphs.checkpoints import Supervision
from graphs.conversations import Conversations
from graphs.dispatch import Dispatcher
from graphs.drafting import Drafting, refuse_if, unless, without_steps
from graphs.events import (
    AssistantEvent,
    Done,
    Message,
    PlanEvent,
    Preflight,
    QuestionEvent,
    Status,
    StepFailed,
)
from graphs.feedback import Feedback, corrected
from graphs.names import LiveNames
from graphs.plan import Plan, references
from graphs.schedule_runner import ScheduleRunner
from graphs.stream import TurnStream, topic
from graphs.tables import TurnRow
from graphs.turn_rules import carries_out, needs_confirming
from graphs.turns import Turns
from graphs.understanding import ConversationState, ParsedPlan, Understanding, guards
from graphs.understanding.names import NameView
from graphs.understanding.parse_lines import parse_turns
from graphs.understanding.text import tokenise
from mcp_servers.caller import LocalCaller
from mcp_servers.memory import LocalServers
from tools.kernel.embedding import get_embedder
from tools.kernel.entities import EntityKind
from tools.kernel.errors import Conflict, InvalidInput, NotFound, PilothouseError
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.operations import OperationSet
from tools.kernel.policy import may_approve

if TYPE_CHECKING:
    from autogen_core.models import ChatCompletionClient

    from graphs.llm_planner import LlmPlanner
    from tools.kernel.settings import Settings

log = logging.getLogger(__name__)


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


class Assistant:
    """Words in, a plan out, receipts back. Made with `open`; lives in one event loop."""

    def __init__(self, kernel: Kernel, understanding: Understanding, turns: Turns) -> None:
        self._kernel = kernel
        self._turns = turns
        self._planner = _planner(kernel, understanding)
        self._conversations = Conversations(kernel.database)
        self._drafting = Drafting()
        self.feedback = Feedback(kernel.database)
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
        if assistant._planner is not None:
            await asyncio.to_thread(assistant._planner.warm)
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
        return LiveNames(self._kernel.catalogue, context.tenant)

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
                return await self._decided(heard.decision, waiting, context)
            plan = await self._understood(heard, context, stop)
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
            await self._answer(turn, plan, context, stream)
        return stream

    def _hear(self, text: str, context: RequestContext) -> Heard:
        """What a sentence meets in its conversation, and what the parser makes of it."""
        conversation = str(context.conversation)
        self._turns.mark_failed()
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
        plan = self._parse(text, self.names(context), state)
        return Heard(text, state, waiting, plan=plan)

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

    def _note_correction(self, conversation: str, meant: str, context: RequestContext) -> None:
        """Keep that the last answer was wrong, and what was meant."""
        turns = self._conversations.turns(conversation)
        if turns:
            self.feedback.give(conversation, turns[-1].number, context, good=False, meant=meant)

    async def _understood(self, heard: Heard, context: RequestContext, stop: asyncio.Event) -> Plan:
        """The parser's plan, or a language model's where the parser abstains and one is there."""
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

    def _parse(self, text: str, names: LiveNames, state: ConversationState) -> ParsedPlan:
        names.warm()
        return self.understanding.parse(text, names, state)

    async def _answer(
        self, turn: TurnRow, plan: Plan, context: RequestContext, stream: TurnStream
    ) -> None:
        """Settle a turn that carries nothing out: a question, a dry run, a reply."""
        status: Status = "done"
        if plan.question is not None:
            status = "needs_input"
            await stream.emit(QuestionEvent(question=plan.question))
        elif plan.dry_run and plan.steps:
            await self._preflight(plan, context, stream)
        if plan.reply:
            await stream.emit(Message(text=plan.reply))
        if plan.abstained:
            status = "needs_input"

        done = stream.add(Done(status=status, use=plan.use))

        def settle() -> None:
            with stream.storing() as session:
                self._conversations.settle(turn.id, status, {}, session)

        await asyncio.to_thread(settle)
        stream.deliver(done)

    async def _preflight(self, plan: Plan, context: RequestContext, stream: TurnStream) -> None:
        for step in plan.steps:
            if references(step.arguments):
                waits = f"Step {step.id} can be looked at once the steps before it are done."
                await stream.emit(Message(text=waits))
                continue
            try:
                preview = await asyncio.to_thread(
                    self._kernel.gate.preview, step.operation, step.arguments, context
                )
                await stream.emit(Preflight(step=step.id, preview=preview.model_dump(mode="json")))
            except PilothouseError as error:
                await stream.emit(StepFailed(step=step.id, error=error.as_dict()))

    async def _decided(
        self, decision: str, waiting: TurnRow, context: RequestContext
    ) -> TurnStream:
        """A yes, no or cancel that answers what waits."""
        if waiting.status == "needs_confirmation":
            return self._turns.resume(waiting, context, confirmed=decision == "yes")
        if decision == "yes" and await self._undecided(waiting, context):
            return await self._point_to_approvals(waiting, context)
        if decision != "yes":
            await self._turns.withdraw(waiting, context)
        return self._turns.resume(waiting, context, confirmed=None)

    async def _undecided(self, waiting: TurnRow, context: RequestContext) -> bool:
        found = await asyncio.to_thread(self._turns.pending_approvals, waiting, context)
        return all(approval.status == "pending" for approval in found)

    async def _point_to_approvals(self, waiting: TurnRow, context: RequestContext) -> TurnStream:
        """Words are no approval: say how it is given."""
        stream = TurnStream(
            self._kernel.events, waiting.conversation, context.tenant, waiting.number
        )
        pending = self._turns.pending_approvals(waiting, context)
        ways = "; ".join(f"{a.id}: {a.how}" for a in pending)
        await stream.emit(Message(text=f"A dangerous step is not approved by a yes. {ways}."))
        await stream.emit(Done(status="needs_approval"))
        return stream

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
        waiting = await asyncio.to_thread(self._find_waiting, thread, context, confirmed, approval)
        stream = self._turns.resume(waiting, context, confirmed=confirmed)
        async for event in stream.listen():
            yield event

    def _find_waiting(
        self, thread: str, context: RequestContext, confirmed: bool | None, approval: str | None
    ) -> TurnRow:
        if approval is not None:
            found = self._kernel.approvals.get(approval, context.tenant)
            if context.principal.name != found.proposer and not may_approve(context.principal):
                raise NotFound(f"No turn of yours waits for approval {approval}.")
            for turn in self._conversations.turns(found.conversation or thread):
                if (turn.plan or {}).get("id") == found.plan and turn.status == "needs_approval":
                    return turn
            raise NotFound(f"No turn waits for approval {approval}.")
        self._conversations.get(thread, context)
        kind = "needs_approval" if confirmed is None else "needs_confirmation"
        waiting = self._conversations.waiting(thread, (kind,))
        if waiting is None:
            raise NotFound(f"Nothing in conversation {thread} waits for that.")
        return waiting

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

    def threads(
        self, context: RequestContext, limit: int = 50, skip: int = 0, search: str = ""
    ) -> list[dict[str, Any]]:
        """The principal's conversations, newest first; those whose title holds `search`."""
        return [
            {"thread": r.id, "title": r.title, "updated": r.updated.isoformat()}
            for r in self._conversations.list(context, limit, skip, search)
        ]

    def owner(self, thread: str) -> tuple[str, str] | None:
        """Whose conversation it is, as tenant and name; None if there is no such conversation."""
        return self._conversations.owner(thread)

    def begin(self, thread: str, title: str, context: RequestContext) -> None:
        """Keep a conversation in which nothing was asked yet.

        Raises:
            NotFound: if it belongs to somebody else.
        """
        self._conversations.open(thread, title, context)

    def rename(self, thread: str, title: str, context: RequestContext) -> None:
        """Give a conversation another title.

        Raises:
            NotFound: if the principal has no such conversation.
            InvalidInput: if the title is empty.
        """
        self._conversations.get(thread, context)
        if not title.strip():
            raise InvalidInput("A conversation's title cannot be empty.")
        self._conversations.rename(thread, title)

    async def erase(self, thread: str, context: RequestContext) -> None:
        """Delete all that a conversation keeps: sentences, plans, events, checkpoints, feedback.

        What waits for an approval is withdrawn. Receipts and audit stay: they tell of acts, not of
        conversations.

        Raises:
            NotFound: if the principal has no such conversation.
            Conflict: if a turn of it still runs.
        """
        await asyncio.to_thread(self._conversations.get, thread, context)
        await self._turns.forget(thread, context)
        await asyncio.to_thread(self._kernel.events.erase, topic(thread))
        await asyncio.to_thread(self._conversations.erase, thread)

    def history(self, thread: str, context: RequestContext) -> list[dict[str, Any]]:
        """A conversation's turns, oldest first, with their plans and results."""
        self._conversations.get(thread, context)
        return [
            {
                "turn": r.number,
                "text": r.text,
                "status": r.status,
                "plan": r.plan,
                "results": r.results,
            }
            for r in self._conversations.turns(thread)
        ]


def _replaces(plan: Plan, waiting: TurnRow) -> bool:
    """True if a plan is the waiting one with other arguments: a correction of it."""
    before = [step["operation"] for step in (waiting.plan or {}).get("steps", [])]
    now = [step.operation for step in plan.steps]
    return bool(before) and before == now and not plan.dry_run


def _planner(kernel: Kernel, understanding: Understanding) -> LlmPlanner | None:
    """The planner with a language model, where one is configured."""
    if not kernel.settings.model:
        return None
    from graphs.llm_planner import LlmPlanner

    return LlmPlanner(kernel, understanding)


def _model(settings: Settings) -> ChatCompletionClient | None:
    """The agents' language model, where one is configured; its libraries take seconds to import."""
    if not settings.model:
        return None
    from agents.model_clients import llm_client

    return llm_client(settings)


def make_understanding(operations: OperationSet) -> Understanding:
    """The parser over all operations."""
    return Understanding(operations, get_embedder())
