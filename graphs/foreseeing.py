"""What a plan's long work would do and take, told before its yes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from graphs.events import Message, Preflight
from graphs.plan import Plan, Step, references
from graphs.stream import TurnStream
from tools.kernel.errors import PilothouseError
from tools.kernel.identity import RequestContext
from tools.kernel.operations import Effect

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel
    from tools.kernel.operations import OperationSet, Preview

SECONDS = 5.0
"""How long a yes may be kept waiting for what is foreseen."""


async def foresee(kernel: Kernel, plan: Plan, context: RequestContext, stream: TurnStream) -> None:
    """Tell what the jobs that a plan begins with would do, with which settings, and what they take.

    Of what takes no time only that is told which changes what is there already. What would be
    refused is said, too. A step that rests on others cannot be foreseen, and one that is dangerous
    is shown with its approval.

    Args:
        kernel: previews the steps.
        plan: what waits for a yes.
        context: who is asked.
        stream: where it is told.
    """
    for step in plan.steps:
        if not _foreseeable(step, kernel.operations):
            continue
        looking = asyncio.to_thread(kernel.gate.preview, step.operation, step.arguments, context)
        try:
            preview = await asyncio.wait_for(looking, SECONDS)
        except TimeoutError:
            continue
        except PilothouseError as error:
            hint = f" {error.hint}" if error.hint else ""
            told = f"Step {step.id} would be refused: {error.message}{hint}"
            await stream.emit(Message(text=told))
            continue
        if not _worth_telling(step, preview, kernel.operations):
            continue
        await stream.emit(Preflight(step=step.id, preview=preview.model_dump(mode="json")))


def _foreseeable(step: Step, operations: OperationSet) -> bool:
    known = next((o for o in operations if o.name == step.operation), None)
    if known is None or known.effect is Effect.DANGEROUS or not (known.job or known.foreseen):
        return False
    return "preview" in known.hooks and not (
        step.depends_on or step.condition or references(step.arguments)
    )


def _worth_telling(step: Step, preview: Preview, operations: OperationSet) -> bool:
    """True for a job, and for what changes something that is there."""
    job = any(o.job for o in operations if o.name == step.operation)
    return job or any(change.before is not None for change in preview.changes)
