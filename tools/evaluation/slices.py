"""Where a model is weak: its accuracy by class, length and every other column, worst first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tools.evaluation.report_types import SliceScore

if TYPE_CHECKING:
    from tools.evaluation.predictions import Predicted

MOST_VALUES = 50
"""A column with more values than this is no way to slice."""
_LENGTHS = ((5, "1-5 words"), (10, "6-10 words"), (20, "11-20 words"), (50, "21-50 words"))
_LONGEST = "over 50 words"


def slice_scores(
    rows: Sequence[Predicted], column: str | None = None, min_rows: int = 20
) -> list[SliceScore]:
    """Accuracy of every slice with enough rows, worst first.

    The interval is Wilson's (1927). A slice counts as worse than the rest if Fisher's exact test
    (1935), one-sided and corrected for the number of slices (Holm), says so at 5 %. It holds for
    few rows, and where all other rows are right.

    Args:
        rows: what was predicted.
        column: `label`, `length`, or another column of the rows; all of them when None.
        min_rows: slices with fewer rows are left out.
    """
    from tools.evaluation.resampling import holm

    groups = {
        (name, value): members
        for name, by_value in _grouped(rows, column).items()
        for value, members in by_value.items()
        if min_rows <= len(members)
    }
    right = sum(r.right for r in rows)
    tested = [_worse(members, right, len(rows)) for members in groups.values()]
    found = [
        _score(name, value, members, corrected < 0.05)
        for ((name, value), members), corrected in zip(groups.items(), holm(tested), strict=True)
    ]
    return sorted(found, key=lambda s: (s.accuracy, -s.rows, s.column, s.value))


def slice_columns(rows: Sequence[Predicted]) -> list[str]:
    """What rows can be sliced by: label, length, and columns with few values."""
    values = _values(rows)
    return ["label", "length", *sorted(n for n, v in values.items() if 1 < len(v) <= MOST_VALUES)]


def why_not(rows: Sequence[Predicted], column: str) -> str:
    """Why rows cannot be sliced by a column, as a sentence."""
    values = _values(rows).get(column, set())
    if len(values) == 1:
        return f"The column {column!r} has one value in all {len(rows)} rows: {min(values)!r}."
    if values:
        return f"The column {column!r} has {len(values)} values, more than {MOST_VALUES}."
    if any(column in row.extra for row in rows):
        return f"The column {column!r} holds no texts, whole numbers or truth values."
    return f"The rows have no column {column!r}."


def _values(rows: Sequence[Predicted]) -> Mapping[str, set[str]]:
    values: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        for name, value in row.extra.items():
            if isinstance(value, str | int | bool):
                values[name].add(str(value))
    return values


def _grouped(
    rows: Sequence[Predicted], column: str | None
) -> Mapping[str, Mapping[str, list[Predicted]]]:
    chosen = slice_columns(rows) if column is None else [column]
    groups: dict[str, dict[str, list[Predicted]]] = {name: defaultdict(list) for name in chosen}
    for row in rows:
        for name in chosen:
            value = _value(row, name)
            if value is not None:
                groups[name][value].append(row)
    return groups


def _value(row: Predicted, column: str) -> str | None:
    if column == "label":
        return row.label
    if column == "length":
        words = len(row.text.split())
        return next((name for most, name in _LENGTHS if words <= most), _LONGEST)
    value: Any = row.extra.get(column)
    return None if value is None else str(value)


def _worse(members: Sequence[Predicted], right: int, rows: int) -> float:
    """Fisher's p-value: of all ways to spread the errors, those that hit the slice as hard."""
    from scipy.stats import hypergeom

    here = sum(r.right for r in members)
    return float(hypergeom.cdf(here, rows, right, len(members)))


def _score(column: str, value: str, members: Sequence[Predicted], worse: bool) -> SliceScore:
    from scipy.stats import binomtest

    right = sum(r.right for r in members)
    ends = binomtest(right, len(members)).proportion_ci(method="wilson")
    return SliceScore(
        column=column,
        value=value,
        rows=len(members),
        accuracy=right / len(members),
        low=float(ends.low),
        high=float(ends.high),
        worse=worse,
    )
