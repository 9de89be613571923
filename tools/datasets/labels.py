"""What is unusual about the labels of a dataset, told with the lines where it is so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from tools.datasets.columns import Row, class_counts, labels_of, labels_separator
from tools.datasets.problems import Problem, listed
from tools.datasets.reading import Table

_NO_VALUES = frozenset({"null", "n/a", "#n/a", "na", "nan", "none", "nil", "-", "--", "?"})
_FORMS = {
    "none": ("no label", "none of the labels is taught there"),
    "bare": ("a label in no list", "it is taken as the only one"),
    "repeated": ("a label twice", "it counts once"),
    "empty": ("an empty label beside others", "it is left out"),
    "number": ("a number or a truth value as the label", "it is kept as text"),
}


def form_warnings(table: Table, column: str, problems: Sequence[Problem]) -> list[str]:
    """Labels that are kept otherwise than they are written, and rows that have none.

    Args:
        table: the rows as the files have them.
        column: the label column.
        problems: the rows that were left out; nothing is said of them.
    """
    left_out = {(problem.file, problem.place) for problem in problems}
    separator = labels_separator(table.records, column)
    places: dict[str, list[str]] = {}
    for record in table.records:
        if (record.file, record.place) not in left_out:
            for form in _forms(record.values.get(column), separator):
                places.setdefault(form, []).append(record.place)
    return [_told(form, places[form]) for form in _FORMS if form in places]


def _told(form: str, places: Sequence[str]) -> str:
    what, done = _FORMS[form]
    have = "row has" if len(places) == 1 else "rows have"
    return f"{len(places)} {have} {what} ({listed(places)}): {done}."


def _forms(value: Any, separator: str | None) -> list[str]:
    if isinstance(value, int | float):
        return ["number"]
    if separator is None:
        return []
    if isinstance(value, str) and separator == "list":
        return ["bare"]
    labels = labels_of(value, separator)
    if not labels:
        return ["none"]
    repeated = ["repeated"] if len(set(labels)) < len(labels) else []
    empty = ["empty"] if isinstance(value, list) and len(labels) < len(value) else []
    return [*repeated, *empty]


def _places(rows: Sequence[Row], wanted: set[str]) -> dict[str, list[str]]:
    """Where each of some labels occurs."""
    places: dict[str, list[str]] = {}
    for row in rows if wanted else ():
        for label in sorted(wanted.intersection([row.label] if row.labels is None else row.labels)):
            places.setdefault(label, []).append(row.place)
    return places


def label_warnings(rows: Sequence[Row]) -> list[str]:
    """What is unusual about the classes: one only, very small, very uneven, spelt in two ways."""
    counts = class_counts(rows)
    warnings: list[str] = []
    if len(counts) < 2:
        warnings.append(f"There is one class only ({rows[0].label}); nothing can be learnt.")
    if not counts:
        return warnings
    small = [label for label, count in counts.items() if count < 5]
    if small:
        shown = ", ".join(sorted(small)[:5])
        have = "class has" if len(small) == 1 else "classes have"
        warnings.append(f"{len(small)} {have} fewer than 5 rows ({shown}).")
    if len(counts) > max(10, len(rows) / 2):
        warnings.append(
            f"There are {len(counts)} classes in {len(rows)} rows: the label may be an amount, an "
            "id or a free text, of which no classifier can be trained."
        )
    most, least = max(counts.values()), min(counts.values())
    if most > 10 * least:
        warnings.append(f"The classes are uneven: from {least} to {most} rows.")
    return [*warnings, *_missing(rows, counts), *_spellings(rows, counts)]


def _missing(rows: Sequence[Row], counts: Counter[str]) -> list[str]:
    """Labels that often stand for no value; in a text file they are words like others."""
    places = _places(rows, {label for label in counts if label.casefold() in _NO_VALUES})
    if not places:
        return []
    shown = ", ".join(f"{label} ({listed(at)})" for label, at in places.items())
    count = sum(len(at) for at in places.values())
    have = "row has a label" if count == 1 else "rows have labels"
    return [
        f"{count} {have} that may stand for a missing value: {shown}. Each counts as a class; "
        "label these rows or take them out unless that is meant."
    ]


def _spellings(rows: Sequence[Row], counts: Counter[str]) -> list[str]:
    """Classes that differ in case or in how words are joined, the rarer ones with their places."""
    folded: dict[str, list[str]] = {}
    for label in sorted(counts, key=lambda name: (-counts[name], name)):
        key = " ".join(label.casefold().replace("-", " ").replace("_", " ").split())
        folded.setdefault(key, []).append(label)
    rarer = {label for spellings in folded.values() for label in spellings[1:]}
    places = _places(rows, rarer)
    return [
        f"Perhaps one class in several spellings: {common}, "
        + ", ".join(f"{name} ({listed(places[name])})" for name in others)
        + "."
        for common, *others in folded.values()
        if others
    ]
