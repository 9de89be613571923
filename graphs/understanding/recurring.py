"""Times that come again: `every night at two`, `on weekdays at 7:30`, `hourly`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import time

from graphs.understanding.clock import HOURS, NO_CLOCK, PARTS, Clock, clock_at, later

DAY = (
    r"(?:mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:r(?:s(?:day)?)?)?|fri(?:day)?"
    r"|sat(?:urday)?|sun(?:day)?)"
)
DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_PART = r"(?:morning|afternoon|evening|night|noon|midnight|lunchtime)s?"
_NUMBER = r"(?:\d{1,3}|an?|" + "|".join(HOURS) + r"|fifteen|twenty|thirty|sixty)"
_ORDINALS = {
    "first": 1, "second": 2, "third": 3, "fourth": 4, "fifth": 5, "tenth": 10, "fifteenth": 15,
}  # fmt: skip
_DATE = r"(?:first|second|third|fourth|fifth|tenth|fifteenth|last|\d{1,2}(?:st|nd|rd|th)?)"
_MONTH = rf"(?:\s*,?\s*on\s+(?:the\s+|day\s+)?(?P<date>{_DATE})(?:\s+day)?\b)?"
_OTHER = (
    r"(?!\s+(?:report|digest|summary|limit|cost|costs|spending|overview|numbers|figures|budget"
    r"|active|usage|average|total))"
)


@dataclass(frozen=True, slots=True)
class Recurring:
    """Words for times that come again.

    Attributes:
        start: where they begin.
        end: where they end.
        cron: the five fields; None if no clock can say it.
        problem: why not, for a person.
        adjective: True for `nightly` and the like before a noun.
        apart: where the time of day stands that belongs to it: `a nightly training … at 3`.
        weeks: in how many weeks it comes once: 2 for `every other monday`.
    """

    start: int
    end: int
    cron: str | None
    problem: str = ""
    adjective: bool = False
    apart: tuple[int, int] | None = None
    weeks: int = 1


def recurring(text: str) -> Recurring | None:
    """The first words in a text (in lower case) for times that come again."""
    for pattern, reader in _READERS:
        if found := pattern.search(text):
            return _with_end(text, reader(text, found))
    return None


def _with_end(text: str, found: Recurring) -> Recurring:
    """A time of day that is none makes the whole one that cannot be kept."""
    if odd := NO_CLOCK.match(text, found.end):
        return Recurring(found.start, odd.end(), None, f"{odd[1]} is no time of day")
    return found


def _other(text: str, found: re.Match[str]) -> Recurring:
    problem = "a clock comes round every day, week or month, not every other one"
    return Recurring(found.start(), found.end(), None, problem)


def _alternate(text: str, found: re.Match[str]) -> Recurring:
    """`every other monday at 7`, `every two weeks on friday`, `fortnightly`: once in some weeks."""
    weeks = int(found["n"]) if (found["n"] or "").isdigit() else _count(found["n"] or "two")
    if not 1 < weeks <= _YEAR:
        problem = f"{found.group()} does not come round evenly in the weeks of a year"
        return Recurring(found.start(), found.end(), None, problem)
    days = found if found["days"] else _ON_DAY.match(text, found.end())
    if days is not None:
        read = _on_days(text, days)
        start = min(read.start, found.start())
        return Recurring(start, read.end, read.cron, weeks=weeks)
    start, end, at = _timed(text, found, None, time(8))
    return Recurring(start, end, f"{at.minute} {at.hour} * * 1", weeks=weeks)


_YEAR = 52


def _on_days(text: str, found: re.Match[str]) -> Recurring:
    said = re.findall(DAY, found["days"])
    numbers = sorted({DAYS.index(day[:3]) for day in said})
    start, end, at = _timed(text, found, found.groupdict().get("part"), time(8))
    return Recurring(start, end, f"{at.minute} {at.hour} * * {','.join(map(str, numbers))}")


def _weekdays(text: str, found: re.Match[str]) -> Recurring:
    start, end, at = _timed(text, found, found.groupdict().get("part"), time(8))
    return Recurring(start, end, f"{at.minute} {at.hour} * * 1-5")


def _weekend(text: str, found: re.Match[str]) -> Recurring:
    start, end, at = _timed(text, found, None, time(8))
    days = "0,6" if found.group().rstrip().endswith("weekends") else "6"
    return Recurring(start, end, f"{at.minute} {at.hour} * * {days}")


def _month(text: str, found: re.Match[str]) -> Recurring:
    said = found["date"] or "first"
    day = "l" if said == "last" else _ORDINALS.get(said) or int(re.sub(r"\D", "", said))
    if isinstance(day, int) and not 1 <= day <= 31:
        return Recurring(found.start(), found.end(), None, f"no month has a day {day}")
    start, end, at = _timed(text, found, None, time(8))
    return Recurring(start, end, f"{at.minute} {at.hour} {day} * *")


def _interval(text: str, found: re.Match[str]) -> Recurring:
    said, unit = (found["n"] or "1").strip(), found["unit"]
    number = _count(said)
    if unit.startswith("min") and number and 60 % number == 0:
        cron = "0 * * * *" if number == 60 else f"*/{number} * * * *"
        return Recurring(found.start(), found.end(), "* * * * *" if number == 1 else cron)
    if unit.startswith("h") and number and 24 % number == 0:
        cron = {1: "0 * * * *", 24: "0 0 * * *"}.get(number, f"0 */{number} * * *")
        return Recurring(found.start(), found.end(), cron)
    if number == 1:
        return _unit(text, found, unit)
    problem = f"every {said} {unit} does not come round evenly on the clock"
    return Recurring(found.start(), found.end(), None, problem)


def _unit(text: str, found: re.Match[str], unit: str) -> Recurring:
    if unit.startswith(("quarter", "year")):
        start, end, at = _timed(text, found, None, time(8))
        months = "1" if unit.startswith("year") else "1,4,7,10"
        return Recurring(start, end, f"{at.minute} {at.hour} 1 {months} *")
    if unit.startswith("month"):
        start, end, at = _timed(text, found, None, time(8))
        return Recurring(start, end, f"{at.minute} {at.hour} 1 * *")
    if unit.startswith("week"):
        start, end, at = _timed(text, found, None, time(8))
        return Recurring(start, end, f"{at.minute} {at.hour} * * 1")
    start, end, at = _timed(text, found, unit.removesuffix("s"), time(8))
    return Recurring(start, end, f"{at.minute} {at.hour} * * *")


def _part(text: str, found: re.Match[str]) -> Recurring:
    start, end, at = _timed(text, found, found["part"], time(8))
    return Recurring(start, end, f"{at.minute} {at.hour} * * *")


def _times(text: str, found: re.Match[str]) -> Recurring:
    often = {"once": 1, "twice": 2, "thrice": 3}.get(found["often"]) or _count(
        found["often"].removesuffix("times").strip()
    )
    unit = found["unit"]
    if often == 1:
        return _unit(text, found, unit) if unit != "hour" else _hourly(found)
    if unit == "day" and often and 24 % often == 0:
        hours = ",".join(str(h) for h in range(0, 24, 24 // often))
        return Recurring(found.start(), found.end(), f"0 {hours} * * *")
    problem = f"{found.group()} does not come round evenly on the clock"
    return Recurring(found.start(), found.end(), None, problem)


def _hourly(found: re.Match[str]) -> Recurring:
    return Recurring(found.start(), found.end(), "0 * * * *")


_UNITS = {
    "nightly": "night", "daily": "day", "weekly": "week", "monthly": "month",
    "quarterly": "quarter", "yearly": "year", "annually": "year",
}  # fmt: skip


def _adverb(text: str, found: re.Match[str]) -> Recurring:
    word = found["adverb"]
    following = re.compile(r"\s+(?!at\b|@|on\b|and\b|then\b|please\b|around\b|from\b|in\b)[a-z]")
    adjective = following.match(text, found.end()) is not None
    if word == "hourly":
        read = _hourly(found)
    elif word == "monthly":
        whole = _MONTHLY.match(text, found.start())
        read = _month(text, whole) if whole else _hourly(found)
    elif word == "weekly" and (days := _ON_DAY.match(text, found.end())):
        read = _on_days(text, days)
        read = Recurring(found.start(), read.end, read.cron)
    else:
        read = _unit(text, found, _UNITS[word])
    read = Recurring(read.start, read.end, read.cron, read.problem, adjective)
    at_its_own_hour = adjective and word != "hourly" and read.end == found.end()
    return _with_last_clock(text, read, _UNITS.get(word)) if at_its_own_hour else read


def _with_last_clock(text: str, read: Recurring, part: str | None) -> Recurring:
    """`a nightly training … at 3`: the time of day stands at the end."""
    last = _last_clock(text)
    if last is None or read.cron is None:
        return read
    at = in_part(last, part)
    cron = " ".join([str(at.minute), str(at.hour), *read.cron.split()[2:]])
    return replace(read, cron=cron, apart=(last.start, last.end))


def _timed(
    text: str, found: re.Match[str], part: str | None, default: time
) -> tuple[int, int, time]:
    """Where the words with their time of day begin and end, and the time."""
    start, end, at = found.start(), found.end(), PARTS.get(part or "", default)
    named = re.compile(rf"\s+(?:in\s+the\s+|at\s+)?({_PART})\b").match(text, end)
    if named and part is None:
        part, end, at = named[1].removesuffix("s"), named.end(), PARTS[named[1]]
    clock = clock_at(text, end)
    if clock is None:
        clock = _clock_before(text, start)
        return (clock.start, end, in_part(clock, part)) if clock else (start, end, at)
    return start, clock.end, in_part(clock, part)


def _clock_before(text: str, start: int) -> Clock | None:
    """`at two every night`: the time stands before."""
    for match in re.finditer(r"(?:\bat|(?<!\w)@)\s*", text[:start]):
        clock = clock_at(text, match.start())
        if clock is not None and not text[clock.end : start].strip(" ,"):
            return clock
    return None


_PLEASE = re.compile(r"[\s.,!]*(?:please|thanks|thank you)?[\s.!?]*")


def _last_clock(text: str) -> Clock | None:
    """The time of day with which a text ends: `… at 3`."""
    for match in re.finditer(r"(?:\bat|(?<!\w)@)\s*", text):
        clock = clock_at(text, match.start())
        if clock is not None and _PLEASE.fullmatch(text, clock.end):
            return clock
    return None


def in_part(clock: Clock, part: str | None) -> time:
    """A time of day as it is meant in the evening, or at night."""
    if not clock.open:
        return clock.at
    if part == "tonight" and clock.at.hour < 6:
        return clock.at
    if part in ("evening", "afternoon", "tonight"):
        return later(clock.at) if clock.at.hour < 12 else clock.at
    if part == "night" and clock.at.hour >= 7:
        return later(clock.at)
    return clock.at


def _count(said: str) -> int:
    if said.isdigit():
        return int(said)
    more = {"a": 1, "an": 1, "fifteen": 15, "twenty": 20, "thirty": 30, "sixty": 60}
    return HOURS.get(said) or more.get(said, 0)


_MONTHLY = re.compile(rf"(?:(?:every|each)\s+month|monthly){_MONTH}")
_ON_DAY = re.compile(rf"\s+on\s+(?P<days>{DAY})s?\b(?:\s+(?P<part>{_PART}))?")
_EACH = r"\b(?:every|each)\s+(?:single\s+)?"
_OF_MONTH = r"(?!\s+(?:of|in)\s+(?:the|every|each|a)\s+month)"
_READERS: list[tuple[re.Pattern[str], Callable[[str, re.Match[str]], Recurring]]] = [
    (
        re.compile(
            rf"(?:\b(?:on\s+)?{_EACH}(?:other|second|2nd)\s+(?:(?P<days>{DAY}s?\b"
            rf"(?:\s*(?:,|and|&)\s*(?:every\s+other\s+)?{DAY}s?\b)*)|week\b)"
            rf"|{_EACH}(?P<n>{_NUMBER}|\d+)\s+weeks\b(?!\s+(?:of|long)\b)|\bfortnightly\b"
            rf"|{_EACH}fortnight\b){_OF_MONTH}(?:\s+(?P<part>{_PART})\b)?"
        ),
        _alternate,
    ),
    (
        re.compile(
            rf"{_EACH}(?:other|second|third|2nd|3rd)\s+(?:night|day|week|month|hour|morning|{DAY})s?\b"
            rf"|{_EACH}(?:first|last)\s+{DAY}\b(?:\s+of\s+(?:the|every|each)\s+month)?|\bfortnightly\b|\bbiweekly\b"
        ),
        _other,
    ),
    (
        re.compile(
            rf"{_EACH}(?:weekday|working\s+day|work\s?day|business\s+day)s?\b(?:\s+(?P<part>{_PART}))?"
            r"|\b(?:on\s+)?(?:weekdays|working\s+days|work\s?days|business\s+days)\b"
            r"|\b(?:from\s+)?mon(?:day)?s?\s?(?:to|through|till|-|–)\s?fri(?:day)?s?\b"
        ),
        _weekdays,
    ),
    (re.compile(rf"{_EACH}weekends?\b|\b(?:on|at)\s+(?:the\s+)?weekends\b"), _weekend),
    (
        re.compile(
            rf"\b(?:on\s+)?{_EACH}(?P<days>{DAY}s?\b(?:\s*(?:,|and|&|or)\s*(?:every\s+)?{DAY}s?\b)*)"
            rf"(?:\s+(?P<part>{_PART})\b)?"
        ),
        _on_days,
    ),
    (
        re.compile(
            rf"\b(?:on\s+)?(?P<days>{DAY}s\b(?:\s*(?:,|and|&)\s*{DAY}s\b)*)(?:\s+(?P<part>{_PART})\b)?"
        ),
        _on_days,
    ),
    (
        re.compile(
            rf"\b(?:on\s+)?(?:the\s+)?(?P<date>{_DATE})(?:\s+day)?\s+of\s+(?:every|each|the|a)\s+month\b"
        ),
        _month,
    ),
    (_MONTHLY, _month),
    (
        re.compile(rf"{_EACH}(?P<n>half\s+(?:an\s+)?|quarter\s+(?:of\s+an\s+)?)(?P<unit>hour)\b"),
        lambda text, m: Recurring(
            m.start(), m.end(), "*/30 * * * *" if m["n"].startswith("half") else "*/15 * * * *"
        ),
    ),
    (
        re.compile(
            rf"{_EACH}(?P<n>{_NUMBER}\s+|\d+\s?)?(?P<unit>minutes?|mins?|hours?|hrs?|h|days?|nights?|weeks?|quarters?|years?)\b"
        ),
        _interval,
    ),
    (re.compile(rf"{_EACH}(?P<part>{_PART})\b"), _part),
    (
        re.compile(
            rf"\b(?P<often>once|twice|thrice|(?:{_NUMBER})\s+times)\s+(?:an?|per|every|each)\s+"
            r"(?P<unit>hour|day|night|week|month)\b"
        ),
        _times,
    ),
    (
        re.compile(
            rf"\b(?:on\s+a\s+)?(?P<adverb>nightly|daily|hourly|weekly|monthly|quarterly|yearly|annually)"
            rf"(?!\s+(?:rates?|costs?|wages?|pay|fees?|price|salary)\b)(?:\s+basis)?\b{_OTHER}"
        ),
        _adverb,
    ),
    # A daily report is of a day, and one with a time of day is wanted every day.
    (
        re.compile(
            r"\b(?P<adverb>nightly|daily|weekly|monthly)"
            r"(?=\s+(?:report|digest|summary|overview)\b.*(?:\bat|(?<!\w)@)\s*"
            rf"(?:\d|noon|midnight|(?:{'|'.join(HOURS)})\b))"
        ),
        _adverb,
    ),
]
