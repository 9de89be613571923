"""`the A/B test is over, version 6 won, bring it to the whole group`: who won is what is brought.

The remark orders nothing, but the act after it is about the version that it names.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphs.understanding.clause import Clause
from graphs.understanding.draft import Read
from graphs.understanding.lexicon import fields, split_phrases
from graphs.understanding.models import model_mentions

_PROMOTE = "deployment.promote"


def with_told_winner(reads: Sequence[Read], told: Sequence[Clause]) -> None:
    """Give the version that is told to have won to the act that brings it to a whole group.

    Args:
        reads: the wishes of a sentence.
        told: what is only told in it.
    """
    won = {version for clause in told if (version := _won(clause)) is not None}
    for read in reads if len(won) == 1 else ():
        named = [m for m in model_mentions(read.clause) if m.version is not None]
        if read.operation == _PROMOTE and not named:
            read.subject = read.subject | {"version": next(iter(won))}


def _won(clause: Clause) -> int | None:
    """The version before `won`, `is better`, …; none if it is a question."""
    span = clause.find(split_phrases([*fields()["versus"]["beats"], *_WON]), free=False)
    if span is None or clause.asks or clause.condition:
        return None
    before = [m for m in model_mentions(clause) if m.end <= span[0]]
    version = before[-1].version if before else None
    return version if isinstance(version, int) else None


_WON = ("is the winner", "has won", "came out on top", "came out ahead", "was better", "did better")
