"""A condition that stands on something that is only read, while an act beside it hangs on nothing.

`compare 4 with 2 unless 4 loses, promote it` may govern the comparison or the promotion. Where an
act follows in the same plan and would be done whatever the condition says, nothing is planned.
"""

from __future__ import annotations

from graphs.plan import Step
from graphs.understanding.clause import join
from graphs.understanding.draft import Draft
from tools.kernel.operations import Effect, OperationSet


def strayed_condition(draft: Draft, operations: OperationSet) -> str | None:
    """The words of a condition that governs only reading, where a later act hangs on nothing.

    Args:
        draft: the plan with the clauses that it was made of.
        operations: tells which steps act.
    """
    held: set[str] = set()
    strayed = False
    for step in draft.steps:
        if step.condition is not None or held & set(step.depends_on):
            held.add(step.id)
        elif strayed and _acts(step, operations):
            return _said(draft)
        strayed = strayed or (step.condition is not None and not _acts(step, operations))
    return None


def _acts(step: Step, operations: OperationSet) -> bool:
    """True for a step that changes something; a measurement only keeps what it found."""
    known = operations.get(step.operation)
    return known.effect is not Effect.READ and known.domain not in _MEASURES


_MEASURES = frozenset(["evaluation"])


def _said(draft: Draft) -> str:
    conditions = [read.clause.condition for read in draft.reads if read.clause.condition]
    return join(conditions[0]) if conditions else draft.steps[0].operation
