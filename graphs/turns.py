"""Running turns: each a task of its own that outlives its listener, its door, and the process."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from graphs.arranging import timing_of
from graphs.conversations import WAITING, Conversations
from graphs.events import ConfirmEvent, Done, Message, Progress, Status
from graphs.foreseeing import foresee
from graphs.other_processes import CONTROL, LOOK_SECONDS, OtherProcesses
from graphs.plan import Plan
from graphs.steps import StepState
from graphs.stream import TurnStream
from graphs.tables import TurnRow
from graphs.turn_rules import (
    as_failed,
    carries_out,
    first_input,
    how_it_ended,
    is_one_read,
    model_use,
    told_of,
)
from graphs.understanding import ConversationState
from tools.kernel.approvals import Approval
from tools.kernel.errors import Conflict, PilothouseError
from tools.kernel.identity import RequestContext
from tools.kernel.jobs import OPEN, pack_context, unpack_context

if TYPE_CHECKING:
    from graphs.checkpoints import Supervision
    from graphs.dispatch import Dispatcher
    from tools.kernel.kernel import Kernel

log = logging.getLogger(__name__)

STEPS_LIMIT = 200
CANCEL_SECONDS = 20.0
READ_SECONDS = 0.2
"""How long a turn that only reads may still end by itself once it is to stop."""
HOLD_SECONDS = 0.5
"""How long the events of a reading step may wait to be stored together with its end."""
RECOVER_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Resumed:
    """What a turn that waited goes on with: the person's answer."""

    answer: bool

    def command(self) -> Any:
        """The same as LangGraph takes it."""
        from langgraph.types import Command

        return Command(resume=self.answer)


