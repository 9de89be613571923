"""The plan: what words become, before anything is done."""

from __future__ import annotations

from typing import Any, Literal
from uuid import uuid4

from pydantic import BaseModel, Field

from tools.schedules.timing import Timing


class StepRef(BaseModel):
    """An argument or a figure that an earlier step's result will hold.

    Attributes:
        step: the earlier step's id.
        field: the name of the field in its result.
    """

    step: str
    field: str


class Condition(BaseModel):
    """When a step runs, decided on the real results of the steps before it.

    The step runs if `left op right + margin` holds; with `otherwise`, if it does not hold.

    Attributes:
        left: the figure that is compared.
        op: the comparison.
        right: a number, or another figure.
        margin: added to the right side, in the unit of the figures (0.02 is two points).
        otherwise: True for the other branch of the same condition.
    """

    left: StepRef
    op: Literal[">", ">=", "<", "<=", "==", "!="]
    right: float | StepRef
    margin: float = 0.0
    otherwise: bool = False


class Step(BaseModel):
    """One call of one operation.

    Attributes:
        id: unique within the plan: `s1`, `s2`, …
        operation: `domain.verb`.
        arguments: the operation's own argument names; a value may be a `StepRef` as a dict.
        depends_on: ids of the steps that must have succeeded before.
        condition: when it runs at all.
        schedule: when it runs, if not now: on a clock, at a moment, or when a job has ended.
    """

    id: str
    operation: str
    arguments: dict[str, Any] = Field(default_factory=dict)
    depends_on: list[str] = Field(default_factory=list)
    condition: Condition | None = None
    schedule: Timing | None = None


class Question(BaseModel):
    """What must be known before a step can be planned.

    Attributes:
        operation: the operation it is asked for.
        slot: the missing or unclear argument.
        text: the question.
        candidates: names to choose from, best first; empty if anything may be answered.
    """

    operation: str
    slot: str
    text: str
    candidates: list[str] = Field(default_factory=list)


class ModelUse(BaseModel):
    """What a language model's part in a turn took.

    Attributes:
        model: its name.
        calls: how often it was asked.
        prompt_tokens: tokens sent.
        answer_tokens: tokens received.
        ms: milliseconds waited for it.
        cost: money, by the configured prices.
    """

    model: str
    calls: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    ms: float = 0.0
    cost: float = 0.0

    def __add__(self, other: ModelUse) -> ModelUse:
        """Both together."""
        return ModelUse(
            model=self.model,
            calls=self.calls + other.calls,
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            answer_tokens=self.answer_tokens + other.answer_tokens,
            ms=round(self.ms + other.ms, 1),
            cost=self.cost + other.cost,
        )


class Plan(BaseModel):
    """What a sentence means.

    Attributes:
        id: unique; approvals are bound to it.
        text: the sentence.
        steps: what would be done, in order of mention; empty if nothing can be planned.
        question: asked when exactly one thing is missing or unclear.
        abstained: True if the parser does not know what is meant.
        dry_run: True if the person asked what would happen, not for it to happen.
        confidence: calibrated probability, from 0 to 1, that the plan is what was meant.
        ms: milliseconds from words to plan.
        reply: what to say when there is nothing to do: small talk, a refusal, what can be done.
        use: what the language model took that was asked for this plan; None if none was.
        unsaid: changes of a language model's making that the person's words do not name; they are
            confirmed by a person in any case.
    """

    id: str = Field(default_factory=lambda: uuid4().hex[:12])
    text: str = ""
    steps: list[Step] = Field(default_factory=list[Step])
    question: Question | None = None
    abstained: bool = False
    dry_run: bool = False
    confidence: float = Field(default=0.0, ge=0, le=1)
    ms: float = 0.0
    reply: str | None = None
    use: ModelUse | None = None
    unsaid: list[str] = Field(default_factory=list)


def references(arguments: dict[str, Any]) -> dict[str, StepRef]:
    """The arguments that wait for an earlier step's result."""
    return {
        name: StepRef.model_validate(value)
        for name, value in arguments.items()
        if isinstance(value, dict) and set(value) == {"step", "field"}
    }
