"""`compare 3 with 2 and deploy the better one`: an act on whichever side wins.

Which side that is shows only when the comparison has run, so that the act is planned for each of
them, under the condition that it wins; the side that has the alias already needs no promotion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphs.plan import Condition, Step, StepRef
from graphs.understanding.clause import Clause
from graphs.understanding.lexicon import phrases
from graphs.understanding.link import resolve_alias
from graphs.understanding.names import NameView
from graphs.understanding.text import Token
from graphs.understanding.written import alias_of

_COMPARE = "evaluation.compare"
_PROMOTE = "registry.promote"


def winner_at(clause: Clause) -> tuple[int, int] | None:
    """Where a clause names the better one of several."""
    options = (*phrases("references", "superlative"), *phrases("segment", "winners"))
    longest = sorted(options, key=len, reverse=True)
    return clause.find(longest, free=False)


def sides(
    clause: Clause, operation: str, steps: Sequence[Step], names: NameView
) -> list[tuple[list[Token], Condition]] | None:
    """The words of an act for each side of the last comparison, with what it hangs on.

    Args:
        clause: the act, with words for the winner.
        operation: what it asks for.
        steps: what is planned before.
        names: tells which version an alias points at.

    Returns:
        Words and condition of each; empty if none is needed; None if there is no comparison of
        two known versions of one model.
    """
    span = winner_at(clause)
    compared = next((s for s in reversed(steps) if s.operation == _COMPARE), None)
    if span is None or compared is None or compared.condition is not None:
        return None
    model, version = (compared.arguments.get(n) for n in ("model", "version"))
    other = compared.arguments.get("other_version") or "champion"
    if isinstance(other, str) and isinstance(model, str):
        other = resolve_alias(model, other, names)
    if not isinstance(version, int) or not isinstance(other, int):
        return None
    if not isinstance(model, str) or compared.arguments.get("other_model"):
        return None
    alias = next((a for t in clause.tokens if (a := alias_of(t.low)) is not None), None)
    holder = resolve_alias(model, alias, names) if alias and operation == _PROMOTE else None
    return [
        (_named(clause, span, number), _wins(compared, op))
        for number, op in ((version, ">"), (other, "<"))
        if number != holder
    ]


def _wins(step: Step, op: str) -> Condition:
    left = StepRef(step=step.id, field="difference")
    return Condition(left=left, op=op, right=0.0, margin=0.0)  # type: ignore[arg-type]


def _named(clause: Clause, span: tuple[int, int], number: int) -> list[Token]:
    """The words with a version in the place of the winner."""
    first = clause.tokens[span[0]]
    said = [
        replace(first, text="version", low="version", kind="word"),
        replace(first, text=str(number), low=str(number), kind="number"),
    ]
    return [*clause.tokens[: span[0]], *said, *clause.tokens[span[1] :]]
