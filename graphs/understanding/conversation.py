"""What a conversation remembers between sentences: things in focus, and what is still open."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from graphs.plan import Plan, Question, Step, references
from graphs.understanding.lexicon import fields
from tools.kernel.entities import EntityKind

_KEPT = 60
_RECENT = 4
_COMPARE = "evaluation.compare"


class Focus(BaseModel):
    """One thing that was spoken of or made, to which "it" may point.

    Attributes:
        kind: what it is.
        value: its name, its number, or (in plans that are not carried out) a `StepRef` as a dict.
        of: the owner's name, for the version of a model.
        via: the operation that made or used it.
        made: True if the operation made it, False if it was only named.
    """

    kind: EntityKind
    value: Any
    of: Any = None
    via: str | None = None
    made: bool = False


class Pending(BaseModel):
    """A question that waits for its answer.

    Attributes:
        text: the sentence that could not be planned without it.
        question: what was asked.
        answers: what was answered already, by `operation.slot`.
        change: the sentence that changes the plan of `text`, with `{}` for what is asked; empty
            where `text` itself lacks something.
    """

    text: str
    question: Question
    answers: dict[str, Any] = Field(default_factory=dict[str, Any])
    change: str = ""


class ConversationState(BaseModel):
    """A conversation as far as understanding needs it; a value: methods return a new one.

    Attributes:
        turns: how many sentences were planned.
        focus: things that can be referred to, newest first.
        recent: the last plans that had steps, newest first: what corrections change.
        proposed: a plan that waits for a yes; set until it is carried out or dropped.
        winner: the version that the last comparison found to be better, by more than chance.
        pending: the question that waits for an answer; a change of subject does not lose it.
        now: the time that counts as now; the machine's when None. Never stored.
    """

    turns: int = 0
    focus: list[Focus] = Field(default_factory=list[Focus])
    recent: list[Plan] = Field(default_factory=list[Plan])
    proposed: Plan | None = None
    winner: Focus | None = None
    pending: Pending | None = None
    now: datetime | None = Field(default=None, exclude=True)

    def after(self, plan: Plan) -> ConversationState:
        """The state once `plan` was said: names come into focus, its question waits.

        Made things come into focus by `with_results` as they come to be.
        """
        changed = self.model_copy(update={"turns": self.turns + 1})
        if plan.dry_run and self.proposed and plan.steps == self.proposed.steps:
            return changed  # what waits was only tried
        if plan.question is not None:
            answers = getattr(plan, "answers", {})
            change = getattr(plan, "change", "")
            changed.pending = Pending(
                text=plan.text, question=plan.question, answers=answers, change=change
            )
            known: Step | None = getattr(plan, "known", None)
            changed.focus = _push(changed.focus, _named(known)) if known else changed.focus
            return changed
        if getattr(plan, "drops_pending", False):
            changed.proposed = None
        if plan.steps:
            changed.recent = [plan, *self.recent][:_RECENT]
            changed.proposed = None if plan.dry_run else plan
            if self.pending and _answers(self.pending, plan):
                changed.pending = None
            for step in plan.steps:
                changed.focus = _push(changed.focus, _named(step))
            changed.focus = _push(changed.focus, getattr(plan, "spoken_of", []))
            if any(step.operation == _COMPARE for step in plan.steps):
                changed.winner = None
        else:
            # What is only told of can be meant by the next order: `v2 came back wrong. archive it`.
            changed.focus = _push(changed.focus, getattr(plan, "spoken_of", []))
        if not plan.steps and not plan.abstained:
            changed.proposed = None
            if getattr(plan, "drops_pending", False):
                changed.pending = None
        return changed

    def with_results(self, step: Step, result: Mapping[str, Any]) -> ConversationState:
        """The state once a step was carried out (or its job was started) with this result."""
        changed = self.model_copy()
        changed.focus = _push(changed.focus, _made(step.operation, result))
        if step.operation == _COMPARE:
            changed.winner = _winner(result)
        if self.proposed and self.proposed.steps and self.proposed.steps[-1].id == step.id:
            changed.proposed = None
        return changed

    def settled(self) -> ConversationState:
        """The state once nothing waits for a yes any more."""
        return self.model_copy(update={"proposed": None})

    def assuming(self, plan: Plan, outputs: Mapping[str, list[str]]) -> ConversationState:
        """As `after`, taking the plan as done: later sentences may refer to its results.

        Args:
            plan: what was said and planned.
            outputs: the fields of each operation's result, by the operation's name.
        """
        changed = self.after(plan)
        for step in plan.steps if plan.question is None and not plan.dry_run else ():
            turn = f"t{self.turns + 1}."
            said = {kind_of_field(step.operation, name): name for name in step.arguments}
            fields_of = {
                name: _later(step.arguments.get(name, {"step": step.id, "field": name}), turn)
                for name in outputs.get(step.operation, [])
                if said.get(kind_of_field(step.operation, name), name) == name
            }
            changed.focus = _push(changed.focus, _made(step.operation, fields_of))
        return changed

    def newest(self, kind: EntityKind, via: list[str] | None = None) -> Focus | None:
        """The newest thing of a kind in focus; made by one of the operations `via`, if given."""
        for item in self.focus:
            if item.kind is kind and (via is None or item.via in via):
                return item
        return None


def kind_of_field(operation: str, name: str) -> EntityKind | None:
    """What kind of thing a field of an operation's result names."""
    table = fields()
    kind = table["results_of"].get(f"{operation}.{name}") or table["results"].get(name)
    return EntityKind(kind) if kind else None


def _winner(result: Mapping[str, Any]) -> Focus | None:
    """The better side of a comparison; None if the difference may be chance."""
    side = {"first": "", "second": "other_"}.get(str(result.get("better")))
    if side is None:
        return None
    kind, model = EntityKind.MODEL_VERSION, result[f"{side}model"]
    return Focus(kind=kind, value=result[f"{side}version"], of=model, via=_COMPARE)


def _later(value: Any, turn: str) -> Any:
    """A reference within a plan as one that later turns can use: `t1.s2`."""
    if isinstance(value, dict) and set(value) == {"step", "field"} and "." not in value["step"]:
        return {"step": turn + value["step"], "field": value["field"]}
    return value


def _answers(pending: Pending, plan: Plan) -> bool:
    return any(step.operation == pending.question.operation for step in plan.steps)


def _named(step: Step) -> list[Focus]:
    waiting = references(step.arguments)
    items: list[Focus] = []
    for name, value in step.arguments.items():
        kind = kind_of_field(step.operation, name)
        if kind is None or name in waiting:
            continue
        of = step.arguments.get("model") if kind is EntityKind.MODEL_VERSION else None
        items.append(Focus(kind=kind, value=value, of=of, via=step.operation))
    if "model" in step.arguments and "version" not in step.arguments:
        return items
    return items


def _made(operation: str, result: Mapping[str, Any]) -> list[Focus]:
    items: list[Focus] = []
    model = result.get("model")
    for name, value in result.items():
        kind = kind_of_field(operation, name)
        if kind is None or value is None:
            continue
        of = model if kind is EntityKind.MODEL_VERSION else None
        items.append(Focus(kind=kind, value=value, of=of, via=operation, made=True))
    return items


def _push(focus: list[Focus], items: list[Focus]) -> list[Focus]:
    kept = [old for old in focus if not any(_same(old, new) for new in items)]
    return (items + kept)[:_KEPT]


def _same(old: Focus, new: Focus) -> bool:
    return (
        old.kind == new.kind and old.value == new.value and old.of == new.of and old.via == new.via
    )
