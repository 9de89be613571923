"""`compare 3 with 2 and deploy the better one`: an act on whichever side wins.

Which side that is shows only when the comparison has run, so that the act is planned for each of
them, under the condition that it wins; the side that has the alias already needs no promotion.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from graphs.plan import Condition, Step, StepRef
from graphs.understanding.clause import Clause
from graphs.understanding.conversation import ConversationState
from graphs.understanding.lexicon import phrases
from graphs.understanding.link import resolve_alias
from graphs.understanding.reading import Scope
from graphs.understanding.sides import implied_alias
from graphs.understanding.text import Token
from graphs.understanding.written import alias_of

_COMPARE = "evaluation.compare"
_PROMOTE = "registry.promote"


@dataclass(frozen=True)
class Side:
    """An act on one side of a comparison.

    Attributes:
        tokens: the words of the act, with that side in the place of the winner.
        wins: the condition that this side wins.
        subject: what no words say of it: a version that is still to be made, the champion's alias.
    """

    tokens: list[Token]
    wins: Condition
    subject: dict[str, Any] = field(default_factory=dict[str, Any])


def winner_at(clause: Clause) -> tuple[int, int] | None:
    """Where a clause names the better one of several."""
    options = (*phrases("references", "superlative"), *phrases("segment", "winners"))
    longest = sorted(options, key=len, reverse=True)
    return clause.find(longest, free=False)


def sides(clause: Clause, operation: str, steps: Sequence[Step], scope: Scope) -> list[Side] | None:
    """The words of an act for each side of the last comparison, with what it hangs on.

    Args:
        clause: the act, with words for the winner.
        operation: what it asks for.
        steps: what is planned before.
        scope: the whole sentence, and which version an alias points at.

    Returns:
        An act for each; empty if none is needed; None if there is no comparison of two known
        versions of one model, or of two that the plan makes.
    """
    span = winner_at(clause)
    compared = [s for s in steps if s.operation == _COMPARE]
    if span is None or not compared or compared[-1].condition is not None:
        return None
    if made := _made(compared[-1]):
        rest = [*clause.tokens[: span[0]], *clause.tokens[span[1] :]]
        one = len(compared) == 1  # the winner of three is on no single side
        return [Side(rest, _wins(compared[-1], op), side) for side, op in made] if one else None
    return _known(clause, span, operation, compared[-1], scope)


def won_before(
    clause: Clause, takes: Collection[str], conversation: ConversationState
) -> tuple[dict[str, Any], list[Token]] | None:
    """What an act on the better one is about, after a comparison in an earlier sentence.

    Args:
        clause: the act.
        takes: the arguments that it has.
        conversation: knows what was compared, and who won once that is known.

    Returns:
        The model that was compared, and the words with its better version in the place of the
        winner; without a version, which is then asked for, where none is really better or that is
        not known. None where no winner is meant, or nothing was compared.
    """
    span = winner_at(clause)
    if span is None or not {"model", "version"} <= set(takes):
        return None
    if won := conversation.winner:
        return {"model": won.of}, _named(clause, span, won.value)
    steps = conversation.recent[0].steps if conversation.recent else []
    compared = [s.arguments for s in steps if s.operation == _COMPARE]
    if len(compared) != 1 or "other_model" in compared[0] or "model" not in compared[0]:
        return None
    rest = [*clause.tokens[: span[0]], *clause.tokens[span[1] :]]
    return {"model": compared[0]["model"]}, rest


def _known(
    clause: Clause, span: tuple[int, int], operation: str, compared: Step, scope: Scope
) -> list[Side] | None:
    """The sides of a comparison of two known versions of one model."""
    names = scope.names
    model, version = (compared.arguments.get(n) for n in ("model", "version"))
    other = compared.arguments.get("other_version") or "champion"
    if isinstance(other, str) and isinstance(model, str):
        other = resolve_alias(model, other, names)
    if not isinstance(version, int) or not isinstance(other, int):
        return None
    if not isinstance(model, str) or compared.arguments.get("other_model"):
        return None
    promotes = operation == _PROMOTE
    alias = next((a for t in clause.tokens if (a := alias_of(t.low)) is not None), None)
    given: dict[str, Any] = {}
    for number in (version, other) if promotes and alias is None else ():
        won = {"model": model, "version": number}
        given |= implied_alias(clause, won, compared, names, scope.whole)
    holder = resolve_alias(model, alias or given.get("alias", ""), names) if promotes else None
    return [
        Side(_named(clause, span, number), _wins(compared, op), given)
        for number, op in ((version, ">"), (other, "<"))
        if number != holder
    ]


def _made(step: Step) -> list[tuple[dict[str, Any], str]]:
    """Both sides of a comparison of versions that the plan makes itself, with the sign of each."""
    said = step.arguments
    first = {"model": said.get("model"), "version": said.get("version")}
    other = {
        "model": said.get("other_model", said.get("model")),
        "version": said.get("other_version"),
    }
    both = all(isinstance(side["version"], dict) for side in (first, other))
    return [(first, ">"), (other, "<")] if both else []


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
