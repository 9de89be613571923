"""A plan as a language model drafts it, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel, Field, ValidationError

from graphs.plan import Condition, Step, StepRef
from graphs.plan_check import Catalogued, check_step
from tools.kernel.operations import AnyOperation


class DraftStep(BaseModel):
    """One step as a model drafts it; its id is its place: `s1`, `s2`, …"""

    operation: str
    arguments: dict[str, Any] = Field(default_factory=dict[str, Any])
    depends_on: list[str] = Field(default_factory=list[str])
    condition: Condition | None = None


class Draft(BaseModel):
    """A plan in the form of `graphs.plan_schema`.

    Attributes:
        steps: what would be done.
        reply: what to say when nothing is to be done, or one question to ask back.
        delegate: one agent, when the task needs it to look around by itself.
    """

    steps: list[DraftStep] = Field(default_factory=list[DraftStep])
    reply: str | None = None
    delegate: str | None = None

    def planned(self) -> list[Step]:
        """The steps of the plan."""
        return [
            Step(
                id=f"s{number}",
                operation=s.operation,
                arguments=s.arguments,
                depends_on=s.depends_on,
                condition=s.condition,
            )
            for number, s in enumerate(self.steps, start=1)
        ]


def read_draft(answer: Any) -> Draft | None:
    """What a model answered as a draft; None if it is none."""
    if not isinstance(answer, Mapping):
        return None
    try:
        return Draft.model_validate(answer)
    except ValidationError:
        return None


def problem_of(
    draft: Draft | None,
    operations: Sequence[AnyOperation],
    agents: Sequence[str],
    catalogue: Catalogued,
) -> str:
    """What is wrong with a draft, in one sentence to its author; empty if nothing is.

    Args:
        draft: the draft, None if the answer was none.
        operations: those it may call.
        agents: those it may hand the task to.
        catalogue: the names that exist.
    """
    if draft is None:
        return "it is not a plan in the form asked for."
    if draft.delegate is not None:
        if draft.steps:
            return "it has both steps and a delegate."
        return "" if draft.delegate in agents else f"there is no agent {draft.delegate!r}."
    if not draft.steps and not (draft.reply or "").strip():
        return "it has neither steps nor a reply."
    known = {o.name: o for o in operations}
    earlier: dict[str, AnyOperation] = {}
    for step in draft.planned():
        if step.operation not in known:
            return f"{step.operation!r} is not one of the operations listed."
        wrong = check_step(step, known[step.operation], earlier, catalogue) or _wrong_condition(
            step, earlier
        )
        if wrong:
            return wrong
        earlier[step.id] = known[step.operation]
    return ""


def _wrong_condition(step: Step, earlier: Mapping[str, AnyOperation]) -> str | None:
    if step.condition is None:
        return None
    for side in (step.condition.left, step.condition.right):
        if isinstance(side, StepRef) and (wrong := _no_figure(side, step, earlier)):
            return wrong
    return None


def _no_figure(side: StepRef, step: Step, earlier: Mapping[str, AnyOperation]) -> str | None:
    before = earlier.get(side.step)
    if before is None:
        return f"{step.id}'s condition refers to {side.step!r}, which does not come before it."
    results = before.output.model_fields
    first = side.field.partition(".")[0]
    if first not in results:
        return f"{before.name} gives no {side.field!r}; it gives {', '.join(results)}."
    return None
