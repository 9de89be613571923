"""Single days in words: `1 march`, `next friday`, `the 15th`, `christmas`."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable
from datetime import date, timedelta

from graphs.understanding.recurring import DAY, DAYS

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)\b\.?"
)
_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_YEAR = r"(?:\s*,?\s*(?P<year>20\d\d)\b)?"
_FEASTS = {
    "christmas eve": (12, 24), "christmas day": (12, 25), "christmas": (12, 25), "xmas": (12, 25),
    "boxing day": (12, 26), "new year's eve": (12, 31), "new years eve": (12, 31),
    "new year's day": (1, 1), "new year": (1, 1),
}  # fmt: skip


def day_at(text: str, place: int, today: date) -> tuple[date, int] | None:
    """The day whose words begin at a place of a text in lower case, and where they end.

    A day without its year is the next of that name, today included.
    """
    for pattern, reader in _READERS:
        if (found := pattern.match(text, place)) and (day := reader(found, today)):
            return day, found.end()
    return None


def later_by(day: date, months: int) -> date:
    """The same day some months later; the last of a month that has no such day."""
    year, month = divmod(day.month - 1 + months, 12)
    last = calendar.monthrange(day.year + year, month + 1)[1]
    return date(day.year + year, month + 1, min(day.day, last))


def _near(found: re.Match[str], today: date) -> date:
    return today + timedelta(days={"tod": 0, "ton": 0, "tom": 1, "the": 2}[found["near"][:3]])


def _weekday(found: re.Match[str], today: date) -> date:
    ahead = (DAYS.index(found["weekday"][:3]) - 1 - today.weekday()) % 7
    return today + timedelta(days=7 if not ahead and found["next"] else ahead)


def _next(found: re.Match[str], today: date) -> date:
    if found["unit"] == "week":
        return today + timedelta(days=7 - today.weekday())
    return date(today.year + 1, 1, 1) if found["unit"] == "year" else _next_month(today)


def _end(found: re.Match[str], today: date) -> date:
    further, unit = found["which"] == "next", found["unit"]
    if unit == "week":
        return today + timedelta(days=6 - today.weekday() + 7 * further)
    if unit == "year":
        return date(today.year + further, 12, 31)
    return _next_month(_next_month(today) if further else today) - timedelta(days=1)


def _month_end(found: re.Match[str], today: date) -> date:
    last = later_by(date(int(found["year"] or today.year), _month(found), 1), 1)
    if last <= today and not found["year"]:
        last = last.replace(year=last.year + 1)
    return last - timedelta(days=1)


def _month(found: re.Match[str]) -> int:
    return MONTHS.index(found["month"][:3]) + 1


def _next_month(today: date) -> date:
    return later_by(today.replace(day=1), 1)


def _dated(found: re.Match[str], today: date) -> date | None:
    said = found.groupdict()
    month = _month(found) if said.get("month") else None
    return _coming(month, int(said.get("day") or 1), said.get("year"), today)


def _coming(month: int | None, day: int, year: str | None, today: date) -> date | None:
    try:
        if month is None:
            kept = today.replace(day=day)
            return kept if kept >= today else later_by(kept, 1)
        kept = date(int(year) if year else today.year, month, day)
        return kept if year or kept >= today else kept.replace(year=today.year + 1)
    except ValueError:
        return None


def _feast(found: re.Match[str], today: date) -> date | None:
    month, day = _FEASTS[found["feast"].replace("’", "'")]
    return _coming(month, day, None, today)


_READERS: list[tuple[re.Pattern[str], Callable[[re.Match[str], date], date | None]]] = [
    (re.compile(r"(?P<near>today|tonight|tomorrow|the\s+day\s+after\s+tomorrow)\b"), _near),
    (re.compile(rf"(?:this\s+|coming\s+)?(?P<next>next\s+)?(?P<weekday>{DAY})\b"), _weekday),
    (re.compile(r"next\s+(?P<unit>week|month|year)\b"), _next),
    (
        re.compile(
            r"(?:the\s+)?end\s+of\s+(?:the\s+)?(?P<which>this|next)?\s*(?P<unit>week|month|year)\b"
        ),
        _end,
    ),
    (re.compile(rf"(?:the\s+)?end\s+of\s+{_MONTH}{_YEAR}"), _month_end),
    (
        re.compile(r"(?P<iso>20\d\d-\d\d-\d\d)\b"),
        lambda found, _: date.fromisoformat(found["iso"]) if _is_date(found["iso"]) else None,
    ),
    (re.compile(rf"(?:the\s+)?{_DAY}(?:\s+of)?\s+{_MONTH}{_YEAR}"), _dated),
    (re.compile(rf"{_MONTH}\s+(?:the\s+)?{_DAY}\b(?!\s*:){_YEAR}"), _dated),
    (re.compile(r"the\s+(?P<day>\d{1,2})(?:st|nd|rd|th)\b"), _dated),
    (re.compile(rf"(?P<feast>{'|'.join(_FEASTS)})\b"), _feast),
]


def _is_date(said: str) -> bool:
    try:
        date.fromisoformat(said)
    except ValueError:
        return False
    return True
