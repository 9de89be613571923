"""Periods as people write them, such as `last week` and `since 2026-01-01`; times are UTC."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated

from pydantic import Field

from tools.kernel.errors import InvalidInput

_MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_MONTH = r"(?P<month>" + "|".join(f"{m}|{m[:3]}" for m in _MONTHS) + r")"
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_NUMBERS = {
    word: n
    for n, word in enumerate(
        ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"), 1
    )
}
_COUNT = r"(?P<count>\d{1,4}|" + "|".join(_NUMBERS) + ")"
_DATE = r"(\d{4}-\d{1,2}-\d{1,2})"
_HINT = (
    "Say for example `last week`, `last 30 days`, `March 2026`, `since 2026-01-01` or "
    "`from 2026-01-01 to 2026-01-31`."
)


Period = Annotated[
    str | None,
    Field(
        description="Only those begun in this time (UTC), such as `today`, `last week` or `since "
        "2026-01-01`; all when left out.",
        max_length=100,
    ),
]
"""An argument that narrows a list to a stretch of time; `parse_period` reads it."""


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of time.

    Attributes:
        words: how the person said it.
        start: its beginning; None if it begins with the first record.
        end: its end (exclusive); None if it is still going on.
    """

    words: str
    start: datetime | None = None
    end: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """True if a moment lies within."""
        return (self.start is None or at >= self.start) and (self.end is None or at < self.end)

    @property
    def told(self) -> str:
        """The period in words, with its dates."""
        if self.start is None and self.end is None:
            return self.words
        first = f"`{self.start:%Y-%m-%d %H:%M}`" if self.start else "the first record"
        last = f"`{self.end:%Y-%m-%d %H:%M}`" if self.end else "now"
        return f"`{self.words}`, {first} to {last} UTC"


def parse_period(text: str | None, now: datetime) -> Span:
    """The stretch of time that a person means.

    Args:
        text: what they said; None and `everything` mean all time.
        now: the present moment.

    Raises:
        InvalidInput: if it is not understood, or ends before it begins.
    """
    words = re.sub(r"\s+", " ", (text or "").strip().casefold())
    words = re.sub(r"^(?:for|in|during|over|of|the) +(?:the +)?", "", words)
    if words in ("", "everything", "all", "all time", "ever", "so far", "everything so far"):
        return Span("everything so far")
    for pattern, reader in _FORMS:
        if match := re.fullmatch(pattern, words):
            start, end = reader(match, now)
            if start is not None and end is not None and end <= start:
                raise InvalidInput(f"The period {text!r} ends before it begins.", hint=_HINT)
            return Span(words, start, end)
    raise InvalidInput(f"The period {text!r} is not understood.", hint=_HINT)


_Bounds = tuple[datetime | None, datetime | None]
_Reader = Callable[[re.Match[str], datetime], _Bounds]


def _midnight(at: datetime) -> datetime:
    return at.replace(hour=0, minute=0, second=0, microsecond=0)


def _day(match: re.Match[str], now: datetime) -> _Bounds:
    today = _midnight(now)
    return (today, None) if match["day"] == "today" else (today - timedelta(days=1), today)


def _unit_start(unit: str, now: datetime) -> datetime:
    today = _midnight(now)
    if unit == "week":
        return today - timedelta(days=today.weekday())
    if unit == "month":
        return today.replace(day=1)
    if unit == "quarter":
        return today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1)
    return today.replace(month=1, day=1)


def _this(match: re.Match[str], now: datetime) -> _Bounds:
    return _unit_start(match["unit"], now), None


def _last(match: re.Match[str], now: datetime) -> _Bounds:
    end = _unit_start(match["unit"], now)
    return _unit_start(match["unit"], end - timedelta(days=1)), end


def _recent(match: re.Match[str], now: datetime) -> _Bounds:
    count = _NUMBERS.get(match["count"] or "one") or int(match["count"])
    unit = match["unit"]
    if unit in ("month", "quarter", "year"):
        return _months_before(now, count * {"month": 1, "quarter": 3, "year": 12}[unit]), None
    return now - count * timedelta(**{unit + "s": 1}), None


