"""`compare 4 with 2 unless 4 loses, promote it`: a condition on what itself measures it.

What measures a figure cannot hang on it: the condition is about the act behind its comma. Where two
acts stand on both sides of a condition and nothing tells which of them it governs, none is planned.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from graphs.understanding.clause import Clause, join
from graphs.understanding.conditions import plain, read_condition
from graphs.understanding.draft import Read
from tools.kernel.operations import Effect, OperationSet

_COMPARE = "evaluation.compare"


def conditions_moved(reads: Sequence[Read], operations: OperationSet) -> str | None:
    """Give a condition between a measurement and an act to the act.

    Args:
        reads: the wishes of a sentence, of which these conditions are moved.
        operations: tells what they measure, and which of them act.

    Returns:
        The words of a condition that may govern either of two acts; None if there is none.
    """
    for before, read in pairwise(reads):
        if not _between(before.clause, read.clause) or before.operation is None:
            continue
        if _measures_itself(before, operations):
            read.clause.condition, before.clause.condition = before.clause.condition, None
        elif _acts(before, operations) and _acts(read, operations):
            return join(before.clause.condition or [])
    return None


def _between(first: Clause, second: Clause) -> bool:
    """True for `X if C, Y`, where nothing but its place tells what the condition governs."""
    condition = first.condition
    if not condition or not first.tokens or condition[0].start < first.tokens[-1].start:
        return False
    return second.apart and second.condition is None and second.link != "otherwise"


def _measures_itself(read: Read, operations: OperationSet) -> bool:
    wanted = read_condition(plain(read.clause.condition or ()))
    if wanted is None or read.operation is None:
        return False
    if wanted.compare is not None:
        return read.operation == _COMPARE
    return wanted.metric in operations.get(read.operation).output.model_fields


def _acts(read: Read, operations: OperationSet) -> bool:
    known = operations.get(read.operation) if read.operation else None
    return known is not None and known.effect is not Effect.READ
