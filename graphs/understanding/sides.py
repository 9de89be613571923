"""`if the challenger wins, promote it`: which side of a comparison a condition and its act mean.

A comparison measures its first side against its second, in whatever order they were said. The side
that a condition names decides the sign, and is what its act is about, unless that names another.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from graphs.plan import Step
from graphs.understanding.clause import Clause
from graphs.understanding.conditions import TURNED, Wanted
from graphs.understanding.lexicon import phrases
from graphs.understanding.link import resolve_alias
from graphs.understanding.models import model_mentions
from graphs.understanding.names import NameView
from graphs.understanding.reading import Scope
from graphs.understanding.written import alias_of
from tools.kernel.operations import Operation

_CHAMPION = "champion"
_PROMOTE = "registry.promote"
_COMPARE = "evaluation.compare"
_BRINGS = frozenset([_PROMOTE, "deployment.start", "deployment.test"])
"""Acts that nobody wants for a side because it lost."""
_OTHERS = ("first_side", "second_side", "newer", "older", "former", "another")
"""Words of an act that point at a side by themselves."""


def sides_of(step: Step, names: NameView) -> list[tuple[Any, Any]]:
    """The model and the version of both sides of a comparison, its aliases as numbers."""
    said = step.arguments
    model, other = said.get("model"), said.get("other_model", said.get("model"))
    second = said.get("other_version") or (_CHAMPION if other == model else None)
    return [(m, _number(m, v, names)) for m, v in ((model, said.get("version")), (other, second))]


def side_won(wanted: Wanted, step: Step, names: NameView, said: str | None = None) -> Wanted | None:
    """A condition as its comparison measures it, with the side that it names.

    Args:
        wanted: the condition.
        step: the comparison.
        names: tells which version an alias is.
        said: the model that the condition names, if it names one.

    Returns:
        None if it names a side that the comparison does not have.
    """
    if wanted.compare is None:
        return wanted
    first, second = sides_of(step, names)
    if wanted.subject is None:
        return replace(wanted, side=_as_side(first))
    for side in (first, second):
        model, version = side
        told = version is not None and version == _number(model, wanted.subject, names)
        if told and said in (None, model):
            seen = wanted if side == first else _turned(wanted)
            loses = wanted.op in ("<", "<=")
            return replace(seen, subject=version, side=_as_side(side), loses=loses)
    return None


def side_brought(
    wanted: Wanted, step: Step, names: NameView, operation: str, clause: Clause
) -> Wanted:
    """A condition on what its act names: `compare v3 with v2 and promote v2 if it is better`.

    Args:
        wanted: the condition, about the first side where it names none.
        step: the comparison.
        names: tells which version an alias is.
        operation: the act.
        clause: its words.
    """
    if wanted.compare is None or wanted.subject is not None or operation not in _BRINGS:
        return wanted
    first, second = sides_of(step, names)
    named = [m for m in model_mentions(clause, aliases=False) if m.version is not None]
    if len(named) != 1 or first == second:
        return wanted
    model = named[0].mention.names[0].name if named[0].mention else None
    meant = [s for s in (first, second) if s[1] == named[0].version and model in (None, s[0])]
    return replace(_turned(wanted), side=_as_side(second)) if meant == [second] else wanted


def _turned(wanted: Wanted) -> Wanted:
    """The same, measured from the other side."""
    return replace(wanted, op=TURNED[wanted.op], margin=0.0 - wanted.margin)


def agreed(wanted: Wanted, step: Step, names: NameView) -> Wanted:
    """`does v4 beat v3? if so promote it`: what is agreed to is about the side asked for."""
    compares = "other_version" in step.arguments or step.operation == _COMPARE
    return replace(wanted, side=_as_side(sides_of(step, names)[0])) if compares else wanted


def meant(
    operation: Operation[Any, Any], clause: Clause, wanted: Wanted, step: Step, scope: Scope
) -> dict[str, Any]:
    """The arguments of an act that only its condition says: the side that it is about.

    Args:
        operation: the act.
        clause: its words.
        wanted: the condition, with the side that it names.
        step: the comparison that it hangs on.
        scope: the whole sentence, and which version an alias points at.
    """
    takes = operation.input.model_fields
    if wanted.side and operation.name == _PROMOTE and _names_it(clause, wanted):
        return implied_alias(clause, wanted.side, step, scope.names, scope.whole)
    if not wanted.side or "version" not in takes or _names_another(operation.name, clause):
        return {}
    if operation.name != _PROMOTE:
        return dict(wanted.side)
    return wanted.side | implied_alias(clause, wanted.side, step, scope.names, scope.whole)


def implied_alias(
    clause: Clause, won: dict[str, Any], step: Step, names: NameView, whole: str
) -> dict[str, str]:
    """What a side is promoted to that has beaten the champion, where the words say nothing else.

    Args:
        clause: the words of the promotion.
        won: the side that is promoted.
        step: the comparison.
        names: tells which version is the champion.
        whole: the sentence, which must speak of the champion itself.
    """
    beaten = [s for s in sides_of(step, names) if s != (won.get("model"), won.get("version"))]
    said = any(alias_of(word) == _CHAMPION for word in re.findall(r"\w+", whole.lower()))
    if len(beaten) != 1 or not said or any(alias_of(t.low) for t in clause.tokens):
        return {}
    model, version = beaten[0]
    holds = version is not None and version == _number(model, _CHAMPION, names)
    return {"alias": _CHAMPION} if holds and model == won.get("model") else {}


def unsettled(operation: str, clause: Clause, wanted: Wanted, otherwise: bool) -> bool:
    """True for `if the champion loses, promote it`, where "it" may be either side.

    Args:
        operation: the act.
        clause: its words.
        wanted: its condition.
        otherwise: True if it hangs on the opposite of that.
    """
    return (
        wanted.loses != otherwise
        and bool(wanted.subject)
        and operation in _BRINGS
        and not _names_another(operation, clause)
    )


def _as_side(side: tuple[Any, Any]) -> dict[str, Any]:
    return {"model": side[0], "version": side[1]} if None not in side else {}


def _names_another(operation: str, clause: Clause) -> bool:
    """True if an act says its own version: `…, deploy v3`, `…, keep the champion`."""
    mentions = model_mentions(clause, aliases=operation != _PROMOTE)
    if _bare(clause):
        return True
    return any(m.version is not None for m in mentions) or any(
        clause.find(phrases("references", name)) for name in _OTHERS
    )


def _bare(clause: Clause) -> list[int | str]:
    """The 4 of `promote 4 to champion`, where only the comparison names the model."""
    return [int(t.low) for t in clause.tokens[1:2] if t.kind == "number" and t.low.isdigit()]


def _names_it(clause: Clause, wanted: Wanted) -> bool:
    """True if an act names the very side that its condition does: `promote v4 if v4 wins`."""
    named = [m.version for m in model_mentions(clause, aliases=False) if m.version is not None]
    named = named or _bare(clause)
    return bool(named) and all(version == wanted.side.get("version") for version in named)


def _number(model: Any, version: Any, names: NameView) -> Any:
    if isinstance(model, str) and isinstance(version, str):
        return resolve_alias(model, version, names) or version
    return version
