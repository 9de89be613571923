"""The last act once more for other versions: `2 and 3 too`, `and the one before it`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphs.plan import Step
from graphs.understanding.link import version_names
from graphs.understanding.names import NameView
from graphs.understanding.text import Token
from graphs.understanding.values import number_at
from graphs.understanding.written import read_version

_TOO = frozenset(["too", "also", "well"])
_SMALL = frozenset(
    [
        "and",
        "as",
        ",",
        "&",
        "version",
        "versions",
        "please",
        "the",
        "v",
        "same",
        "for",
        "with",
        "do",
    ]
)
_NEXT_TO = re.compile(
    r"(?:(?:and|what about|how about|now|then|ok|also|the same for|same for) )*"
    r"(?:(?:the (?:one|version) (?P<place>before|after)(?: it| that| this)?"
    r"|(?:the|its) (?P<side>previous|next|preceding|following|prior) (?:one|version)"
    r"|its (?P<kin>predecessor|successor)))(?: too| as well| please)*"
)
_BACK = frozenset(["before", "previous", "preceding", "prior", "predecessor"])


def further(tokens: Sequence[Token], last: Step, names: NameView) -> list[Step]:
    """The last step for each version that is said; none if the words say anything else.

    Args:
        tokens: what was said.
        last: the last step of the last plan.
        names: the catalogue, in which the versions must stand.
    """
    model, version = last.arguments.get("model"), last.arguments.get("version")
    if not isinstance(model, str) or not isinstance(version, int):
        return []
    known = sorted(int(n.name) for n in version_names(model, names) if n.name.isdigit())
    wanted = _beside(tokens, version, known) or _listed(tokens)
    if not wanted or not set(wanted) <= set(known):
        return []
    return [
        Step(
            id=f"s{number}",
            operation=last.operation,
            arguments={**last.arguments, "version": other},
        )
        for number, other in enumerate(wanted, start=1)
    ]


def so_many(tokens: Sequence[Token], last: Step, takes_limit: bool) -> list[Step]:
    """`show me 25 of those`: the last look once more, with so many of what it shows.

    Args:
        tokens: what was said.
        last: the last step of the last plan.
        takes_limit: whether its operation takes a `limit`.
    """
    said = [t for t in tokens if t.kind != "punctuation"]
    at = next((i for i in range(len(said)) if number_at(said, i)), None)
    number = number_at(said, at) if at is not None else None
    if not takes_limit or at is None or number is None or number[0] != int(number[0]):
        return []
    before = " ".join(t.low for t in said[:at])
    after = " ".join(t.low for t in said[number[1] :])
    if not _SHOW.fullmatch(before) or not _OF_THEM.fullmatch(after):
        return []
    arguments = {**last.arguments, "limit": int(number[0])}
    return [Step(id="s1", operation=last.operation, arguments=arguments)]


_SHOW = re.compile(
    r"(?:(?:ok|and|please|can you|could you|now|then|just|only) )*(?:show|give|list|print|tell)"
    r"(?: me| us)?(?: only| just)?(?: the)?(?: first| top| worst| best| last| newest)?"
)
_OF_THEM = re.compile(r"of (?:them|those|these)(?: please| pls)?")


def _beside(tokens: Sequence[Token], version: int, known: Sequence[int]) -> list[int]:
    found = _NEXT_TO.fullmatch(" ".join(t.low for t in tokens if t.kind != "punctuation"))
    if found is None or version not in known:
        return []
    side = found["place"] or found["side"] or found["kin"]
    place = known.index(version) + (-1 if side in _BACK else 1)
    return [known[place]] if 0 <= place < len(known) else []


def _listed(tokens: Sequence[Token]) -> list[int]:
    """The numbers of `2 and 3 too`; none without a word that says `too`."""
    said = [t for t in tokens if t.kind != "punctuation"]
    if not any(t.low in _TOO for t in said):
        return []
    found: list[int] = []
    for at, token in enumerate(said):
        number = number_at(said, at) if token.kind == "number" else None
        version = int(number[0]) if number else read_version(token.low)
        if isinstance(version, int):
            found.append(version)
        elif token.low not in _TOO | _SMALL:
            return []
    return found
