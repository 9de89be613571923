"""When a sentence wants things done, if not now: every night, tomorrow, when job 7 has finished."""

from __future__ import annotations

import re

_REMIND = re.compile(r"\b(?:remind|notify|wake|ping)\s+(?:me|us|the team)\b", re.I)
_CLOCK = re.compile(
    r"\b(?:at|by|from|until|before|after|around)\s+"
    r"(?:\d{1,2}(?::\d\d)?\s?(?:am|pm|h|o'clock)\b|\d{1,2}:\d\d|noon|midnight)",
    re.I,
)
_FINISH = re.compile(
    r"\b(?:when|once|after|as soon as)\s+(?:the\s+)?"
    r"(?:job|training|run|tuning|rollout|task)\s*(?:#|number\s+)?(?P<job>\d+)?\s*"
    r"(?:has|is|have)?\s*(?:finishe[sd]|finished|done|ended|ends|complete[sd]?|completes|succeed(?:s|ed)|through)\b",
    re.I,
)
_WEEKDAY = "monday|tuesday|wednesday|thursday|friday|saturday|sunday"
_EVERY = re.compile(
    rf"\b(?:every|each)\s+(?:other\s+|\d+\s+|two\s+|three\s+|six\s+|working\s+)?(?:night|day|morning|evening|week|month|hour|weekday|weekend|minute|quarter|{_WEEKDAY})s?\b"
    r"|\b(?:nightly|daily|hourly|weekly|monthly)\b(?!\s+(?:report|digest|summary|limit|cost|spending|overview|numbers))",
    re.I,
)
_AT = re.compile(
    r"\b(?:tomorrow(?:\s+(?:morning|evening|night|afternoon|at\s+\w+))?|tonight"
    rf"|until\s+(?:tomorrow|tonight|next\s+\w+|noon|midnight|{_WEEKDAY}|\d[\d:]*)"
    r"|this\s+evening|later\s+today|at\s+midnight|at\s+noon"
    rf"|next\s+(?:week|month|{_WEEKDAY})|on\s+(?:{_WEEKDAY})|in\s+(?:an?|one|two|three|\d+)\s+(?:hours?|minutes?|days?|weeks?)|over\s+the\s+weekend|after\s+lunch)\b",
    re.I,
)


def schedule(text: str) -> dict[str, str] | None:
    """When the sentence wants things done, if not now."""
    if match := _EVERY.search(text):
        clock = _CLOCK.search(text)
        return {"every": match.group().lower() + (f" {clock.group().lower()}" if clock else "")}
    if match := _FINISH.search(text):
        return {"after_job": match["job"] or "current"}
    if match := _AT.search(text):
        return {"at": match.group().lower()}
    if match := _CLOCK.search(text) or _REMIND.search(text):
        return {"at": match.group().lower()}
    return None
