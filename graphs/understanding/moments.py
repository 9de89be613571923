"""Single moments: `tomorrow morning`, `in two hours`, `next friday`, `at 2`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta

from graphs.understanding.clock import HOURS, NO_CLOCK, PARTS, clock_at, clocks_in, later
from graphs.understanding.recurring import DAY, DAYS, in_part

_PART = r"(?:morning|afternoon|evening|night|noon|midday|lunchtime)"
_COUNT = (
    r"(?:\d{1,4}|half\s+an?|an?|a\s+couple\s+of|"
    + "|".join(HOURS)
    + r"|fifteen|twenty|thirty|forty-?five|sixty|ninety)"
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = (
    r"(?P<month>jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?"
    r"|sep(?:t(?:ember)?)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?)"
)
_DATE_DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
_NOT_BEFORE = (
    r"(?<!since )(?<!last )(?<!from )(?<!until )(?<!till )(?<!before )(?<!by )(?<!of )"
    r"(?<!between )(?<!this past )(?<!previous )"
)


@dataclass(frozen=True, slots=True)
class Moment:
    """Words for one moment.

    Attributes:
        start: where they begin.
        end: where they end.
        at: the moment on the wall clock of the zone of `now`; None if it cannot be kept.
        problem: why not, for a person.
        apart: where its time of day stands, if that ends the sentence and its day does not.
    """

    start: int
    end: int
    at: datetime | None
    problem: str = ""
    apart: tuple[int, int] | None = None


def moment_in(text: str, now: datetime) -> Moment | None:
    """The first words in a text (in lower case) for a moment after `now`."""
    for pattern, reader in _READERS:
        for found in pattern.finditer(text):
            read = reader(text, found, now)
            if read is not None:
                return read
    return _bare_clock(text, now)


def deadline_in(text: str) -> str | None:
    """`until tomorrow`, `before friday`: the words of a limit in time, which cannot be kept."""
    found = _DEADLINE.search(text)
    return found.group() if found else None


def _tomorrow(text: str, found: re.Match[str], now: datetime) -> Moment:
    days = 2 if found["after"] else 1
    return _on(text, found, now, now.date() + timedelta(days=days), found["part"])


def _today(text: str, found: re.Match[str], now: datetime) -> Moment:
    said = found["today"]
    if said == "later today":
        return _on(text, found, now, now.date(), "evening")
    part = "tonight" if said in ("tonight", "this night") else said.rpartition(" ")[2]
    read = _on(text, found, now, now.date(), part)
    if part == "tonight":  # after midnight, tonight is tomorrow
        small = _on(text, found, now, now.date() + timedelta(days=1), part)
        read = small if small.at is not None and small.at.hour < 6 else read
    return read


def _in(text: str, found: re.Match[str], now: datetime) -> Moment | None:
    said = found["n"]
    minutes = 30.0 if said.startswith("half") else 0.0
    count = 0 if minutes else _number(said)
    unit = found["unit"]
    if minutes and not unit.startswith("h"):
        return None
    step = timedelta(minutes=minutes)
    if unit.startswith("m") and unit.startswith("min"):
        step += timedelta(minutes=count)
    elif unit.startswith("h"):
        step += timedelta(hours=count)
    elif unit.startswith("month"):
        step += timedelta(days=30 * count)
    else:
        step += timedelta(days=count * (7 if unit.startswith("w") else 1))
    if found["half"]:
        step += timedelta(minutes=30)
    if unit.startswith(("day", "week", "month")):
        return _on(text, found, now, (now + step).date(), None, now.time())
    return Moment(found.start(), found.end(), (now + step).replace(microsecond=0))


def _weekday(text: str, found: re.Match[str], now: datetime) -> Moment | None:
    wanted = DAYS.index(found["weekday"][:3])
    ahead = (wanted - (now.weekday() + 1)) % 7
    lead = (found["lead"] or "").strip()
    clock = clock_at(text, found.end())
    if not lead and clock is None and not found["part"]:
        return None
    if lead.endswith("next") and ahead == 0:
        ahead = 7
    read = _on(text, found, now, now.date() + timedelta(days=ahead), found["part"])
    if read.at is not None and read.at <= now:
        read = Moment(read.start, read.end, read.at + timedelta(days=7))
    return read


def _next_period(text: str, found: re.Match[str], now: datetime) -> Moment:
    if found["period"] == "month":
        first = (now.date().replace(day=28) + timedelta(days=5)).replace(day=1)
        return _on(text, found, now, first, None)
    if found["period"] == "week":
        return _on(text, found, now, now.date() + timedelta(days=7 - now.weekday()), None)
    ahead = (5 - now.weekday()) % 7 or 7
    return _on(text, found, now, now.date() + timedelta(days=ahead), None)


def _dated(text: str, found: re.Match[str], now: datetime) -> Moment | None:
    groups = found.groupdict()
    if _PERIOD.search(text[: found.start()]):
        return None
    if groups.get("iso"):
        said = date.fromisoformat(groups["iso"])
    else:
        month = _MONTHS.index(groups["month"][:3]) + 1 if groups.get("month") else now.month
        try:
            said = date(now.year, month, int(groups["day"]))
        except ValueError:
            return None
        if said < now.date():
            year, next_month = now.year + (month == 12), month % 12 + 1
            said = said.replace(year=now.year + 1) if groups.get("month") else said.replace(
                year=year, month=next_month
            )  # fmt: skip
    clock = re.compile(r"t(?=\d)").match(text, found.end())
    place = clock.end() if clock else found.end()
    return _on(text, found, now, said, None, place=place)


_PERIOD = re.compile(
    r"\b(?:from|between|since|covering)\s+(?:the\s+)?[\w.-]+(?:\s+[\w.-]+){0,3}\s*"
    r"(?:to|until|till|through|thru|and|up\s+to|-|–)\s+(?:the\s+)?$"
)
"""Before the second date of a period: `from 2026-01-01 to`."""


def _end_of_day(text: str, found: re.Match[str], now: datetime) -> Moment:
    evening = datetime.combine(now.date(), time(18), now.tzinfo)
    return _kept(found.start(), found.end(), evening, now)


def _bare_clock(text: str, now: datetime) -> Moment | None:
    """`at 2`: the next two o'clock; only where the time begins or ends the sentence."""
    for clock in clocks_in(text):
        before, after = text[: clock.start].strip(" ,"), text[clock.end :].strip(" ,.!?")
        sharp = re.match(r"(?:sharp|exactly|today|please|pls)\b", after)
        joined = re.match(r"(?:and|then|,)", text[clock.end :].lstrip())
        if before and after and not sharp and not joined:
            continue
        times = [clock.at, later(clock.at)] if clock.open else [clock.at]
        days = [now.date() + timedelta(days=d) for d in (0, 1)]
        options = [datetime.combine(d, t, now.tzinfo) for d in days for t in times]
        end = clock.end
        if sharp and sharp.group() in ("today", "sharp", "exactly"):
            end = text.index(sharp.group(), clock.end) + len(sharp.group())
        return Moment(clock.start, end, min(o for o in options if o > now))
    return None


