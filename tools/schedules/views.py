"""Schedules as operations answer them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from tools.kernel.operations import Effect, OperationSet
from tools.kernel.tables import PlanRunRow
from tools.schedules.timing import Timing, in_words
from tools.schedules.types import RunView, ScheduleStatus, ScheduleView

if TYPE_CHECKING:
    from tools.schedules.tables import ScheduleRow


def view(
    row: ScheduleRow,
    runs: Sequence[PlanRunRow],
    upcoming: Sequence[datetime],
    operations: OperationSet,
) -> ScheduleView:
    """One schedule with its runs."""
    return ScheduleView(
        schedule=row.name,
        id=row.id,
        status=cast("ScheduleStatus", row.status),
        when=in_words(Timing.model_validate(row.timing)),
        timing=row.timing,
        sentence=row.sentence,
        operations=[s["operation"] for s in row.steps],
        dangerous=dangerous(row.steps, operations),
        next=list(upcoming),
        owner=row.context["principal"],
        note=row.note,
        runs=[_run(run) for run in runs],
    )


def dangerous(steps: Sequence[dict[str, Any]], operations: OperationSet) -> list[str]:
    """The steps' operations that a person has to approve each time."""
    found: list[str] = []
    for step in steps:
        operation = operations.get(step["operation"])
        try:
            given = operation.input.model_construct(**step["arguments"])
            effect = operation.effect_for(given)
        except (AttributeError, TypeError, ValueError):
            effect = operation.effect
        if effect is Effect.DANGEROUS:
            found.append(step["operation"])
    return found


def _run(run: PlanRunRow) -> RunView:
    return RunView(
        run=run.number,
        due=run.due,
        status=run.status,
        note=run.note,
        receipts=list(run.receipts),
        conversation=run.context.get("conversation"),
    )
