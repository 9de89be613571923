"""When a plan is due: a clock, a moment, or the end of a job.

A clock is a cron expression of five fields read on the wall of one time zone. In the night when the
clock goes forward, a time that does not exist is due at the hour's end; in the night when it goes
back, a time that comes twice is due once, the first time. Hours and minutes that recur within the
day (`0 * * * *`) go on through both nights.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from itertools import takewhile
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_serializer,
    model_validator,
)
from pydantic import SerializerFunctionWrapHandler as Handler

Outcome = Literal["end", "success", "failure"]
_FIELD = re.compile(r"^[\d*,/\-a-z]+$", re.I)


class LaterJob(BaseModel):
    """A job that a plan which is not carried out yet will start, as a result of its step."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: str
    field: str


class Timing(BaseModel):
    """When, if not now. Exactly one of `every`, `at` and `after_job` is given.

    Attributes:
        every: cron: minute, hour, day of month, month, day of week.
        weeks: beside `every` and `start`: due only every so many weeks, counted from the week
            (Monday to Sunday) of the start.
        start: beside `every`, the moment before which nothing is due, ISO 8601 with its offset.
        until: beside `every`, the moment after which nothing is due any more, likewise.
        at: a moment, ISO 8601 with its offset.
        after_job: a job's number; in plans that are only parsed also the job of a step.
        on: which end of the job counts: any, only success, only failure.
        zone: the IANA name of the time zone whose wall clock counts.
        said: the words that were said for it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    every: str | None = Field(
        default=None, description="Cron: minute, hour, day of month, month, day of week."
    )
    weeks: Annotated[int, Field(ge=2, le=52)] | None = Field(
        default=None,
        description="With `every` and `start`: only every so many weeks, from that of the start.",
    )
    start: str | None = Field(
        default=None, description="With `every`: nothing is due before. ISO 8601 with its offset."
    )
    until: str | None = Field(
        default=None, description="With `every`: nothing is due after. ISO 8601 with its offset."
    )
    at: str | None = Field(default=None, description="A moment, ISO 8601 with its offset.")
    after_job: Annotated[int, Field(ge=1)] | LaterJob | None = Field(
        default=None, description="A job's number: when it has ended."
    )
    on: Outcome | None = Field(
        default=None, description="Which end of the job counts; any when left out."
    )
    zone: str | None = Field(
        default=None, description="IANA time zone; this machine's when left out."
    )
    said: str = Field(default="", max_length=200, description="The words that were said for it.")

    @field_validator("every")
    @classmethod
    def _is_cron(cls, value: str | None) -> str | None:
        if value is None:
            return None
        from croniter import croniter

        parts = value.split()
        if len(parts) != 5 or not all(_FIELD.match(p) for p in parts):
            raise ValueError("a cron expression has five fields, such as `0 2 * * *`")
        if not croniter.is_valid(" ".join(parts)):
            raise ValueError(f"{value!r} is no cron expression")
        return " ".join(parts)

    @field_validator("at", "start", "until")
    @classmethod
    def _is_moment(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if datetime.fromisoformat(value).tzinfo is None:
            raise ValueError("a moment carries its offset, such as 2026-11-26T08:00:00+01:00")
        return value

    @field_validator("zone")
    @classmethod
    def _is_zone(cls, value: str | None) -> str | None:
        if value is not None:
            zone_of(value)
        return value

    @model_validator(mode="after")
    def _is_one(self) -> Timing:
        if sum(x is not None for x in (self.every, self.at, self.after_job)) != 1:
            raise ValueError("give exactly one of every, at and after_job")
        if self.on is not None and self.after_job is None:
            raise ValueError("`on` goes with after_job")
        if (self.start or self.until) and self.every is None:
            raise ValueError("`start` and `until` go with every")
        if self.weeks is not None and self.start is None:
            raise ValueError("`weeks` goes with every, and is counted from a start")
        if self.start and self.until and _read(self.start) > _read(self.until):
            raise ValueError("it ends before it starts")
        return self

    @model_serializer(mode="wrap")
    def _short(self, handler: Handler) -> dict[str, Any]:
        return {name: value for name, value in handler(self).items() if value is not None}


def zone_of(name: str | None) -> ZoneInfo:
    """A time zone by name; this machine's when it is None.

    Raises:
        ValueError: if there is no zone of that name.
    """
    try:
        return ZoneInfo(name or local_zone())
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f"there is no time zone {name!r}") from error


def local_zone() -> str:
    """The IANA name of this machine's time zone: `TZ`, else the system's, else UTC."""
    named = os.environ.get("TZ", "").lstrip(":")
    candidates = [named] if named else []
    linked = os.path.realpath("/etc/localtime")
    if "zoneinfo/" in linked:
        candidates.append(linked.rpartition("zoneinfo/")[2])
    written = Path("/etc/timezone")
    if written.is_file():
        candidates.append(written.read_text(encoding="utf-8").strip())
    for name in candidates:
        try:
            key = ZoneInfo(name).key
            return "UTC" if key in ("Etc/UTC", "Etc/UCT", "Zulu") else key
        except (ZoneInfoNotFoundError, ValueError, OSError):
            continue
    return "UTC"


def upcoming(timing: Timing, after: datetime) -> Iterator[datetime]:
    """The moments later than `after` at which it is due, in its zone; none for a job's end."""
    zone = zone_of(timing.zone)
    if timing.at is not None:
        at = datetime.fromisoformat(timing.at)
        if at > after:
            yield at.astimezone(zone)
    elif timing.every is not None:
        start = _read(timing.start) - _A_MOMENT if timing.start else after
        until = _read(timing.until) if timing.until else None
        ticks = _ticks(timing.every, max(after, start).astimezone(zone))
        if timing.weeks is not None and timing.start is not None:
            ticks = _in_weeks(ticks, timing.weeks, _read(timing.start).astimezone(zone))
        yield from ticks if until is None else takewhile(lambda tick: tick <= until, ticks)


