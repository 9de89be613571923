"""Arguments that are a choice among a few values: strategy, alias, audience, role."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic.fields import FieldInfo

from graphs.understanding import values
from graphs.understanding.clause import Clause
from graphs.understanding.reading import Reading


def choices_first(r: Reading) -> None:
    """A choice that must be said, or an alias, claims words before models (`make it staging`)."""
    for name, info in r.fields.items():
        first = info.is_required() or name == "alias"
        if r.open(name) and first and values.choices_of(info):
            choose(r, name, info)


def choices(r: Reading) -> None:
    """Every choice that has no value yet."""
    for name, info in r.fields.items():
        if r.open(name) and values.choices_of(info) and not r.spec(name).get("late"):
            choose(r, name, info)


def choose(r: Reading, name: str, info: FieldInfo) -> None:
    """One choice, by its value or one of its other words; a list takes every value that is said."""
    if name == "alias" and _last_alias(r, name, info):
        return
    unsaid = r.spec(name).get("unsaid", ())
    known = [value for value in values.choices_of(info) if value not in unsaid]
    found = values.read_choice(r.clause, name, known)
    if not found or (found[0] == "all" and "steps" in r.out.arguments):
        return  # `to all phones at 5, 25 and 100 percent` is no rollout all at once
    if values.is_list(info):
        _every(r, name, values.choices_of(info))
        return
    r.set(name, *found)
    if name == "audience":
        _further(r, name, values.choices_of(info))


def _every(r: Reading, name: str, known: Sequence[str]) -> None:
    """All values of a list: `to openvino and executorch`."""
    every: list[str] = []
    while found := values.read_choice(r.clause, name, known):
        value, span = found
        every.extend([value] if value not in every else [])
        r.set(name, every, span)


def _further(r: Reading, name: str, known: Sequence[str]) -> None:
    """Each further audience of a list: `for legal and the board`, `for legal and one for finance`.

    They become steps in the order in which they are said.
    """
    found = [(_begins(r.clause, name), str(r.out.arguments[name]))]
    while choice := values.read_choice(r.clause, name, known):
        value, (first, end) = choice
        if not _joined(r.clause, first, end) or value in {v for _, v in found}:
            break
        r.clause.claim(first, end, name)
        found.append((first, value))
    r.out.arguments[name], *further = [value for _, value in sorted(found)]
    if further:
        r.out.several[name] = list(further)


def _begins(clause: Clause, name: str) -> int:
    """Where the words claimed for an argument begin."""
    return next(at for at, owner in enumerate(clause.claimed) if owner == name)


def _joined(clause: Clause, first: int, end: int) -> bool:
    """True if a value is one of a list: a joint stands before or after it."""
    low = [t.low for t in clause.tokens]
    before = [w for w in low[:first] if w not in _AGAIN][-1:]
    return bool((set(before) | set(low[end : end + 1])) & _JOINTS)


_JOINTS = frozenset(["and", ",", "&"])
_AGAIN = frozenset(["the", "one", "another", "for"])
"""Words between a joint and a further value: `and another for the board`."""


def _last_alias(r: Reading, name: str, info: FieldInfo) -> bool:
    """`promote the challenger to champion`: the alias after `to` is what is set."""
    tokens = r.clause.tokens
    found: list[tuple[str, tuple[int, int]]] = []
    for index in range(len(tokens)):
        part = Clause(tokens[index : index + 1])
        if one := values.read_choice(part, name, values.choices_of(info)):
            found.append((one[0], (index, index + 1)))
    if len(found) < 2:
        return False
    by_to = [f for f in found if r.clause.preposition(f[1][0]) in {"to", "as", "into"}]
    chosen = by_to[-1] if by_to else found[-1]
    after = {t.low for t in tokens[chosen[1][1] :]}
    if not by_to and "should" in {t.low for t in tokens}:
        chosen = found[0] if "of" in after and found[0][1][0] < 3 else found[-1]
    r.set(name, *chosen)
    return True
