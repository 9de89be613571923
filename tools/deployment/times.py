"""Maintenance windows, and moments as people say them; all in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta

from tools.kernel.errors import InvalidInput

_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_AFTER = re.compile(r"^(?:in\s+)?(\d+)\s*(minute|hour|day|week)s?$")
_CLOCK = re.compile(r"^(?:(\w+?)(?:\s+at)?\s+)?(\d{1,2})(?::(\d\d))?$")


def opens_in(window: str | None, at: datetime) -> float:
    """Seconds until a daily window such as `22:00-06:00` is open; 0 while it is, or without one."""
    if window is None:
        return 0.0
    first, last = (_clock(part) for part in window.split("-"))
    moment = at.astimezone(UTC)
    clock = moment.time().replace(tzinfo=None)
    inside = first <= clock < last if first < last else clock >= first or clock < last
    if inside:
        return 0.0
    begin = datetime.combine(moment.date(), first, UTC)
    return (begin + timedelta(days=begin <= moment) - moment).total_seconds()


def moment_said(said: str, now: datetime) -> datetime:
    """A moment to come, as people say it.

    Args:
        said: an ISO date or time, `monday`, `tomorrow 9:00`, `18:30`, `3 days`.
        now: the present.

    Raises:
        InvalidInput: it cannot be read, or is over.
    """
    text = said.strip().lower().removeprefix("until ").removeprefix("next ")
    found = _iso(text) or _span(text, now) or _named(text, now)
    if found is None:
        raise InvalidInput(
            f"{said!r} is no moment that can be read.",
            hint="Say monday, tomorrow 9:00, 18:30, 3 days, or 2031-05-01.",
        )
    if found <= now:
        raise InvalidInput(f"{said!r} is over: {found:%Y-%m-%d %H:%M} UTC.")
    return found


def _clock(text: str) -> time:
    hour, _, minute = text.strip().partition(":")
    return time(int(hour), int(minute))


def _iso(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _span(text: str, now: datetime) -> datetime | None:
    if (match := _AFTER.match(text)) is None:
        return None
    return now + timedelta(**{f"{match[2]}s": int(match[1])})


def _named(text: str, now: datetime) -> datetime | None:
    if not text:
        return None
    day, clock = text, time(0)
    if match := _CLOCK.match(text):
        day, hour, minute = match[1] or "", int(match[2]), int(match[3] or 0)
        if hour > 23 or minute > 59:
            return None
        clock = time(hour, minute)
    return _on(day, clock, now.astimezone(UTC))


def _on(day: str, clock: time, now: datetime) -> datetime | None:
    today = datetime.combine(now.date(), clock, UTC)
    if day in ("", "today"):
        return today + timedelta(days=day == "" and today <= now)
    if day == "tomorrow":
        return today + timedelta(days=1)
    if day not in _DAYS:
        return None
    ahead = (_DAYS.index(day) - now.weekday()) % 7
    found = today + timedelta(days=ahead)
    return found if found > now else found + timedelta(days=7)
