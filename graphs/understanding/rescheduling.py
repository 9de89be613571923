"""`make it 3 instead`, `not monday, friday`: another time or day for what is to come again."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from graphs.plan import Plan, Step
from graphs.understanding.clock import clock_at
from graphs.understanding.later import at_time, nearer
from graphs.understanding.text import Token
from tools.schedules.timing import Timing

_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_OTHER = re.compile(
    r"^(?:(?:no|actually|sorry|wait|rather|better|make it|make that|change it to|change that to"
    rf"|i mean|i meant|hm|please|at|on|not (?:{'|'.join(_DAYS)})|not at \d+) )*"
    r"(?:(?P<clock>\d{1,2}(?: : \d\d)?(?: ?[ap]m)?|(?:half|quarter|ten|twenty|five) (?:past|to) \w+"
    r"|noon|midnight|\w+ o'clock)|"
    rf"(?P<day>{'|'.join(_DAYS)})s?)"
    r"(?: (?:instead|please|then|rather|better|though|o'clock|same time|at the same time"
    r"|(?:suits?|works?|fits?|is|are|would be|would suit|would work)(?: (?:us|me|them))?"
    r"(?: (?:better|best|fine|nicer))?))*$"
)


def rescheduled(tokens: Sequence[Token], waits: Plan | None) -> list[Step] | None:
    """The steps of a plan that waits, at another time of day or on another day of the week.

    Args:
        tokens: the correction.
        waits: the plan that waits for its yes.

    Returns:
        None if the words say neither, or the plan does not come again on a clock.
    """
    timing = waits.steps[0].schedule if waits is not None and waits.steps else None
    cron = (timing.every or "").split() if timing is not None else []
    said = " ".join(t.low for t in tokens if t.kind != "punctuation" or t.low == ":")
    found = _OTHER.match(said)
    if waits is not None and timing is not None and timing.at and found and found["clock"]:
        return at_time(waits.steps, _at_clock(timing, found["clock"]))
    if waits is None or timing is None or found is None or len(cron) != 5:
        return None
    if found["day"]:
        if not cron[4].isdigit():
            return None
        cron[4] = str(_DAYS.index(found["day"]))
    else:
        clock = clock_at(f"at {found['clock'].replace(' : ', ':')}", 0)
        if clock is None or not cron[1].isdigit():
            return None
        at = nearer(clock, int(cron[1]))
        cron[:2] = [str(at.minute), str(at.hour)]
    what = found["day"] or f"at {found['clock'].replace(' : ', ':')}"
    moved = {"every": " ".join(cron), "said": f"{timing.said}, but {what}"}
    return at_time(waits.steps, timing.model_copy(update=moved))


def _at_clock(timing: Timing, said: str) -> Timing:
    """The same day at another time: `23:30 is better`, after `tonight at 11`."""
    at = datetime.fromisoformat(timing.at or "")
    clock = clock_at(f"at {said.replace(' : ', ':')}", 0)
    if clock is None:
        return timing
    meant = nearer(clock, at.hour)
    moved = at.replace(hour=meant.hour, minute=meant.minute)
    return timing.model_copy(
        update={"at": moved.isoformat(), "said": f"{timing.said}, but at {said}"}
    )
