"""Carries out plans that have become due: each in its schedule's conversation, once.

A run is a turn like any other: the same supervisor, gate, approvals and receipts, and it goes on
after a crash. What it may do is decided by the gate on what its principal may at that time.
"""

from __future__ import annotations

import asyncio
import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from graphs.conversations import Conversations
from graphs.events import PlanEvent, Status
from graphs.plan import Plan, Step
from graphs.steps import StepState
from graphs.stream import TurnStream
from graphs.tables import TurnRow
from tools.kernel.errors import PilothouseError
from tools.kernel.jobs import unpack_context
from tools.kernel.tables import PlanRunRow

if TYPE_CHECKING:
    from graphs.turns import Turns
    from tools.kernel.kernel import Kernel

log = logging.getLogger(__name__)

RUN = "-run-"
"""In the ids of the plans that a schedule or a trigger made due, and of no others."""
_AS_RUN: dict[str, str] = {"needs_approval": "waiting", "needs_confirmation": "waiting"}


class ScheduleRunner:
    """Takes up due plans. Lives in one event loop.

    Args:
        kernel: keeps the due plans.
        turns: carries plans out, and tells when a turn stands still.
    """

    def __init__(self, kernel: Kernel, turns: Turns) -> None:
        self._kernel = kernel
        self._turns = turns
        self._conversations = Conversations(kernel.database)
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        turns.settled = self._note

    async def start(self) -> None:
        """Take up what became due while no assistant ran, and whatever becomes due from now on."""
        loop = asyncio.get_running_loop()
        self._kernel.plan_runs.attach(partial(loop.call_soon_threadsafe, self._wake))
        await asyncio.to_thread(self._catch_up)
        self._wake()

    async def close(self) -> None:
        """Take nothing up any more."""
        self._kernel.plan_runs.attach(None)
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _wake(self) -> None:
        task = asyncio.get_running_loop().create_task(self._take_up())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _take_up(self) -> None:
        async with self._lock:
            for run in await asyncio.to_thread(self._kernel.plan_runs.due):
                lease = f"plan-run:{run.id}"
                if not await asyncio.to_thread(self._kernel.leases.take, lease):
                    continue  # another process begins it
                try:
                    await self._begin(run)
                except PilothouseError as error:
                    await asyncio.to_thread(self._refuse, run, error)
                finally:
                    await asyncio.to_thread(self._kernel.leases.release, lease)

    async def _begin(self, run: PlanRunRow) -> None:
        plan = _plan(run)
        turn, fresh = await asyncio.to_thread(self._turn, run, plan)
        await asyncio.to_thread(self._kernel.plan_runs.begun, run.id, turn.id)
        if not fresh:  # a crash came between; the turn was taken up with all others
            await asyncio.to_thread(self._catch_up)
            return
        context = unpack_context(turn.context)
        stream = TurnStream(self._kernel.events, turn.conversation, turn.tenant, turn.number)
        await stream.emit(PlanEvent(plan=plan))
        self._turns.begin(turn, plan, context, stream, confirm=False)

    def _turn(self, run: PlanRunRow, plan: Plan) -> tuple[TurnRow, bool]:
        """The run's turn, and whether it was made just now."""
        context = unpack_context(run.context)
        conversation = str(context.conversation)
        for turn in self._conversations.turns(conversation):
            if (turn.plan or {}).get("id") == plan.id:
                return turn, False
        self._kernel.principals.current(context.principal)
        self._conversations.open(conversation, run.sentence or run.source, context)
        made = self._conversations.add_turn(
            conversation, run.sentence, plan, context, confirm=False
        )
        return made, True

    def _refuse(self, run: PlanRunRow, error: PilothouseError) -> None:
        log.warning("%s run %s was refused: %s", run.source, run.number, error)
        body = {
            "event": "plan.refused",
            "plan": f"{run.source}{RUN}{run.number}",
            "principal": run.context.get("principal"),
            "error": error.code,
        }
        self._kernel.audit.append(run.tenant, body)
        self._kernel.plan_runs.fail(run.id, str(error))

    def _catch_up(self) -> None:
        """Note the ends of turns that a crash kept from being noted."""
        for run in self._kernel.plan_runs.open():
            turn = self._conversations.turn(run.turn) if run.turn else None
            if turn is not None and turn.status != "running":
                self._note(turn, turn.status, turn.results)

    def _note(self, turn: TurnRow, status: Status | str, states: dict[str, Any]) -> None:
        if RUN not in (turn.plan or {}).get("id", ""):
            return  # a person's turn, as most are
        receipts = [r["id"] for s in states.values() if (r := s.get("receipt"))]
        self._kernel.plan_runs.note(turn.id, _AS_RUN.get(status, status), _why(states), receipts)


def _plan(run: PlanRunRow) -> Plan:
    """The run's plan; its id is the same after a crash, so that no step is done twice."""
    return Plan(
        id=f"{run.source}{RUN}{run.number}",
        text=run.sentence,
        steps=[Step.model_validate(step) for step in run.steps],
        confidence=1.0,
    )


def _why(states: dict[str, StepState]) -> str:
    """What a person should know of how a run stands."""
    for step, state in states.items():
        if state["status"] == "waiting":
            return f"step {step} waits for approval {state.get('approval')}"
        if state["status"] in ("failed", "cancelled"):
            return str(state.get("error", {}).get("message", state["status"]))
    return ""
