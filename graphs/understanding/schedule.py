"""When a sentence wants things done, if not now, and the sentence without the words for that.

Only the words of a time that the act itself is wanted at are taken out: `since monday` and `last
week` stay, they are what a report is about. The clock is handed in, so that the same sentence at
the same time always gives the same plan.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

from graphs.understanding.bounds import bounds_in
from graphs.understanding.moments import deadline_in, moment_in
from graphs.understanding.recurring import recurring
from graphs.understanding.text import Token
from graphs.understanding.told_times import told_at
from graphs.understanding.triggers import trigger_in
from tools.schedules.timing import Outcome, Timing, local_zone, upcoming

Span = tuple[int, int]
_REMIND = re.compile(
    r"\b(?:remind|notify|alert|wake|ping|e-?mail)\s+(?:me|us|the\s+team|everyone)\b"
)
_FREEZE = re.compile(
    r"\b(?:change|deployment|rollout|release|code|holiday|christmas)[- ]freeze\b"
    r"|\bfreeze\s+(?:on\s+|of\s+)?(?:all|any|every)\b|\bdeclare\s+a\s+freeze\b"
    r"|\bfreeze\s+(?!the\s+(?:rollout|canary|training|job)\b)(?:[\w-]+\s+){1,5}?(?:until|till)\b"
)
_HABIT = re.compile(
    r"^(?:what|what's|which|when|who|whose|why|how|is|are|does|did|was|were|has|have|any|anything"
    r"|will|do\s+(?:i|we|you|they|any))\b"
)


@dataclass(frozen=True, slots=True)
class When:
    """What a sentence says of the time of its act.

    Attributes:
        said: its words.
        spans: where they stand.
        timing: the time; None for a job that is only pointed at, or one that cannot be kept.
        on: for a job that is only pointed at: which end of it counts.
        pointed: True if "it" or "the training" must be resolved to a job.
        problem: why the time cannot be kept, for a person.
        adjective: True for `the nightly training`, which may name a schedule that exists.
    """

    said: str
    spans: tuple[Span, ...]
    timing: Timing | None = None
    on: Outcome = "end"
    pointed: bool = False
    problem: str = ""
    adjective: bool = False


@dataclass(frozen=True, slots=True)
class Written:
    """A sentence as one text in lower case, with the place of each of its tokens."""

    text: str
    places: tuple[Span, ...]
    tokens: tuple[Token, ...] = field(default=())
    named: frozenset[int] = frozenset()


def written(tokens: Sequence[Token], named: frozenset[int] = frozenset()) -> Written:
    """Tokens as a text, with the spaces that stood between them made one.

    Args:
        tokens: the tokens.
        named: which of them are names, in which no time is said: `nightly-training`.
    """
    parts: list[str] = []
    places: list[Span] = []
    length = 0
    for index, token in enumerate(tokens):
        if index and token.start > tokens[index - 1].end:
            parts.append(" ")
            length += 1
        places.append((length, length + len(token.low)))
        parts.append(token.low)
        length += len(token.low)
    return Written("".join(parts), tuple(places), tuple(tokens), named)


def local_now() -> datetime:
    """The time on the wall clock of this machine's zone."""
    return datetime.now(ZoneInfo(local_zone()))


def when_in(sentence: Written, now: datetime) -> When | None:
    """The time that a sentence wants its act at; None if it says none."""
    text = _without_quotes(sentence)
    trigger = trigger_in(text)
    if trigger is not None:
        said = text[trigger.start : trigger.end]
        timing = None
        if trigger.job is not None:
            on = None if trigger.on == "end" else trigger.on
            timing = Timing(after_job=trigger.job, on=on, said=said)
        return When(said, ((trigger.start, trigger.end),), timing, trigger.on, trigger.job is None)
    return _on_the_clock(text, now)


