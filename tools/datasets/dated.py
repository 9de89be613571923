"""When rows are from, by a column of dates that datasets often have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tools.kernel.errors import InvalidInput
from tools.kernel.periods import parse_period

if TYPE_CHECKING:
    from tools.datasets.columns import Row

DATES = (
    *("created_at", "created", "date", "datetime", "timestamp", "time", "opened_at", "opened"),
    *("received_at", "received", "sent_at", "sent", "reported_at", "reported", "submitted_at"),
    *("submitted", "posted_at", "posted", "written_at", "updated_at", "updated", "day"),
)
"""Columns that say when a row is from, the likeliest first."""
_MOST_SECONDS = 10**11
"""Greater numbers are milliseconds since 1970: as seconds they lie in the year 5138."""


def rows_from(rows: Sequence[Row], period: str, what: str, now: datetime) -> list[Row]:
    """The rows of a period.

    Args:
        rows: among these.
        period: in words, such as `last week`; times without a zone are UTC.
        what: what they are, for messages: `test rows of tickets@2`.
        now: the present moment.

    Raises:
        InvalidInput: if the period is not understood, the rows do not say when they are from, or
            none is from then.
    """
    span = parse_period(period, now)
    column = date_column(rows)
    if column is None:
        raise InvalidInput(
            f"The {what} have no column that says when a row is from, such as `created_at`.",
            hint=f"Leave “{period}” out to take all of them.",
        )
    dates = [moment(row.extra.get(column)) for row in rows]
    found = [row for row, at in zip(rows, dates, strict=True) if at is not None and span.holds(at)]
    if not found:
        known = [at for at in dates if at is not None]
        raise InvalidInput(
            f"None of the {len(rows)} {what} is from {span.words}.",
            hint=f"By `{column}` they are from {min(known):%Y-%m-%d} to {max(known):%Y-%m-%d}.",
        )
    return found


def date_column(rows: Sequence[Row]) -> str | None:
    """The likeliest column with dates in most rows."""
    found = Counter(name for row in rows for name in row.extra)
    known = {name.casefold().strip(): name for name in found}
    for name in DATES:
        column = known.get(name)
        if column is None:
            continue
        dated = sum(moment(row.extra.get(column)) is not None for row in rows)
        if dated * 2 >= len(rows):
            return column
    return None


def moment(value: Any) -> datetime | None:
    """A date as ISO 8601 writes it, or seconds or milliseconds since 1970; else None."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        if isinstance(value, int | float):
            seconds = value / 1000 if value > _MOST_SECONDS else value
            return datetime.fromtimestamp(seconds, UTC)
        at = datetime.fromisoformat(str(value).strip())
    except (ValueError, OverflowError, OSError):
        return None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)