def _on(
    text: str,
    found: re.Match[str],
    now: datetime,
    day: date,
    part: str | None,
    default: time | None = None,
    place: int | None = None,
) -> Moment:
    """A day with its time: said after it, said before it, by its part, or the morning."""
    end = found.end() if place is None else place
    named = re.compile(rf"\s+(?:in\s+the\s+|at\s+)?({_PART})\b").match(text, end)
    if named and part is None:
        part, end = named[1], named.end()
    start, apart = found.start(), None
    clock = clock_at(text, end, bare=place is not None and place != found.end())
    if clock is not None:
        end, at = clock.end, in_part(clock, part)
    else:
        if odd := NO_CLOCK.match(text, end):
            return Moment(start, odd.end(), None, f"{odd[1]} is no time of day")
        at = default or PARTS.get(part or "day", time(8))
        for other in clocks_in(text):
            if not text[other.end : start].strip(" ,") and other.end <= start:
                start, at = other.start, in_part(other, part)
            elif other.start >= end and not text[other.end :].strip(" ,.!?"):
                at, apart = in_part(other, part), (other.start, other.end)
    whole = datetime.combine(day, at.replace(second=0, microsecond=0), now.tzinfo)
    return replace(_kept(start, end, whole, now), apart=apart)


def _kept(start: int, end: int, at: datetime, now: datetime) -> Moment:
    if at <= now:
        return Moment(start, end, None, f"{at:%H:%M} on {at:%d %b} has passed already")
    return Moment(start, end, at)


