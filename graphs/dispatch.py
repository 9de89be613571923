"""Handing a step to its agent, following its job, and settling approvals that were decided."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from agents.catalog import agent_for, agent_named
from agents.team import OpenOutcome, PlannedCall, StepOutcome, Team
from graphs.events import ApprovalEvent, Message, Progress, StepFailed, StepFinished, StepStarted
from graphs.model_meter import ModelMeter
from graphs.plan import Plan, Step
from graphs.steps import StepState, arguments_for
from tools.kernel.approvals import Approval
from tools.kernel.errors import Cancelled, Conflict, PilothouseError
from tools.kernel.identity import RequestContext
from tools.kernel.jobs import ENDED, unpack_context
from tools.kernel.tables import JobRow

if TYPE_CHECKING:
    from graphs.supervisor import StepInput, TurnState
    from tools.kernel.kernel import Kernel

FOLLOW_SECONDS = 1.0
OPEN_TASK = "agent."


class Dispatcher:
    """The node that runs steps. One for all turns; remembers of a turn only that it was stopped.

    Args:
        kernel: for jobs, receipts, approvals and events.
        team: the specialised agents.
    """

    def __init__(self, kernel: Kernel, team: Team) -> None:
        self._kernel = kernel
        self._team = team
        self._stopped: set[str] = set()

    def stop(self, plan: str) -> None:
        """Begin no further step of a plan."""
        self._stopped.add(plan)

    async def run(self, state: StepInput) -> dict[str, Any]:
        """Run one step to its end; the graph's node."""
        plan, step = Plan.model_validate(state["plan"]), Step.model_validate(state["step"])
        write, before = _stream_writer(), state["states"]
        return {
            "states": {step.id: await self.carry_out(plan, step, state["context"], write, before)}
        }

    async def carry_out(
        self,
        plan: Plan,
        step: Step,
        packed: dict[str, Any],
        write: Callable[[Any], None],
        before: dict[str, StepState] | None = None,
        *,
        repeatable: bool = False,
    ) -> StepState:
        """Run one step to its end.

        Args:
            plan: whose step it is.
            step: all it depends on has ended.
            packed: the context of who asked.
            write: told the events on the way.
            before: how the plan's steps stand.
            repeatable: True if it only reads: after a crash it is done again, and no key is kept
                that would give the first receipt once more.
        """
        context = unpack_context(packed).for_step(plan.id, step.id)
        try:
            if plan.id in self._stopped:
                raise Cancelled(f"Step {step.id} was not begun: the turn was cancelled.")
            key = None if repeatable else f"{plan.id}:{step.id}"
            settled = await self._run(step, before or {}, context, write, key)
        except Cancelled as error:
            settled = StepState(status="cancelled", error=error.as_dict())
        except PilothouseError as error:
            settled = StepState(status="failed", error=error.as_dict())
        if settled["status"] in ("failed", "cancelled"):
            write(StepFailed(step=step.id, error=settled.get("error", {})))
        return settled

    async def _run(
        self,
        step: Step,
        states: dict[str, StepState],
        context: RequestContext,
        write: Callable[[Any], None],
        key: str | None,
    ) -> StepState:
        if step.operation.startswith(OPEN_TASK):
            return await self._run_open(step, context, write)
        arguments = arguments_for(step, states)
        agent = agent_for(step.operation).name
        write(StepStarted(step=step.id, operation=step.operation, agent=agent, arguments=arguments))
        call = PlannedCall(
            operation=step.operation,
            arguments=arguments,
            plan=context.plan or "",
            step=step.id,
            idempotency_key=key,
        )
        if key is None:
            return self._settled(step, await self._team.read(call, context), write)
        return await self._call(step, call, context, write)

    async def _call(
        self,
        step: Step,
        call: PlannedCall,
        context: RequestContext,
        write: Callable[[Any], None],
    ) -> StepState:
        outcome = await self._team.run_step(call, context, lambda event: None)
        if outcome.job is not None:
            return await self._follow(step, outcome.job, context, write)
        return self._settled(step, outcome, write)

    def _settled(self, step: Step, outcome: StepOutcome, write: Callable[[Any], None]) -> StepState:
        """Tell what came of a call that has come to its end."""
        if outcome.needs_approval is not None:
            write(ApprovalEvent(step=step.id, approval=outcome.needs_approval))
            return StepState(status="waiting", approval=outcome.needs_approval["id"])
        if outcome.error is not None:
            return StepState(status="failed", error=outcome.error)
        return self._finished(step, outcome, write)

    async def _run_open(
        self, step: Step, context: RequestContext, write: Callable[[Any], None]
    ) -> StepState:
        """Let an agent's language model work on an open task with its own tools."""
        spec, task = agent_named(step.operation.removeprefix(OPEN_TASK)), step.arguments["task"]
        write(
            StepStarted(
                step=step.id, operation=step.operation, agent=spec.name, arguments=step.arguments
            )
        )
        await asyncio.to_thread(self._refuse_to_repeat, step, context)
        # The turn was confirmed before any step began, plain changes included.
        meter = ModelMeter(self._kernel, context.principal)
        opened = await self._team.run_open(task, context, spec, confirmed=True, meter=meter)
        settled = self._opened(step, opened, write)
        settled["use"] = meter.use.model_dump()
        return settled

    def _opened(self, step: Step, opened: OpenOutcome, write: Callable[[Any], None]) -> StepState:
        """Tell what came of an open task."""
        for made in opened.calls:
            if made.outcome.receipt:
                result = made.outcome.result or {}
                write(StepFinished(step=step.id, receipt=made.outcome.receipt, result=result))
        if opened.text:
            write(Message(text=opened.text))
        for proposal in opened.proposals:
            write(Message(text=f"It proposes {proposal.operation} with {proposal.arguments}."))
        if opened.needs_approval is not None:
            write(ApprovalEvent(step=step.id, approval=opened.needs_approval))
            return StepState(status="waiting", approval=opened.needs_approval["id"])
        if opened.error is not None:
            return StepState(status="failed", error=opened.error)
        return StepState(status="done", result={"text": opened.text})

    def _refuse_to_repeat(self, step: Step, context: RequestContext) -> None:
        """An open task has no fixed calls: one that a crash cut off is not done over.

        Raises:
            Conflict: if the task changed something before; naming the receipts.
        """
        found = self._kernel.receipts.list(
            context.tenant, conversation=context.conversation, effects=("write", "dangerous")
        )
        here = (context.plan, step.id)
        made = [f"R{r.number} {r.operation}" for r in found if (r.plan, r.step) == here]
        if made:
            raise Conflict(
                f"The task was cut off after it had done {', '.join(reversed(made))}.",
                hint="See what stands now, and ask for the rest.",
            )

    def _finished(
        self, step: Step, outcome: StepOutcome, write: Callable[[Any], None]
    ) -> StepState:
        result, receipt = outcome.result or {}, outcome.receipt or {}
        write(StepFinished(step=step.id, receipt=receipt, result=result, revealed=outcome.revealed))
        return StepState(status="done", result=result, receipt=receipt)

    async def _follow(
        self, step: Step, job: int, context: RequestContext, write: Callable[[Any], None]
    ) -> StepState:
        write(Progress(step=step.id, job=job, message=f"job {job} started"))
        row = await self._ended(step, job, context, write)
        receipt = self._kernel.receipts.for_job(job)
        shown = receipt.model_dump(mode="json") if receipt else {}
        if row.status == "done":
            result = row.result or {}
            write(StepFinished(step=step.id, receipt=shown, result=result))
            return StepState(status="done", result=result, receipt=shown, job=job)
        error = row.error or {"code": "operation_failed", "message": f"Job {job} {row.status}."}
        status = "cancelled" if row.status == "cancelled" else "failed"
        return StepState(status=status, error=error, receipt=shown, job=job)

    async def _ended(
        self, step: Step, job: int, context: RequestContext, write: Callable[[Any], None]
    ) -> JobRow:
        topic, seen = f"job:{job}", 0
        while True:
            row = await asyncio.to_thread(self._kernel.jobs.get, job, context.tenant)
            if context.plan in self._stopped and row.status not in ENDED:
                with suppress(Conflict):  # it ended meanwhile
                    await asyncio.to_thread(self._kernel.jobs.cancel, job, context.tenant)
            for event in await asyncio.to_thread(self._kernel.events.read, topic, seen):
                seen = event.id
                if event.kind == "job.progress":
                    write(Progress(step=step.id, **_told(event.data)))
            if row.status in ENDED:
                return row
            await asyncio.to_thread(self._kernel.events.wait, topic, seen, FOLLOW_SECONDS)

    async def settle(self, state: TurnState) -> dict[str, Any]:
        """After a decision: let granted steps run again, fail refused ones; the graph's node.

        What was decided is read from the approvals themselves, never from what resumed the graph.
        """
        plan, tenant = Plan.model_validate(state["plan"]), state["context"]["tenant"]
        write = _stream_writer()
        changed: dict[str, StepState] = {}
        for step in plan.steps:
            held = state["states"].get(step.id, {})
            if held.get("status") != "waiting":
                continue
            approval = await asyncio.to_thread(
                self._kernel.approvals.get, held.get("approval", ""), tenant
            )
            if approval.status == "pending":
                continue
            # `used` means that a crash cut this very step off after it began: its idempotency key
            # finds what it started.
            if approval.status in ("granted", "used"):
                changed.update(await self._granted(state, step, approval))
                continue
            why = f": {approval.reason}" if approval.reason else ""
            error = {
                "code": "approval_invalid",
                "message": f"Approval {approval.id} is {approval.status}{why}; nothing was done.",
            }
            write(StepFailed(step=step.id, error=error))
            changed[step.id] = StepState(status="failed", error=error)
        return {"states": changed}

    async def _granted(
        self, state: TurnState, step: Step, approval: Approval
    ) -> dict[str, StepState]:
        """Carry out a step whose approval was granted: exactly the call that was approved."""
        if not step.operation.startswith(OPEN_TASK):
            shared: StepInput = {
                "plan": state["plan"],
                "context": state["context"],
                "states": state["states"],
                "step": step.model_dump(mode="json"),
            }
            return (await self.run(shared))["states"]
        context = unpack_context(state["context"]).for_step(approval.plan or "", step.id)
        call = PlannedCall(
            operation=approval.operation,
            arguments=approval.arguments,
            plan=approval.plan,
            step=approval.step,
            approval=approval.id if approval.status == "granted" else None,
            idempotency_key=f"{approval.plan}:{step.id}:{approval.id}",
        )
        return {step.id: await self._call(step, call, context, _stream_writer())}


def _stream_writer() -> Callable[[Any], None]:
    """Where the running node writes its events; LangGraph is imported by whoever runs nodes."""
    from langgraph.config import get_stream_writer

    return get_stream_writer()


def _told(data: dict[str, Any]) -> dict[str, Any]:
    metrics = {
        k: float(v) for k, v in data.get("metrics", {}).items() if isinstance(v, int | float)
    }
    return {
        "job": data.get("job"),
        "fraction": data.get("fraction", 0.0),
        "message": data.get("message", ""),
        "metrics": metrics,
    }
