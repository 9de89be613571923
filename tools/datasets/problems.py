"""Rows that cannot be used, each with where it stands, and how a person is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from tools.kernel.errors import InvalidInput

SHOWN = 5
KEPT = 50
_KINDS = 8
SKIPPING = (
    "Correct these rows, or have them left out: say `skip the bad rows` (skip_bad_rows). "
    "Nothing was added."
)


@dataclass(frozen=True, slots=True)
class Problem:
    """One row that cannot be used.

    Attributes:
        place: where it stands (`line 7`, `row 3`, `item 2`), in its file.
        what: what is wrong with it.
        file: the file's name.
    """

    place: str
    what: str
    file: str = ""

    def __str__(self) -> str:
        """The row as a list names it."""
        return f"{self.file} {self.place}: {self.what}".strip()


def told(problems: Sequence[Problem]) -> str:
    """All of them in one phrase: each kind with the lines, of several files, where it occurs."""
    several = len({problem.file for problem in problems}) > 1
    found: dict[tuple[str, str], list[str]] = {}
    for problem in problems:
        kind = (problem.what, f"{problem.file} " if several else "")
        found.setdefault(kind, []).append(problem.place)
    shown = [f"{what} at {file}{listed(at)}" for (what, file), at in [*found.items()][:_KINDS]]
    more = len(found) - _KINDS
    return "; ".join([*shown, *([f"{more} more kinds of fault"] if more > 0 else [])])


def listed(places: Sequence[str]) -> str:
    """Places of one unit, at least one, in one phrase: `lines 3, 7, 9`; long lists are cut."""
    unit, shown = places[0].split()[0], [p.split()[1] for p in places[:SHOWN]]
    more = f" and {len(places) - SHOWN} more" if len(places) > SHOWN else ""
    return f"{unit}{'s' if len(places) > 1 else ''} {', '.join(shown)}{more}"


def refuse(problems: Sequence[Problem], rows: int, where: str) -> None:
    """Refuse a file with rows that cannot be used; nothing happens if there are none.

    Args:
        problems: the rows that cannot be used.
        rows: how many rows there are, these included.
        where: the file or folder.

    Raises:
        InvalidInput: naming every kind of fault with its lines.
    """
    if problems:
        raise InvalidInput(
            f"{where}: {len(problems)} of {rows} rows cannot be used: {told(problems)}.",
            hint=_hint(problems),
        )


def _hint(problems: Sequence[Problem]) -> str:
    encoded = sum(p.what.startswith("not UTF-8") for p in problems)
    if encoded > 1:
        return (
            "The file may be Latin-1 or Windows-1252: convert it with `iconv -t UTF-8`. " + SKIPPING
        )
    return SKIPPING
