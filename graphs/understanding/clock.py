"""Times of day in words: `at two`, `half past seven`, `9:30 pm`, `noon`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import time

HOURS = {
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8,
    "nine": 9, "ten": 10, "eleven": 11, "twelve": 12,
}  # fmt: skip
PARTS = {
    "night": time(2), "nights": time(2), "morning": time(8), "mornings": time(8),
    "noon": time(12), "midday": time(12), "lunch": time(13), "lunchtime": time(13),
    "afternoon": time(15), "afternoons": time(15), "evening": time(19), "evenings": time(19),
    "tonight": time(22), "midnight": time(0), "day": time(8),
}  # fmt: skip
"""The time of day that is taken where none is said; the plan shows it before anything is kept."""

_WORDS = "|".join(HOURS)
_NOT_A_TIME = (
    r"(?!\s?(?:%|percent|per\s?cent|epochs?|euros?|dollars?|eur|usd|devices?|phones?|laptops?"
    r"|minutes?|mins?|hours?\b|days?|weeks?|months?|points?|trials?|gb|mb|st\b|nd\b|rd\b|th\b)|\d|[.,:]\d)"
)
_CLOCK = re.compile(
    rf"""
    (?P<named>noon|midday|midnight|lunch(?:time)?)\b
  | (?:(?P<shift>half\s+past|quarter\s+past|quarter\s+to)\s+)?
    (?P<hour>\d{{1,2}}|{_WORDS})
    (?:[:.](?P<minute>[0-5]\d)|\s?h(?P<hm>[0-5]\d)|\s(?P<spoken>thirty|fifteen|forty-?five))?
    (?:\s?(?P<half>a\.?m\b\.?|p\.?m\b\.?)|\s?(?P<oclock>o'?\s?clock)|\s?(?P<unit>h(?:rs)?\b))?
    (?:\s+in\s+the\s+(?P<part>morning|afternoon|evening)|\s+at\s+(?P<night>night))?
    (?<!\w\.)(?:\b|(?<=\.)){_NOT_A_TIME}
    """,
    re.X,
)
_BEFORE = re.compile(
    r"(?:\bat|(?<!\w)@|\baround|\babout|\bfrom|\bafter)\s*(?:about\s+|around\s+|exactly\s+)?"
)
NO_CLOCK = re.compile(
    r"\s*,?\s*(?:at|(?<!\w)@)\s*((?:2[4-9]|[3-9]\d)(?:[:.]\d\d)?|\d{1,2}[:.][6-9]\d)(?!\s?(?:%|percent|per\b))\b"
)
"""Words after a day that look like a time of day and are none: `at 25:00`."""
_SPOKEN = {"thirty": 30, "fifteen": 15, "forty-five": 45, "fortyfive": 45}


@dataclass(frozen=True, slots=True)
class Clock:
    """A time of day as it was said.

    Attributes:
        at: the time.
        start: where its words begin, the preposition included.
        end: where they end.
        open: True if morning or evening may be meant: `at 2`.
    """

    at: time
    start: int
    end: int
    open: bool = False


def clock_at(text: str, place: int, *, bare: bool = False) -> Clock | None:
    """The time of day whose words begin at a place, after spaces and a comma.

    Args:
        text: in lower case.
        place: where to look.
        bare: True if a plain number is taken for one without a preposition before it.
    """
    gap = re.compile(r"\s*,?\s*").match(text, place)
    start = gap.end() if gap else place
    before = _BEFORE.match(text, start)
    found = _CLOCK.match(text, before.end() if before else start)
    if found is None:
        return None
    clock = _read(found, start)
    plain = not (found["minute"] or found["half"] or found["named"] or found["oclock"])
    if clock is None or (plain and before is None and not bare and not found["unit"]):
        return None
    return clock


def clocks_in(text: str) -> list[Clock]:
    """Every time of day that is said with a preposition: `at two`."""
    found: list[Clock] = []
    for before in _BEFORE.finditer(text):
        if before.group().strip() in ("about", "from"):
            continue
        match = _CLOCK.match(text, before.end())
        clock = _read(match, before.start()) if match else None
        after = before.group().strip() == "after"
        if clock is not None and not (after and clock.open):  # `after 7` may be a job
            found.append(clock)
    return found


def _read(found: re.Match[str], start: int) -> Clock | None:
    if found["named"]:
        return Clock(PARTS[found["named"]], start, found.end())
    said = found["hour"]
    hour = HOURS.get(said) or int(said)
    minute = int(found["minute"] or found["hm"] or _SPOKEN.get(found["spoken"] or "", 0))
    if found["shift"]:
        hour, minute = _shifted(hour, found["shift"])
    part = found["part"] or found["night"] or ""
    late = (found["half"] or "").startswith("p") or part in ("afternoon", "evening")
    late = late or (part == "night" and hour >= 6)
    early = (found["half"] or "").startswith("a") or part == "morning"
    if late and hour < 12:
        hour += 12
    if (early and hour == 12) or (part == "night" and hour == 12):
        hour = 0
    if hour == 24 and minute == 0:
        hour = 0
    if hour > 23:
        return None
    settled = late or early or part or found["minute"] or found["unit"] or found["hm"]
    return Clock(time(hour, minute), start, found.end(), not settled and 1 <= hour <= 12)


def _shifted(hour: int, shift: str) -> tuple[int, int]:
    if shift.startswith("half"):
        return hour, 30
    return (hour, 15) if shift.endswith("past") else ((hour - 1) % 24, 45)


def later(at: time) -> time:
    """The same time in the other half of the day."""
    return at.replace(hour=(at.hour + 12) % 24)
