"""What a sentence was understood as: the plan, and why."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from graphs.plan import Plan, Step
from graphs.understanding.conversation import Focus
from tools.schedules.timing import Timing


class Reason(BaseModel):
    """Why a clause became what it became.

    Attributes:
        text: the clause.
        operation: what it was taken for; None if for nothing.
        confidence: the probability of that.
        runners: the next operations with their probabilities.
        arguments: argument → the words that led to it.
    """

    text: str
    operation: str | None
    confidence: float
    runners: list[tuple[str, float]]
    arguments: dict[str, str]


class ParsedPlan(Plan):
    """A plan with what the parser alone knows; the extra fields are never written out.

    Attributes:
        answers: what questions about this sentence were answered, by `operation.slot`.
        reasons: what each clause was taken for, and why.
        drops_pending: True if the person gave up the question that was open.
        known: what the step that the question is about has already.
        when: the time that the sentence wants its act at, also where nothing could be planned.
        spoken_of: documents that the words name, which no argument may hold.
        change: where a change of an earlier plan is asked about, that sentence with `{}` for it.
        final: True if nobody else should try: what was asked cannot be done at its time.
    """

    answers: dict[str, Any] = Field(default_factory=dict[str, Any], exclude=True)
    reasons: list[Reason] = Field(default_factory=list[Reason], exclude=True)
    drops_pending: bool = Field(default=False, exclude=True)
    known: Step | None = Field(default=None, exclude=True)
    change: str = Field(default="", exclude=True)
    when: Timing | None = Field(default=None, exclude=True)
    final: bool = Field(default=False, exclude=True)
    spoken_of: list[Focus] = Field(default_factory=list[Focus], exclude=True)