def _number(said: str) -> int:
    said = " ".join(said.split())
    more = {
        "a": 1, "an": 1, "a couple of": 2, "fifteen": 15, "twenty": 20, "thirty": 30,
        "forty-five": 45, "fortyfive": 45, "sixty": 60, "ninety": 90,
    }  # fmt: skip
    return int(said) if said.isdigit() else HOURS.get(said) or more.get(said, 0)


_UNIT = r"(?P<unit>minutes?|mins?|hours?|hrs?|h|days?|weeks?|months?)"
_READERS: list[tuple[re.Pattern[str], Callable[[str, re.Match[str], datetime], Moment | None]]] = [
    (
        re.compile(
            rf"{_NOT_BEFORE}\b(?:(?P<after>(?:on\s+)?the\s+day\s+after\s+)|on\s+)?tomorrow\b"
            rf"(?:\s+(?P<part>{_PART})\b)?"
        ),
        _tomorrow,
    ),
    (
        re.compile(
            rf"{_NOT_BEFORE}\b(?P<today>tonight|this\s+(?:evening|afternoon|night)|later\s+today)\b"
        ),
        _today,
    ),
    (
        re.compile(
            rf"\bin\s+(?:about\s+|exactly\s+)?(?P<n>{_COUNT})\s?{_UNIT}\b(?P<half>\s+and\s+a\s+half)?"
            r"(?:'s\s+time|\s+time)?"
        ),
        _in,
    ),
    (
        re.compile(rf"\b(?P<n>{_COUNT})\s?{_UNIT}\b(?P<half>\s+and\s+a\s+half)?\s+from\s+now\b"),
        _in,
    ),
    (
        re.compile(
            rf"{_NOT_BEFORE}(?P<lead>\b(?:on|on\s+next|next|this|coming|this\s+coming|on\s+the\s+coming)\s+)?"
            rf"\b(?P<weekday>{DAY})\b(?:\s+(?P<part>{_PART})\b)?"
        ),
        _weekday,
    ),
    (
        re.compile(
            r"\b(?:sometime\s+)?(?:(?:next)\s+(?P<period>week|month)|(?:on|at|over|during|this)\s+(?:the\s+|the\s+coming\s+)?(?:coming\s+)?(?P<weekend>weekend))\b"
        ),
        lambda text, m, now: _next_period(text, m, now),
    ),
    (re.compile(rf"{_NOT_BEFORE}\b(?:on\s+)?(?P<iso>20\d\d-\d\d-\d\d)(?=\b|t\d)"), _dated),
    (
        re.compile(rf"{_NOT_BEFORE}\bon\s+(?:the\s+)?{_DATE_DAY}(?:\s+of)?\s+{_MONTH}\b"),
        _dated,
    ),
    (re.compile(rf"{_NOT_BEFORE}\bon\s+{_MONTH}\s+(?:the\s+)?{_DATE_DAY}\b"), _dated),
    (re.compile(rf"{_NOT_BEFORE}\bon\s+the\s+(?P<day>\d{{1,2}})(?:st|nd|rd|th)\b"), _dated),
    (re.compile(r"\b(?:at\s+(?:the\s+)?end\s+of\s+(?:the\s+)?day|at\s+eod)\b"), _end_of_day),
]
_DEADLINE = re.compile(
    rf"\b(?:until|till|before|no\s+later\s+than|by)\s+(?:the\s+)?(?:tomorrow|tonight|next\s+(?:week|month|{DAY})|noon|midnight"
    rf"|{DAY}\b|\d{{1,2}}(?::\d\d)?\s?(?:am|pm|o'clock)|\d{{1,2}}:\d\d|end\s+of\s+(?:the\s+)?(?:day|week|month)|the\s+weekend)"
)
