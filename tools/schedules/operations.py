"""The operations on schedules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.kernel.entities import EntityKind, EntityName, entity_source
from tools.kernel.operations import Call, Effect, Evidence, Inverse, Preview, operation
from tools.kernel.timers import timer_owner
from tools.schedules.types import (
    CreateArgs,
    ListArgs,
    NamedArgs,
    RestoreArgs,
    ScheduleList,
    ScheduleView,
)

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel
    from tools.schedules.service import ScheduleService


def _service(kernel: Kernel) -> ScheduleService:
    from tools.schedules.service import ScheduleService

    return kernel.get(ScheduleService)


@timer_owner("schedules")
def owner(kernel: Kernel) -> ScheduleService:
    """Who is told that a schedule is due."""
    return _service(kernel)


@entity_source(EntityKind.SCHEDULE)
def schedule_names(kernel: Kernel, tenant: str) -> list[EntityName]:
    """Every schedule that is not over, by its name, and also by its number."""
    return _service(kernel).names(tenant)


@operation(
    "schedules.create",
    effect=Effect.WRITE,
    examples=(
        "set up a schedule",
        "schedule something",
        "I want something to happen regularly",
        "put a recurring task in place",
        "make that recurring",
        "create a new schedule",
        "run something on a schedule",
        "can you do things at a certain time by a schedule",
        "add a recurring plan",
        "I'd like to automate something",
    ),
)
def create(args: CreateArgs, call: Call) -> ScheduleView:
    """Keep a plan and carry it out later: on a clock, at a moment, or when a job has ended.

    Each time it is due it runs for whoever made it, with what that person may do then, in a
    conversation of the schedule's own. A dangerous step waits for an approval each time.
    """
    return _service(call.kernel).create(args, call.context)


@create.preview
def _(args: CreateArgs, call: Call) -> Preview:
    from tools.schedules.checks import checked

    return checked(args, call)


@create.read_back
def _(args: CreateArgs, result: ScheduleView, call: Call) -> list[Evidence]:
    return _evidence(result.id, call)


@create.inverse
def _(args: CreateArgs, result: ScheduleView, call: Call) -> Inverse | None:
    return Inverse(operation="schedules.cancel", arguments={"schedule": result.schedule})


@create.says
def _(args: CreateArgs, result: ScheduleView) -> str:
    return f"Scheduled {result.schedule} (schedule {result.id}): {_told(result)}"


@operation(
    "schedules.list",
    effect=Effect.READ,
    examples=(
        "what is scheduled?",
        "list schedules",
        "show me the schedule",
        "what does the schedule look like",
        "show me all schedules",
        "which schedules are there",
        "what runs at night",
        "what will run tonight",
        "is anything scheduled for tomorrow?",
        "when is the next scheduled run",
        "what is planned for later",
        "which recurring tasks do we have",
        "did the nightly run work last time?",
        "show the scheduled runs",
        "what happens every week on its own",
        "are there any triggers waiting",
    ),
)
def list_(args: ListArgs, call: Call) -> ScheduleList:
    """List schedules: what, when, the next times, and how the last runs went."""
    found = _service(call.kernel).list(call.tenant, ended=args.ended, limit=args.limit)
    return ScheduleList(schedules=found)


@list_.says
def _(args: ListArgs, result: ScheduleList) -> str:
    if not result.schedules:
        return "Nothing is scheduled."
    told = "; ".join(f"{s.schedule} ({s.status}): {_told(s)}" for s in result.schedules[:5])
    return f"{len(result.schedules)} schedule(s): {told}"


@operation(
    "schedules.cancel",
    effect=Effect.WRITE,
    idempotent=True,
    examples=(
        "cancel the schedule",
        "cancel schedule 3",
        "cancel the nightly training",
        "stop the weekly report from being written",
        "delete the schedule",
        "unschedule the evaluation",
        "remove the trigger on job 7",
        "I don't need the nightly run any more",
        "no more nightly trainings",
        "end the recurring evaluation for good",
        "drop schedule 2",
        "take the daily check off the schedule",
    ),
)
def cancel(args: NamedArgs, call: Call) -> ScheduleView:
    """Cancel a schedule: it has no further run. A run that goes on already is left alone."""
    service = _service(call.kernel)
    return service.cancel(service.find(args.schedule, call.tenant).id)


@cancel.preview
def _(args: NamedArgs, call: Call) -> Preview:
    return _previewed("Cancel", args, call)


@cancel.read_back
def _(args: NamedArgs, result: ScheduleView, call: Call) -> list[Evidence]:
    return _evidence(result.id, call)


@cancel.inverse
def _(args: NamedArgs, result: ScheduleView, call: Call) -> Inverse | None:
    return Inverse(operation="schedules.restore", arguments={"number": result.id})


@cancel.says
def _(args: NamedArgs, result: ScheduleView) -> str:
    return f"Cancelled {result.schedule}: it was to run {result.when}, and will not any more."


@operation(
    "schedules.pause",
    effect=Effect.WRITE,
    idempotent=True,
    examples=(
        "pause the schedule",
        "pause schedule 3",
        "pause the nightly training",
        "suspend the weekly report for now",
        "the schedule should pause",
        "suspend the nightly runs until I say so",
        "do not run the schedule for the time being, pause it",
        "freeze the recurring evaluation",
    ),
)
def pause(args: NamedArgs, call: Call) -> ScheduleView:
    """Pause a schedule: it has no run until it is resumed."""
    service = _service(call.kernel)
    return service.pause(service.find(args.schedule, call.tenant).id)


@pause.preview
def _(args: NamedArgs, call: Call) -> Preview:
    return _previewed("Pause", args, call)


@pause.read_back
def _(args: NamedArgs, result: ScheduleView, call: Call) -> list[Evidence]:
    return _evidence(result.id, call)


@pause.inverse
def _(args: NamedArgs, result: ScheduleView, call: Call) -> Inverse | None:
    return Inverse(operation="schedules.resume", arguments={"schedule": result.schedule})


@pause.says
def _(args: NamedArgs, result: ScheduleView) -> str:
    return f"Paused {result.schedule}: it does not run until it is resumed."


@operation(
    "schedules.resume",
    effect=Effect.WRITE,
    idempotent=True,
    examples=(
        "resume the schedule",
        "resume schedule 3",
        "resume the nightly training",
        "unpause the weekly report",
        "continue the paused schedule",
        "let the nightly runs go on",
        "switch schedule 2 on again",
        "take the paused schedule up again",
    ),
)
def resume(args: NamedArgs, call: Call) -> ScheduleView:
    """Resume a schedule that was paused, from its next moment on; missed ones stay missed."""
    service = _service(call.kernel)
    return service.activate(service.find(args.schedule, call.tenant).id)


@resume.preview
def _(args: NamedArgs, call: Call) -> Preview:
    preview = _previewed("Resume", args, call)
    service = _service(call.kernel)
    service.next_or_refuse(service.find(args.schedule, call.tenant))
    return preview


@resume.read_back
def _(args: NamedArgs, result: ScheduleView, call: Call) -> list[Evidence]:
    return _evidence(result.id, call)


@resume.inverse
def _(args: NamedArgs, result: ScheduleView, call: Call) -> Inverse | None:
    return Inverse(operation="schedules.pause", arguments={"schedule": result.schedule})


@resume.says
def _(args: NamedArgs, result: ScheduleView) -> str:
    return f"Resumed {result.schedule}: {_told(result)}"


@operation(
    "schedules.restore",
    effect=Effect.WRITE,
    examples=(
        "bring cancelled schedule 3 back",
        "restore schedule 5",
        "uncancel schedule 2",
        "schedule 4 was cancelled by mistake, bring it back",
        "undo the cancelling of schedule 6",
        "reinstate schedule number 7",
        "revive the cancelled schedule 8",
        "put schedule 9 back, it should not have been cancelled",
    ),
    idempotent=True,
    hidden=True,
)
def restore(args: RestoreArgs, call: Call) -> ScheduleView:
    """Bring a cancelled schedule back, from its next moment on."""
    return _service(call.kernel).activate(args.number)


@restore.preview
def _(args: RestoreArgs, call: Call) -> Preview:
    service = _service(call.kernel)
    row = service.row(args.number, call.tenant)
    service.next_or_refuse(row)
    return Preview(summary=f"Bring schedule {row.name} back.")


@restore.read_back
def _(args: RestoreArgs, result: ScheduleView, call: Call) -> list[Evidence]:
    return _evidence(result.id, call)


@restore.inverse
def _(args: RestoreArgs, result: ScheduleView, call: Call) -> Inverse | None:
    return Inverse(operation="schedules.cancel", arguments={"schedule": result.schedule})


@restore.says
def _(args: RestoreArgs, result: ScheduleView) -> str:
    return f"Brought {result.schedule} back: {_told(result)}"


def _previewed(verb: str, args: NamedArgs, call: Call) -> Preview:
    service = _service(call.kernel)
    found = service.view(service.find(args.schedule, call.tenant).id)
    what = ", then ".join(found.operations)
    return Preview(summary=f"{verb} {found.schedule}: {what} {found.when}.")


def _evidence(number: int, call: Call) -> list[Evidence]:
    found = _service(call.kernel).view(number)
    source = "schedules"
    due = found.next[0].isoformat() if found.next else None
    return [
        Evidence(fact=f"status of {found.schedule}", value=found.status, source=source),
        Evidence(fact=f"timing of {found.schedule}", value=found.when, source=source),
        Evidence(fact=f"{found.schedule} is next due", value=due, source=source, guard=False),
    ]


def _told(found: ScheduleView) -> str:
    """When, what, the next time, and how the last run went."""
    parts = [f"{found.when}, {', then '.join(found.operations)}"]
    if found.next:
        from tools.schedules.timing import moment

        parts.append(f"next on {moment(found.next[0])}")
    if found.runs:
        last = found.runs[0]
        parts.append(f"run {last.run} {last.status}" + (f" ({last.note})" if last.note else ""))
    return "; ".join(parts) + "."
