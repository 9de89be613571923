"""Clauses with their routes, and the plan that is made of them step by step."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from graphs.plan import Question, Step
from graphs.understanding.clause import Clause
from graphs.understanding.reading import Evidence
from graphs.understanding.router import Route


@dataclass
class Read:
    """A clause with its route.

    Attributes:
        clause: its words.
        route: what it asks for; None if it was not routed.
        evidence: which words led to which argument.
        operation: what it is taken for.
        goes_on: True if it only says other values for the act before it.
        subject: arguments that no words of the clause say: the side of a comparison that won.
    """

    clause: Clause
    route: Route | None = None
    evidence: list[Evidence] = field(default_factory=list)
    operation: str | None = None
    goes_on: bool = False
    subject: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass
class Draft:
    """A plan in the making.

    Attributes:
        steps: the steps so far.
        question: what stops it, if anything is missing.
        asked: the clause that the question is about.
        known: the step that the question is about, as far as it is known.
        unclear: a condition that was not understood.
        unread: words with an amount that no step takes in.
        confidence: the lowest probability of its clauses.
        reads: the clauses, for the explanation.
        last: the steps that the clause before ended in.
        ahead: the same of the clause before that, which waits for what this one waits for.
        kept: where the words begin that a condition of the plan, or of its order, stands for.
    """

    steps: list[Step] = field(default_factory=list[Step])
    question: Question | None = None
    asked: Read | None = None
    known: Step | None = None
    unclear: str | None = None
    unread: str | None = None
    confidence: float = 1.0
    reads: list[Read] = field(default_factory=list[Read])
    last: list[str] = field(default_factory=list[str])
    ahead: list[str] = field(default_factory=list[str])
    kept: set[int] = field(default_factory=set[int])