def _on_the_clock(text: str, now: datetime) -> When | None:
    zone = _zone_name(now)
    if recurring(text) and (again := _again(text, now)):
        return again
    limit = deadline_in(text)
    if limit and _FREEZE.search(text):
        text = text.replace(limit, " " * len(limit), 1)  # a freeze has an end of its own
    elif limit:
        start = text.index(limit)
        span = (start, start + len(limit))
        return When(limit, (span,), problem="a limit in time is nothing that I can keep")
    once = moment_in(text, now)
    if once is None or told_at(text, once.start):
        return None
    spans = ((once.start, once.end), *([once.apart] if once.apart else []))
    said = " ".join(text[a:b] for a, b in spans)
    timing = Timing(at=once.at.isoformat(), zone=zone, said=said) if once.at else None
    return When(said, spans, timing, problem=once.problem)


def _again(text: str, now: datetime) -> When | None:
    """What comes again, with its first and its last day."""
    bounds = bounds_in(text, now)
    again = recurring(bounds.text)
    if again is None:
        return None
    outer = (again.start, again.end)
    apart = [again.apart] if again.apart else []
    spans = sorted([outer, *apart, *(s for s in bounds.spans if not outer[0] <= s[0] < outer[1])])
    said = " ".join(" ".join(text[a:b].split()) for a, b in spans)
    problem = again.problem or bounds.problem
    if problem or again.cron is None:
        return When(said, tuple(spans), problem=problem, adjective=again.adjective)
    start = bounds.start
    if again.weeks > 1:
        start = _first_day(again.cron, start or now)
    timing = Timing(
        every=again.cron,
        weeks=again.weeks if again.weeks > 1 else None,
        start=start.isoformat() if start else None,
        until=bounds.until.isoformat() if bounds.until else None,
        zone=_zone_name(now),
        said=said,
    )
    return When(said, tuple(spans), timing, adjective=again.adjective)


def _first_day(cron: str, after: datetime) -> datetime:
    """The beginning of the first day on which a clock is due, from which weeks are counted."""
    found = Timing(every=cron, start=after.isoformat(), zone=_zone_name(after))
    first = next(upcoming(found, after))
    return first.replace(hour=0, minute=0, second=0, microsecond=0)


def _zone_name(now: datetime) -> str | None:
    return now.tzinfo.key if isinstance(now.tzinfo, ZoneInfo) else None


def _without_quotes(sentence: Written) -> str:
    """The text with what is quoted, or a path, made blank: it names something, it is no time."""
    text = list(sentence.text)
    placed = zip(sentence.tokens, sentence.places, strict=True)
    for index, (token, (start, end)) in enumerate(placed):
        if token.kind in ("quote", "path") or index in sentence.named:
            text[start:end] = "~" * (end - start)
    return "".join(text)


def without(sentence: Written, spans: Sequence[Span]) -> list[Token]:
    """The tokens that stand outside of some places, without a comma that is left over."""
    kept = [
        token
        for token, (start, end) in zip(sentence.tokens, sentence.places, strict=True)
        if not any(start < b and a < end for a, b in spans)
    ]
    while kept and kept[0].kind == "punctuation" and kept[0].low in ",;:":
        kept = kept[1:]
    while kept and kept[-1].kind == "punctuation" and kept[-1].low in ",;:":
        kept = kept[:-1]
    return kept


def wants_reminding(sentence: Written) -> bool:
    """True for `remind me`: nobody can be reminded of anything from here."""
    return _REMIND.search(sentence.text) is not None


_WAITS = re.compile(
    r"\b(?:whenever|every\s+time|each\s+time|as\s+soon\s+as|the\s+moment\s+(?:that\s+)?the)\b"
    r"|^(?:when|once|after)\s+(?!that\b|this\b|it\b|which\b|again\b|more\b|done\b|finished\b|you\b"
    r"|is\b|are\b|does\b|do\b|did\b|will\b|was\b|were\b|can\b|should\b|has\b|have\b)[^?]*$"
)


def waits_for(sentence: Written) -> str | None:
    """The word by which a sentence waits for something that is no time and no job's end."""
    found = _WAITS.search(_without_quotes(sentence))
    return found.group().split()[0] if found else None


def asks_about(sentence: Written) -> bool:
    """True for a question, which asks about a time rather than orders for it."""
    return _HABIT.match(sentence.text) is not None
