"""Figures, and text in which every number is one.

A template names figures in braces: `{jobs:job} ended` becomes `3 jobs [1] ended`, where footnote 1
names the jobs. Nothing else puts a number into a report; names that hold digits (`ticket-router
v3`) and dates stand in backquotes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tools.reporting.types import Figure

MOST_SOURCES = 5


class Sheet:
    """The figures of one report by id, numbered in the order in which the text uses them."""

    def __init__(self) -> None:
        self._figures: dict[str, Figure] = {}
        self._used: list[str] = []

    def add(
        self,
        id: str,
        label: str,
        value: float,
        unit: str,
        source: Iterable[str],
        query: str,
        shown: str | None = None,
    ) -> None:
        """Add a figure; `shown` is how the text writes it, the plain number if not given."""
        self._figures[id] = Figure(
            id=id,
            label=label,
            value=value,
            shown=shown if shown is not None else _plain(value),
            unit=unit,
            source=list(dict.fromkeys(source)),
            query=query,
        )

    def count(self, id: str, label: str, source: Sequence[str], query: str) -> None:
        """Add the number of records in `source`."""
        self.add(id, label, len(source), "", source or ["no such record"], query)

    def value(self, id: str) -> float:
        """A figure's value; 0 if there is none of that id."""
        return self._figures[id].value if id in self._figures else 0.0

    def has(self, *ids: str) -> bool:
        """True if these figures exist and none is 0."""
        return all(self.value(id) for id in ids)

    def text(self, template: str, marks: bool = True) -> str:
        """A template with its figures filled in, each with its footnote if `marks`."""
        return template.format_map({id: _Cited(self, id, marks) for id in self._figures})

    def cite(self, id: str) -> str:
        """The footnote mark of a figure; the figure counts as used from now on."""
        if id not in self._used:
            self._used.append(id)
        return f"[{self._used.index(id) + 1}]"

    def figure(self, id: str) -> Figure:
        """One figure."""
        return self._figures[id]

    @property
    def used(self) -> list[Figure]:
        """The figures that the text uses; figure n is footnote n."""
        return [self._figures[id] for id in self._used]

    def clear(self) -> None:
        """Forget which figures were used: the text was thrown away."""
        self._used.clear()

    def footnotes(self) -> list[str]:
        """One line for each figure used: what it is, and the records it comes from."""
        return [f"[{n}] {f.label}: {_sources(f.source)}." for n, f in enumerate(self.used, 1)]


class _Cited:
    """A figure inside a template; the format's part after the colon is its noun."""

    def __init__(self, sheet: Sheet, id: str, marks: bool) -> None:
        self._sheet = sheet
        self._id = id
        self._marks = marks

    def __format__(self, noun: str) -> str:
        figure = self._sheet.figure(self._id)
        mark = f" {self._sheet.cite(self._id)}" if self._marks else ""
        if not noun:
            return f"{figure.shown}{mark}"
        return f"{figure.shown} {noun if figure.value == 1 else plural(noun)}{mark}"


def plural(noun: str) -> str:
    """A regular English noun's plural."""
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + ("es" if noun.endswith(("s", "x", "ch")) else "s")


def literal(text: str) -> str:
    """Text that stands in a template as it is."""
    return text.replace("{", "{{").replace("}", "}}")


def percent(share: float) -> str:
    """A share of 1 as a percentage with one decimal."""
    return f"{100 * share:.1f} %"


def money(amount: float, currency: str) -> str:
    """An amount with two decimals, four where it is under a cent."""
    return f"{amount:,.4f} {currency}" if 0 < abs(amount) < 0.01 else f"{amount:,.2f} {currency}"


def _plain(value: float) -> str:
    return f"{int(value):,}" if float(value).is_integer() else f"{value:,.2f}"


def _sources(source: Sequence[str]) -> str:
    told = ", ".join(source[:MOST_SOURCES])
    more = len(source) - MOST_SOURCES
    return f"{told} and {more} more" if more > 0 else told
