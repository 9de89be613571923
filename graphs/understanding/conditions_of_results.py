"""Conditions on what one operation tells: how long a training takes, which side a test favours."""

from __future__ import annotations

import re

from graphs.understanding.clause import Clause
from graphs.understanding.text import Token
from graphs.understanding.values import number_at

_TAKES = re.compile(
    r"\b(?:takes?|took|needs?|lasts?|would take|will take|to take|is done in|finishes in)"
    r" (?:only )?(?P<how>less than|under|below|at most|no more than|not more than|up to|more than"
    r"|over|longer than|no longer than|at least)\b"
)
_LESS_OR_EQUAL = frozenset(["at most", "no more than", "not more than", "up to", "no longer than"])
_SECONDS = {"second": 1, "sec": 1, "s": 1, "minute": 60, "min": 60, "hour": 3600, "h": 3600}
_RECOMMENDS = re.compile(
    r"\b(?:recommends?|recommended|favou?rs?|prefers?|says|picks?|is for) "
    r"(?:version |v)?(?P<version>\d+)\b"
    r"|\b(?:version |v)?(?P<passive>\d+) (?:is|was|gets) (?:the one )?recommended\b"
)


def result_said(tokens: list[Token]) -> tuple[str, str, float] | None:
    """The figure, the comparison and the number of such a condition.

    Args:
        tokens: the condition.

    Returns:
        `("seconds", "<", 7200.0)` for `if it takes less than two hours`, `("winner", "==", 6.0)`
        for `if it recommends version 6`; None for any other condition.
    """
    said = " ".join(token.low for token in tokens)
    if found := _RECOMMENDS.search(said):
        return "winner", "==", float(found["version"] or found["passive"])
    found = _TAKES.search(said)
    seconds = _seconds(Clause(list(tokens))) if found else None
    if found is None or seconds is None:
        return None
    how = found["how"]
    more = "more than" in how or how in {"over", "longer than", "at least"}
    if how in _LESS_OR_EQUAL:
        return "seconds", "<=", seconds
    return "seconds", ">=" if how == "at least" else ">" if more else "<", seconds


def _seconds(clause: Clause) -> float | None:
    for at in range(len(clause.tokens)):
        number = number_at(clause.tokens, at)
        unit = clause.tokens[number[1]].low if number and number[1] < len(clause.tokens) else ""
        if number and (one := _SECONDS.get(unit.removesuffix("s") or unit)):
            return number[0] * one
    return None
