"""What is asked for in the other branch of a condition is told of what is there in that branch."""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphs.plan import Step
from graphs.understanding.clause import Clause
from graphs.understanding.draft import Read

_RESULTS, _REGISTER, _STATUS = "evaluation.results", "registry.register", "training.status"


def told_of_what_is_there(steps: Sequence[Step]) -> list[Step]:
    """Steps in which no branch is told of what only the other one makes.

    `If it is good enough register it, otherwise tell me why`: where it is not registered there is
    no version whose results could be shown; its training is told of.

    Args:
        steps: the steps of a plan, in order.
    """
    return [_told(step, {s.id: s for s in steps}) for step in steps]


def _told(step: Step, by_id: dict[str, Step]) -> Step:
    model = step.arguments.get("model")
    if step.operation != _RESULTS or not isinstance(model, dict):
        return step
    made = by_id.get(str(model.get("step")))
    if made is None or made.operation != _REGISTER or not _opposite(step, made):
        return step
    told = {"operation": _STATUS, "arguments": {"job": made.arguments["job"]}}
    return step.model_copy(update={**told, "depends_on": made.depends_on})


def _opposite(step: Step, made: Step) -> bool:
    ours, theirs = step.condition, made.condition
    if ours is None or theirs is None or ours.otherwise == theirs.otherwise:
        return False
    return ours.model_copy(update={"otherwise": theirs.otherwise}) == theirs


_TELLS_WHY = re.compile(
    r"(?:please )?(?:just )?(?:tell|show|let) (?:me|us) (?:know )?"
    r"(?:why(?: not)?|what (?:is|was) (?:missing|wrong)|which rules? (?:fails?|failed)|the reason)"
)
_CHECK = "registry.check_promotion"


def without_told(reads: list[Read]) -> list[Read]:
    """Reads without the `otherwise tell me why` behind a check that says by itself what is missing.

    Args:
        reads: the wishes of a sentence.
    """
    checks = any(read.operation == _CHECK for read in reads)
    return [
        read
        for read in reads
        if not (checks and read.clause.link == "otherwise")
        or not _TELLS_WHY.fullmatch(_said(read.clause))
    ]


def _said(clause: Clause) -> str:
    return " ".join(t.low for t in clause.tokens if t.kind != "punctuation")
