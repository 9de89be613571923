"""The first and the last day of what comes again: `starting monday`, `until christmas`.

The days are shown with the plan before anything is kept: an end that is said with `until` counts as
the last day on which it may run, one with `before` does not.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta

from graphs.understanding.clock import HOURS
from graphs.understanding.days import day_at
from graphs.understanding.recurring import DAY, recurring

Span = tuple[int, int]
_BEGIN = re.compile(
    r"\b(?:(?P<free>starting|beginning|commencing|start|begin|not\s+before)|from|as\s+of)\s+"
    r"(?:on\s+|with\s+|from\s+)?"
)
_NOW = re.compile(r"(?:right\s+)?(?:now|today|tonight|immediately)\b")
_ON = re.compile(r"\s+(?:on|onwards?|forward)\b(?!\s+(?:the|a|[\w-]*\d))")
_END = re.compile(
    r"\b(?P<how>until|till|til|through|thru|up\s+to(?:\s+and\s+including)?|ending|before|to)\s+"
    r"(?:and\s+including\s+)?(?:on\s+)?"
)
_LENGTH = re.compile(
    r"\bfor\s+(?:the\s+)?(?:next\s+|coming\s+)?(?:(?P<count>an?|\d{1,3}|"
    + "|".join(HOURS)
    + r")\s+)?(?P<unit>hour|day|night|week|month)s?\b"
)
_DAILY = re.compile(r"(\d+) (\d+) ")
"""A cron that is due once on each of its days."""
_FREEZE = re.compile(r"\bfreeze\b")
_LEFT = re.compile(
    r"\b(?:until|till|starting|beginning|except|excluding|but\s+not\s+on|other\s+than\s+on)\b"
)
_FROM = re.compile(r"\b(?:from|between|since)\s+(?:the\s+)?")
_TO_DAY = re.compile(rf"{DAY}\s*(?:to|through|till|-|–)\s*{DAY}\b")
_UNKEPT = (
    "I keep a first and a last day of it and how long it goes on (`starting 1 march`, `until 24 "
    "december`, `for two weeks`), but no other beginning or end and no exception"
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a sentence says of when something that comes again begins and ends.

    Attributes:
        text: the sentence with the words for that made blank.
        spans: where those stand.
        start: the first moment; None for now.
        until: the last moment; None for no end.
        problem: why they cannot be kept, for a person.
    """

    text: str
    spans: tuple[Span, ...] = ()
    start: datetime | None = None
    until: datetime | None = None
    problem: str = ""


def bounds_in(text: str, now: datetime) -> Bounds:
    """The bounds in a sentence (in lower case) that wants something again and again."""
    found = _lasting(_ended(_begun(Bounds(text), now), now), now)
    left = (m.start() for m in _LEFT.finditer(found.text))
    unread = any(not _of_period(found.text, at, now) for at in left)
    if unread and not found.problem:
        return replace(found, problem=_UNKEPT)
    if found.until is not None and _FREEZE.search(text):
        return replace(found, problem="a freeze has an end of its own: say its day without a clock")
    if found.until is not None and found.until <= max(found.start or now, now):
        return replace(found, problem="that end has passed before it begins")
    return found


def _begun(bounds: Bounds, now: datetime) -> Bounds:
    for found in _BEGIN.finditer(bounds.text):
        if (started := _NOW.match(bounds.text, found.end())) and found["free"]:
            return _without(bounds, found.start(), started.end())
        read = day_at(bounds.text, found.end(), now.date())
        if read is None or _TO_DAY.match(bounds.text, found.end()):
            continue
        day, end = read
        onwards = _ON.match(bounds.text, end)
        if found["free"] or onwards or _beside(bounds.text, found.start(), end):
            kept = _without(bounds, found.start(), onwards.end() if onwards else end)
            return replace(kept, start=datetime.combine(day, time(0), now.tzinfo))
    return bounds


def _ended(bounds: Bounds, now: datetime) -> Bounds:
    for found in _END.finditer(bounds.text):
        read = day_at(bounds.text, found.end(), now.date())
        if read is None or _of_period(bounds.text, found.start(), now):
            continue
        if found["how"] in _VAGUE and not _beside(bounds.text, found.start(), read[1]):
            continue
        if _unsettled(bounds.text, found.end()):
            return replace(bounds, problem="say the last day of it, such as `until 24 december`")
        last = read[0] - timedelta(days=found["how"] == "before")
        kept = _without(bounds, found.start(), read[1])
        return replace(kept, until=datetime.combine(last, time(23, 59, 59), now.tzinfo))
    return bounds


def _lasting(bounds: Bounds, now: datetime) -> Bounds:
    """The end in `every night for two weeks`: beside the clock, elsewhere it is an amount."""
    for found in _LENGTH.finditer(bounds.text):
        if not _beside(bounds.text, found.start(), found.end()):
            continue
        if bounds.until is not None:
            return replace(bounds, problem="you say its end twice")
        said = found["count"] or "one"
        count = HOURS.get(said) or (1 if said in {"a", "an"} else int(said))
        kept = _without(bounds, found.start(), found.end())
        end = _after(bounds.start or now, count, found["unit"])
        return replace(kept, until=_whole_day(end, kept.text))
    return bounds


def _whole_day(end: datetime, text: str) -> datetime:
    """The end of the last day on which it is due, for what is due once a day."""
    again = recurring(text)
    daily = _DAILY.match(again.cron) if again is not None and again.cron else None
    if daily is None:
        return end
    due = time(int(daily[2]), int(daily[1])) <= end.time()
    return datetime.combine(end.date() - timedelta(days=not due), time(23, 59, 59), end.tzinfo)


def _after(begin: datetime, count: int, unit: str) -> datetime:
    """The moment before which something is due that goes on for so long from `begin` on."""
    if unit == "month":
        months = begin.month - 1 + count
        year, month = begin.year + months // 12, months % 12 + 1
        end = begin.replace(year=year, month=month, day=min(begin.day, monthrange(year, month)[1]))
    else:
        kind = {"hour": "hours", "week": "weeks"}.get(unit, "days")
        end = begin + timedelta(**{kind: count})
    return end - timedelta(seconds=1)


_VAGUE = frozenset(["to", "before", "through", "thru"])
"""Words for an end that stand in sentences for much else."""


def _unsettled(text: str, place: int) -> bool:
    """True for `until next week`, which may mean its first day as well as its last."""
    return re.compile(r"next\s+(?:week|month|year)\b").match(text, place) is not None


def _beside(text: str, start: int, end: int) -> bool:
    """True where nothing stands between some words and those for a clock: `daily from monday`."""
    blank = text[:start] + " " * (end - start) + text[end:]
    again = recurring(blank)
    if again is None:
        return False
    between = blank[again.end : start] if again.end <= start else blank[end : again.start]
    return again.start < start < again.end or not between.strip(" ,")


def _of_period(text: str, place: int, now: datetime) -> bool:
    """True for the second day of a period: `the costs from 1 may until 1 june`."""
    for found in _FROM.finditer(text[:place]):
        read = day_at(text, found.end(), now.date())
        if read is not None and not text[read[1] : place].strip():
            return True
    return False


def _without(bounds: Bounds, start: int, end: int) -> Bounds:
    text = bounds.text[:start] + " " * (end - start) + bounds.text[end:]
    return replace(bounds, text=text, spans=(*bounds.spans, (start, end)))
