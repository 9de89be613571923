"""Whether a plan could be carried out later, as far as that can be said now."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

from tools.kernel.arguments import read_arguments
from tools.kernel.errors import Conflict, InvalidInput
from tools.kernel.operations import AnyOperation, Call, Change, Preview
from tools.kernel.policy import authorise
from tools.kernel.storage import now
from tools.schedules.timing import LaterJob, in_words, moment, upcoming
from tools.schedules.types import CreateArgs, ScheduledStep
from tools.schedules.views import dangerous

if TYPE_CHECKING:
    from tools.schedules.timing import Timing

DOMAIN = "schedules"


def checked(args: CreateArgs, call: Call) -> Preview:
    """Check a plan and its timing, and say what would be kept.

    Raises:
        InvalidInput, NotFound, PolicyDenied: for a step that could not be carried out even now.
        Conflict: if its moment has passed.
    """
    known: set[str] = set()
    for step in args.steps:
        _check_step(step, known, call)
        known.add(step.id)
    if isinstance(args.timing.after_job, LaterJob):
        raise InvalidInput("A schedule waits for a job that there is: give its number.")
    if args.timing.after_job is not None:
        call.kernel.jobs.get(args.timing.after_job, call.tenant)
    due = _next(args.timing)
    if args.timing.after_job is None and not due:
        raise Conflict("That moment has passed already.", hint="Say a later one.")
    steps = [s.model_dump(mode="json") for s in args.steps]
    return Preview(
        summary=f"Carry out {', then '.join(s.operation for s in args.steps)} "
        f"{in_words(args.timing)}.",
        changes=[Change(what=f"due {n}", after=text) for n, text in enumerate(due, 1)],
        warnings=[
            f"{name} is dangerous: it waits for an approval each time it is due."
            for name in dict.fromkeys(dangerous(steps, call.kernel.operations))
        ],
    )


def _next(timing: Timing) -> list[str]:
    return [moment(at) for at in islice(upcoming(timing, now()), 3)]


def _check_step(step: ScheduledStep, known: set[str], call: Call) -> None:
    if step.id in known:
        raise InvalidInput(f"Two steps are called {step.id!r}.")
    operation = call.kernel.operations.get(step.operation)
    if operation.domain == DOMAIN or operation.hidden:
        raise InvalidInput(f"{step.operation} cannot be a step of a schedule.")
    authorise(call.context.principal, operation.name, operation.scope)
    waiting = set(step.depends_on)
    for value in step.arguments.values():
        if isinstance(value, dict) and set(value) == {"step", "field"}:
            waiting.add(str(value["step"]))
    if waiting - known:
        raise InvalidInput(
            f"{step.id} waits for {', '.join(sorted(waiting - known))}: no such step."
        )
    _check_arguments(step, operation, call)


def _check_arguments(step: ScheduledStep, operation: AnyOperation, call: Call) -> None:
    plain: dict[str, Any] = {
        k: v
        for k, v in step.arguments.items()
        if not (isinstance(v, dict) and set(v) == {"step", "field"})
    }
    if len(plain) == len(step.arguments):
        read_arguments(operation, plain, call.kernel.catalogue, call.tenant)
        return
    unknown = set(step.arguments) - set(operation.input.model_fields)
    if unknown:
        raise InvalidInput(f"{operation.name} has no argument {sorted(unknown)[0]!r}.")
