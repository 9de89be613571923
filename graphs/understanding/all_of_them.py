"""`both`, `all of them`: the answer to a question that means every candidate it listed."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

from graphs.plan import Question, Step
from graphs.understanding.parsed import ParsedPlan
from graphs.understanding.text import Token

_MOST = 6
"""Candidates that one word may stand for; more are named one by one."""
_ALL = re.compile(
    r"(?:(?:on|to|for|of|please|do|well|oh|the|yes|hm) )*"
    r"(?:(?P<both>both|the two|them both)|all|all (?:of )?(?:them|these|those)|every one|each"
    r"|each of them|all (?:the )?(?P<count>two|three|four|five|six))(?: of (?:them|these|those))?"
    r"(?: please| pls| then)*"
)
_COUNTS = {"two": 2, "three": 3, "four": 4, "five": 5, "six": 6}


def for_each(
    question: Question, tokens: Sequence[Token], plan_for: Callable[[Any], ParsedPlan]
) -> ParsedPlan | None:
    """The act once for each candidate of a question, if the answer means them all.

    Args:
        question: what was asked.
        tokens: the answer.
        plan_for: plans the sentence that waits with one candidate as the answer.

    Returns:
        None where the words say anything else, or more than this act was asked for.
    """
    found = _ALL.fullmatch(" ".join(t.low for t in tokens if t.kind != "punctuation"))
    candidates = question.candidates
    if found is None or not 1 < len(candidates) <= _MOST:
        return None
    said = 2 if found["both"] else _COUNTS.get(found["count"] or "", len(candidates))
    if said != len(candidates):
        return None
    plans = [plan_for(candidate) for candidate in candidates]
    if any(len(plan.steps) != 1 or plan.question or plan.abstained for plan in plans):
        return None
    steps = [_numbered(plan.steps[0], at) for at, plan in enumerate(plans, start=1)]
    first = plans[0]
    return ParsedPlan(steps=steps, confidence=first.confidence, dry_run=first.dry_run)


def _numbered(step: Step, number: int) -> Step:
    return step.model_copy(update={"id": f"s{number}"})