class Turns:
    """The turns that run now. Lives in one event loop.

    Args:
        kernel: for jobs, approvals, events and storage.
        supervision: gives the compiled supervisor.
        dispatcher: told which plans were stopped.
    """

    def __init__(self, kernel: Kernel, supervision: Supervision, dispatcher: Dispatcher) -> None:
        self._kernel = kernel
        self._supervision = supervision
        self._dispatcher = dispatcher
        self._conversations = Conversations(kernel.database)
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._others = OtherProcesses(kernel, self._conversations, lambda t: t in self._tasks)
        self._streams: dict[str, TurnStream] = {}
        self._unmarked: set[str] = set()
        self._away: set[str] = set()
        self.settled: Callable[[TurnRow, str, dict[str, Any]], None] | None = None

    @asynccontextmanager
    async def only_one(self, context: RequestContext) -> AsyncIterator[None]:
        """One sentence at a time is taken up in a conversation, whichever process hears it.

        Raises:
            Conflict: if another is taken up just now, or a turn runs that has begun no job.
            NotFound: if it is busy, and somebody else's.
        """
        conversation = str(context.conversation)
        name = f"conversation:{conversation}"
        if not await self._others.take(name):
            raise await self._busy(context)
        try:
            if not self.waits_for_jobs(conversation):
                raise await self._busy(context)
            if await self._others.is_busy(conversation):
                raise await self._busy(context)
            yield
        finally:
            await self._others.release(name)

    def waits_for_jobs(self, conversation: str) -> bool:
        """True if all that runs in a conversation waits for a job that it has begun."""
        return all(turn in self._away for turn in self._running(conversation))

    async def _busy(self, context: RequestContext) -> PilothouseError:
        """Why a sentence cannot be taken up; nobody learns of another's conversation from it."""
        conversation = str(context.conversation)
        if await asyncio.to_thread(self._conversations.owner, conversation) is not None:
            await asyncio.to_thread(self._conversations.get, conversation, context)
        return Conflict(
            f"Conversation {conversation} is still busy with the sentence before.",
            hint="Wait for it, cancel it, or ask in another conversation.",
        )

    def begin(
        self,
        turn: TurnRow,
        plan: Plan,
        context: RequestContext,
        stream: TurnStream,
        *,
        confirm: bool,
    ) -> None:
        """Start carrying out a plan."""
        self._kernel.leases.take(_lease(turn.id))
        self._spawn(turn, first_input(plan, pack_context(context), confirm=confirm), stream)

    def resume(
        self, turn: TurnRow, context: RequestContext, *, confirmed: bool | None
    ) -> TurnStream:
        """Go on with a turn that waited.

        Raises:
            Conflict: if it is going on already.
        """
        if not self._kernel.leases.take(_lease(turn.id)):
            raise Conflict("It is going on already.")
        self._conversations.mark(turn.id, "running")
        stream = self._stream(turn)
        self._spawn(turn, Resumed(True if confirmed is None else confirmed), stream)
        return stream

    def recover(self) -> None:
        """Go on with the turns that were running when a process ended, this or another one."""
        for turn in self._conversations.interrupted():
            if not self._kernel.leases.take(_lease(turn.id)):
                continue  # it runs
            if not carries_out(Plan.model_validate(turn.plan)):
                self._conversations.mark(turn.id, "failed")
                self._kernel.leases.release(_lease(turn.id))
                continue
            self._spawn(turn, None, self._stream(turn))

    async def close(self) -> None:
        """Stop the tasks; their turns stay marked as running and go on at the next start."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _stream(self, turn: TurnRow) -> TurnStream:
        return TurnStream(self._kernel.events, turn.conversation, turn.tenant, turn.number)

    def _spawn(self, turn: TurnRow, given: Any, stream: TurnStream) -> None:
        task = asyncio.create_task(self._drive(turn, given, stream), name=turn.id)
        self._tasks[turn.id] = task
        self._streams[turn.id] = stream
        task.add_done_callback(lambda _: self._over(turn.id))

    def _over(self, turn: str) -> None:
        self._tasks.pop(turn, None)
        self._streams.pop(turn, None)
        self._away.discard(turn)
        self._kernel.leases.release(_lease(turn))

    def _running(self, conversation: str) -> list[str]:
        """The ids of the turns that run in a conversation, oldest first."""
        return [t for t in self._tasks if t.rpartition(".")[0] == conversation]

    async def _drive(self, turn: TurnRow, given: Any, stream: TurnStream) -> None:
        plan = Plan.model_validate(turn.plan)
        try:
            if is_one_read(plan, self._kernel.operations):
                states, interrupts = await self._read(turn, plan, stream), []
            else:
                plan, states, interrupts = await self._supervise(turn, given, stream)
            await self._settle(turn, plan, states, interrupts, stream)
        except PilothouseError as error:
            await self._fail(turn, str(error), stream)
        except Exception as error:
            log.exception("turn %s failed", turn.id)
            await self._fail(turn, told_of(error), stream)

    async def _read(self, turn: TurnRow, plan: Plan, stream: TurnStream) -> dict[str, StepState]:
        """Carry out a plan of one reading step, without the graph: nothing is decided between
        steps, and after a crash it is read again, so that no checkpoint is needed, and its events
        need not be stored before its end unless that is long in coming.
        """
        only = plan.steps[0]
        step = asyncio.create_task(
            self._dispatcher.carry_out(plan, only, turn.context, stream.hold, repeatable=True)
        )
        try:
            ended, _ = await asyncio.wait([step], timeout=HOLD_SECONDS)
            if not ended:
                await stream.flush()
            return {only.id: await step}
        finally:
            step.cancel()

    async def _supervise(
        self, turn: TurnRow, given: Any, stream: TurnStream
    ) -> tuple[Plan, dict[str, StepState], list[dict[str, Any]]]:
        """Let the graph carry a plan out as far as it goes; what it then waits for comes last."""
        config = {"configurable": {"thread_id": turn.id}, "recursion_limit": STEPS_LIMIT}
        graph = await self._supervision.graph()
        if given is None:
            given = await self._left_off(turn, config)
        elif isinstance(given, Resumed):
            given = given.command()
        async for event in graph.astream(given, config, stream_mode="custom", durability="async"):
            if isinstance(event, Progress) and event.job is not None:
                self._away.add(turn.id)
            await stream.emit(event)
        snapshot = await graph.aget_state(config)
        interrupts = [i.value for task in snapshot.tasks for i in task.interrupts]
        values = snapshot.values
        return Plan.model_validate(values["plan"]), values.get("states", {}), interrupts

    async def _left_off(self, turn: TurnRow, config: dict[str, Any]) -> Any:
        snapshot = await (await self._supervision.graph()).aget_state(config)
        if snapshot.values:
            return None
        confirm = bool(turn.context.get("confirm", True))
        return first_input(Plan.model_validate(turn.plan), turn.context, confirm=confirm)

    async def _fail(self, turn: TurnRow, text: str, stream: TurnStream) -> None:
        await stream.emit(Message(text=text))
        done = stream.add(Done(status="failed"))
        await stream.flush()
        try:
            await asyncio.to_thread(self._conversations.mark, turn.id, "failed")
        except PilothouseError as error:
            log.error("turn %s could not be marked as failed: %s", turn.id, error)
            self._unmarked.add(turn.id)
        await asyncio.to_thread(self._tell, turn, "failed", as_failed(text))
        self._over(turn.id)
        stream.deliver(done)

    def mark_failed(self) -> None:
        """Catch up on turns whose failure could not be stored, such as on a full disk."""
        for turn in tuple(self._unmarked):
            self._conversations.mark(turn, "failed")
            self._unmarked.discard(turn)

    async def _settle(
        self,
        turn: TurnRow,
        plan: Plan,
        states: dict[str, StepState],
        interrupts: list[dict[str, Any]],
        stream: TurnStream,
    ) -> None:
        status = how_it_ended(interrupts, plan, states)
        if status == "needs_confirmation":
            what = (
                "schedule this"
                if turn.plan and timing_of(Plan.model_validate(turn.plan))
                else "do this"
            )
            await foresee(self._kernel, plan, unpack_context(turn.context), stream)
            await stream.emit(ConfirmEvent(text=f"Shall I {what}?", steps=plan.steps))
        if status == "cancelled" and not states:
            await stream.emit(Message(text="Nothing was done."))
        receipts = [r["id"] for s in states.values() if (r := s.get("receipt"))]
        done = stream.add(Done(status=status, receipts=receipts, use=model_use(plan, states)))
        try:
            await asyncio.to_thread(self._note_end, turn, plan, states, status, stream)
        except Exception:
            stream.take_back(done)
            raise
        self._over(turn.id)
        stream.deliver(done)

    def _note_end(
        self,
        turn: TurnRow,
        plan: Plan,
        states: dict[str, StepState],
        status: Status,
        stream: TurnStream,
    ) -> None:
        """Store that a turn ended, its last event and what is now in focus: all or nothing."""
        with stream.storing() as session:
            self._focus(turn, plan, states, status, session)
            self._conversations.settle(turn.id, status, states, session)
        self._tell(turn, status, states)

    def _tell(self, turn: TurnRow, status: str, states: dict[str, Any]) -> None:
        """Let whoever wants to know how turns end know it."""
        if self.settled is not None:
            self.settled(turn, status, states)

    def _focus(
        self,
        turn: TurnRow,
        plan: Plan,
        states: dict[str, StepState],
        status: Status,
        session: Session,
    ) -> None:
        row = self._conversations.get(turn.conversation, unpack_context(turn.context), session)
        state = ConversationState.model_validate(row.state or {})
        for step in plan.steps:
            held = states.get(step.id, {})
            if held.get("status") == "done":
                arguments = held.get("receipt", {}).get("arguments", step.arguments)
                real = step.model_copy(update={"arguments": arguments})
                state = state.with_results(real, held.get("result", {}))
        if status not in WAITING:
            state = state.settled()
        told = state.model_dump(mode="json")
        if told != row.state:
            self._conversations.remember(turn.conversation, told, session)

    def pending_approvals(self, turn: TurnRow, context: RequestContext) -> list[Approval]:
        """The approvals that a turn waits for."""
        ids = [s["approval"] for s in turn.results.values() if s.get("status") == "waiting"]
        return [self._kernel.approvals.get(i, context.tenant) for i in ids]

    async def replace(self, turn: TurnRow, context: RequestContext) -> None:
        """Close a waiting turn because the person has corrected it."""
        await self.withdraw(turn, context)
        await asyncio.to_thread(self._conversations.mark, turn.id, "replaced")

    async def withdraw(self, turn: TurnRow, context: RequestContext) -> None:
        """Deny, as the proposer, the approvals that a turn waits for; take back unused grants."""
        for approval in await asyncio.to_thread(self.pending_approvals, turn, context):
            if approval.status == "pending":
                await asyncio.to_thread(
                    self._kernel.approvals.deny, approval.id, context.principal, "withdrawn"
                )
            elif approval.status == "granted":
                await asyncio.to_thread(
                    self._kernel.approvals.revoke, approval.id, context.principal
                )

    async def cancel(
        self, conversation: str, context: RequestContext, number: int | None = None
    ) -> dict[str, Any] | None:
        """Stop a running turn of a conversation, the newest if not told which; None if none is."""
        running = self._running(conversation)
        if number is not None:
            running = [turn for turn in running if turn == f"{conversation}.{number}"]
        if not running:
            return await self._others.cancel(conversation, number)
        turn_id = running[-1]
        task, stream = self._tasks[turn_id], self._streams[turn_id]
        turn = await asyncio.to_thread(self._conversations.turn, turn_id)
        plan = Plan.model_validate(turn.plan)
        self._dispatcher.stop(plan.id)
        reads = is_one_read(plan, self._kernel.operations)
        jobs = [] if reads else await asyncio.to_thread(self._stop_jobs, plan.id, context.tenant)
        await asyncio.wait([task], timeout=READ_SECONDS if reads else CANCEL_SECONDS)
        cut = not task.done()
        if cut:
            task.cancel()
            await asyncio.wait([task])
        states = await self._stopped(turn, reads=reads, cut=cut)
        done = [s.id for s in plan.steps if states.get(s.id, {}).get("status") == "done"]
        rest = [s.id for s in plan.steps if s.id not in done]
        if cut:
            await stream.emit(Done(status="cancelled"))
        return {"done": done, "not_done": rest, "jobs": jobs}

    async def _stopped(self, turn: TurnRow, *, reads: bool, cut: bool) -> dict[str, Any]:
        """Note that a turn was stopped; returns how far its steps came."""
        if reads and not cut:  # it came to its end before it could be stopped
            return (await asyncio.to_thread(self._conversations.turn, turn.id)).results
        kept: dict[str, Any] = {}
        if not reads:
            config = {"configurable": {"thread_id": turn.id}}
            kept = (await (await self._supervision.graph()).aget_state(config)).values
        states: dict[str, Any] = kept.get("states", {})
        await asyncio.to_thread(self._conversations.settle, turn.id, "cancelled", states)
        await asyncio.to_thread(self._tell, turn, "cancelled", states)
        return states

    async def heed(self) -> None:
        """Do what other processes ask for, and take up the turns of those that are gone."""
        after = await asyncio.to_thread(self._kernel.events.newest)
        looks = 0
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            looks += 1
            try:
                for event in await asyncio.to_thread(self._kernel.events.read, CONTROL, after):
                    after = event.id
                    await self._heed(event.data)
                if looks * LOOK_SECONDS >= RECOVER_SECONDS:
                    looks = 0
                    self.recover()
            except PilothouseError as error:  # a lost server: look again later
                log.error("the other processes could not be heard: %s", error)

    async def _heed(self, told: dict[str, Any]) -> None:
        turn = f"{told['conversation']}.{told['number']}"
        if turn in self._tasks:
            context = unpack_context(told["context"])
            await self.cancel(told["conversation"], context, told["number"])

    async def forget(self, conversation: str, context: RequestContext) -> None:
        """Withdraw what a conversation waits for, and delete its checkpoints.

        Raises:
            Conflict: if a turn of it runs.
        """
        if self._running(conversation):
            raise Conflict(
                f"Conversation {conversation} still runs something.",
                hint="Stop it first, or wait for it to end.",
            )
        turns = await asyncio.to_thread(self._conversations.turns, conversation)
        for turn in turns:
            if turn.status in WAITING:
                await self.withdraw(turn, context)
        if turns:
            saver = (await self._supervision.graph()).checkpointer
            for turn in turns:
                await saver.adelete_thread(turn.id)

    def _stop_jobs(self, plan: str, tenant: str) -> list[int]:
        stopped: list[int] = []
        for status in OPEN:
            for row in self._kernel.jobs.list(tenant, status=status):
                if row.context.get("plan") == plan:
                    with suppress(Conflict):  # it ended by itself meanwhile
                        self._kernel.jobs.cancel(row.id, tenant)
                        stopped.append(row.id)
        return stopped


def _lease(turn: str) -> str:
    return f"turn:{turn}"