_A_MOMENT = timedelta(seconds=1)
"""By so much before a start ticks are looked for, which are always later than what is given."""


def _read(moment: str) -> datetime:
    return datetime.fromisoformat(moment)


def _ticks(cron: str, after: datetime) -> Iterator[datetime]:
    from croniter import croniter

    ticks = croniter(cron, after)
    fixed = not cron.split()[1].startswith("*")
    while True:
        tick = ticks.get_next(datetime)
        if fixed and tick.fold and tick.utcoffset() != tick.replace(fold=0).utcoffset():
            continue  # the same wall clock was due an hour ago
        yield tick


def _in_weeks(ticks: Iterator[datetime], weeks: int, start: datetime) -> Iterator[datetime]:
    """Of some ticks those in every so many weeks, counted on the calendar from a start's week."""
    first = _monday(start)
    return (tick for tick in ticks if (_monday(tick) - first).days // _WEEK % weeks == 0)


_WEEK = 7


def _monday(at: datetime) -> date:
    return at.date() - timedelta(days=at.weekday())


def next_due(timing: Timing, after: datetime) -> datetime | None:
    """The first moment later than `after`, in UTC; None if there is none on a clock."""
    found = next(upcoming(timing, after), None)
    return found.astimezone(UTC) if found else None


_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_NTH = {2: "second", 3: "third", 4: "fourth", 5: "fifth", 6: "sixth"}
_ENDS = {"end": "has ended", "success": "has succeeded", "failure": "has failed"}


def in_words(timing: Timing) -> str:
    """When, as a person reads it: `every night at 02:00 (Europe/Berlin)`."""
    if timing.after_job is not None:
        job = f"job {timing.after_job}" if isinstance(timing.after_job, int) else "the job"
        return f"when {job} {_ENDS[timing.on or 'end']}"
    zone = zone_of(timing.zone)
    if timing.at is not None:
        at = datetime.fromisoformat(timing.at).astimezone(zone)
        return f"once, on {moment(at)} ({zone.key})"
    clock = _clock(timing.every or "")
    clock = (
        f"in every {_NTH.get(timing.weeks, f'{timing.weeks}th')} week, {clock}"
        if timing.weeks
        else clock
    )
    return f"{clock} ({zone.key}){_bounds(timing, zone)}"


def _bounds(timing: Timing, zone: ZoneInfo) -> str:
    start = _read(timing.start).astimezone(zone) if timing.start else None
    until = _read(timing.until).astimezone(zone) if timing.until else None
    first = f", from {moment(start) if start.time() != _FIRST else day(start)} on" if start else ""
    if until is None:
        return first
    whole = until.time() == _LAST
    return first + (f", up to and including {day(until)}" if whole else f", until {moment(until)}")


_FIRST, _LAST = time(0), time(23, 59, 59)
"""The first and the last second of a day that counts as a whole."""


def day(at: datetime) -> str:
    """`Thu 26 Nov 2026`."""
    return f"{at:%a %d %b %Y}"


def moment(at: datetime) -> str:
    """`Thu 26 Nov 2026 02:00`, on the wall clock of its own zone."""
    return f"{at:%a %d %b %Y %H:%M}"


def _clock(cron: str) -> str:
    minute, hour, day, month, weekday = cron.split()
    if month != "*" or (day != "*" and weekday != "*"):
        return f"on the clock {cron}"
    if not minute.isdigit() or not re.fullmatch(r"[\d,]+", hour):
        return _within_the_day(minute, hour, day, weekday, cron)
    times = " and ".join(f"{int(h):02}:{int(minute):02}" for h in hour.split(","))
    if day != "*":
        on = "the last day" if day == "l" else f"day {day.replace(',', ' and ')}"
        return f"every month on {on} at {times}"
    return f"{_days(weekday)} at {times}"


def _within_the_day(minute: str, hour: str, day: str, weekday: str, cron: str) -> str:
    if day != "*" or weekday != "*":
        return f"on the clock {cron}"
    if minute.isdigit() and hour == "*":
        return f"every hour at minute {int(minute)}"
    if minute.isdigit() and re.fullmatch(r"\*/\d+", hour):
        return f"every {hour[2:]} hours from midnight on"
    if hour == "*" and (minute == "*" or re.fullmatch(r"\*/\d+", minute)):
        return f"every {minute[2:]} minutes" if "/" in minute else "every minute"
    return f"on the clock {cron}"


def _days(weekday: str) -> str:
    if weekday == "*":
        return "every day"
    if weekday == "1-5":
        return "from Monday to Friday"
    if not re.fullmatch(r"[0-7](,[0-7])*", weekday):
        return f"on the days {weekday}"
    named = [_DAYS[int(number)] for number in weekday.split(",")]
    return "every " + (f"{', '.join(named[:-1])} and {named[-1]}" if len(named) > 1 else named[0])