def _months_before(now: datetime, months: int) -> datetime:
    index = now.year * 12 + now.month - 1 - months
    if index < 12:
        raise InvalidInput("The period begins before the calendar.", hint=_HINT)
    year, month = index // 12, index % 12 + 1
    return now.replace(year=year, month=month, day=min(now.day, 28))


def _month(match: re.Match[str], now: datetime) -> _Bounds:
    month = next(n for n, name in enumerate(_MONTHS, 1) if name.startswith(match["month"][:3]))
    year = int(match["year"]) if match["year"] else now.year - (month > now.month)
    return _month_of(year, month)


def _iso_month(match: re.Match[str], now: datetime) -> _Bounds:
    return _month_of(int(match["year"]), int(match["number"]))


def _month_of(year: int, month: int) -> _Bounds:
    start = _make(year, month, 1)
    return start, (start + timedelta(days=32)).replace(day=1)


def _quarter(match: re.Match[str], now: datetime) -> _Bounds:
    number = int(match["number"])
    year = int(match["year"]) if match["year"] else now.year - (number > (now.month + 2) // 3)
    start = _make(year, number * 3 - 2, 1)
    return start, (start + timedelta(days=93)).replace(day=1)


def _year(match: re.Match[str], now: datetime) -> _Bounds:
    start = _make(int(match["year"]), 1, 1)
    return start, start.replace(year=start.year + 1)


def _since(match: re.Match[str], now: datetime) -> _Bounds:
    return _date(match[1]), None


def _since_month(match: re.Match[str], now: datetime) -> _Bounds:
    return _month(match, now)[0], None


def _since_day(match: re.Match[str], now: datetime) -> _Bounds:
    today = _midnight(now)
    if match["day"] == "yesterday":
        return today - timedelta(days=1), None
    return today - timedelta(days=(today.weekday() - _DAYS.index(match["day"])) % 7), None


def _between(match: re.Match[str], now: datetime) -> _Bounds:
    return _date(match[1]), _date(match[2]) + timedelta(days=1)


def _one_date(match: re.Match[str], now: datetime) -> _Bounds:
    return _date(match[1]), _date(match[1]) + timedelta(days=1)


def _date(text: str) -> datetime:
    year, month, day = (int(part) for part in text.split("-"))
    return _make(year, month, day)


def _make(year: int, month: int, day: int) -> datetime:
    try:
        return datetime(year, month, day, tzinfo=UTC)
    except ValueError as error:
        raise InvalidInput(f"{year}-{month}-{day} is not a date.", hint=_HINT) from error


_FORMS: tuple[tuple[str, _Reader], ...] = (
    (r"(?P<day>today|yesterday)", _day),
    (r"(?:this|current) (?P<unit>week|month|quarter|year)(?: so far)?", _this),
    (r"(?:last|previous) (?P<unit>week|month|quarter|year)", _last),
    (
        rf"(?:last|past|previous) (?:{_COUNT} )?(?P<unit>hour|day|week|month|quarter|year)s?",
        _recent,
    ),
    (rf"{_MONTH}(?: (?P<year>\d{{4}}))?", _month),
    (r"(?P<year>\d{4})-(?P<number>0?[1-9]|1[0-2])", _iso_month),
    (r"q(?P<number>[1-4])(?: (?P<year>\d{4}))?", _quarter),
    (r"(?P<year>(?:19|20)\d{2})", _year),
    (rf"since {_DATE}", _since),
    (rf"since {_MONTH}(?: (?P<year>\d{{4}}))?", _since_month),
    (rf"since (?P<day>yesterday|{'|'.join(_DAYS)})", _since_day),
    (rf"(?:from |between )?{_DATE} (?:to|until|and|-|–) {_DATE}", _between),
    (_DATE, _one_date),
)
