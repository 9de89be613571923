"""Which rows a training uses when it is to learn from those of a certain time alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from tools.datasets.dated import date_column, moment
from tools.kernel.errors import InvalidInput
from tools.kernel.periods import Span, parse_period
from tools.training.preparing import LEAST_ROWS

if TYPE_CHECKING:
    from tools.datasets.columns import Row
    from tools.datasets.repository import Dataset


@dataclass(frozen=True, slots=True)
class Chosen:
    """The rows of a period.

    Attributes:
        rows: them; the test split is left whole.
        told: what was chosen, in words.
        warning: what is to be known about it, or empty.
    """

    rows: list[Row]
    told: str
    warning: str = ""


def rows_of(rows: Sequence[Row], period: str, what: str, now: datetime) -> Chosen:
    """The rows of a period, to train and to validate on.

    Without a column of dates they cannot be told apart: all are used then, with a warning.

    Args:
        rows: of all splits.
        period: in words, such as `last week`; times without a zone are UTC.
        what: the dataset, for messages.
        now: the present moment.

    Raises:
        InvalidInput: if the period is not understood, or too little is from then.
    """
    span = parse_period(period, now)
    column = date_column(rows)
    if column is None:
        told = f"all rows, as {what} does not say when they are from"
        warning = (
            f"{what} has no column that says when a row is from, such as `created_at`: all its "
            f"rows are used, not only those of “{period}”."
        )
        return Chosen(list(rows), told, warning)
    dates = [moment(row.extra.get(column)) for row in rows]
    inside = [row for row, at in zip(rows, dates, strict=True) if at is not None and span.holds(at)]
    train = [row for row in inside if row.split == "train"]
    _check(train, rows, span, column, what, [at for at in dates if at is not None])
    validation = [row for row in inside if row.split == "validation"]
    told = f"{len(train)} training rows from {span.told.partition(', ')[2] or span.words}"
    doubts: list[str] = []
    if not validation:
        validation = [row for row in rows if row.split == "validation"]
        doubts.append("No validation row is from then; all of them are used.")
    if undated := sum(at is None for at in dates):
        doubts.append(f"{undated} rows have no date in `{column}` and are not used.")
    tested = [row for row in rows if row.split == "test"]
    return Chosen([*train, *validation, *tested], told.replace("`", ""), " ".join(doubts))


def narrowed(dataset: Dataset, rows: Sequence[Row]) -> Dataset:
    """A dataset with the counts of some of its rows, to estimate what these take."""
    splits = dict(Counter(row.split for row in rows))
    profile = dataset.profile.model_copy(update={"rows": len(rows), "splits": splits})
    return replace(dataset, profile=profile)


def _check(
    train: Sequence[Row],
    rows: Sequence[Row],
    span: Span,
    column: str,
    what: str,
    dates: Sequence[datetime],
) -> None:
    lasting = f"By `{column}`, {what} has rows from {min(dates):%Y-%m-%d} to {max(dates):%Y-%m-%d}."
    if len(train) < LEAST_ROWS:
        found = f"{len(train)} training rows of {what} are from {span.words}"
        raise InvalidInput(f"{found}; at least {LEAST_ROWS} are needed.", hint=lasting)
    if len({row.label for row in rows}) > 1 and len({row.label for row in train}) == 1:
        raise InvalidInput(
            f"All rows of {what} from {span.words} are of the class {train[0].label}.", hint=lasting
        )
