"""Sentences for later: the time is taken out, the rest is read as if for now, and gets it back.

What cannot be kept (a limit in time, every other day, two times at once) is refused with its
reason; a job that is not known, or only pointed at with nothing in focus, is asked for.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time
from typing import TYPE_CHECKING, Any

from graphs.plan import Question, Step
from graphs.understanding.asking import known_names
from graphs.understanding.clause import Clause, polite, strip_leading
from graphs.understanding.clock import Clock, clock_at, later
from graphs.understanding.conversation import ConversationState, Focus
from graphs.understanding.lexicon import words
from graphs.understanding.link import link
from graphs.understanding.mask import mask_clause
from graphs.understanding.names import NameView, covers
from graphs.understanding.order_of_acts import in_order
from graphs.understanding.parsed import ParsedPlan
from graphs.understanding.schedule import (
    When,
    Written,
    asks_about,
    local_now,
    waits_for,
    wants_reminding,
    when_in,
    without,
    written,
)
from graphs.understanding.text import Token, tokenise
from tools.kernel.entities import EntityKind
from tools.schedules.timing import LaterJob, Timing

if TYPE_CHECKING:
    from graphs.understanding.understanding import Understanding

CREATE = "schedules.create"
SLOT = "timing"
ANSWER = f"{CREATE}.{SLOT}"
_MANAGED = ("schedules.list", "schedules.cancel", "schedules.pause", "schedules.resume")
_TOLD = re.compile(
    r"^(?:(?:tell|show)\s+(?:me|us)|let\s+(?:me|us)\s+know|say\s+so)(?:\s+(?:that|so|it|about\s+it))?$"
)
_WHY = re.compile(
    r"^(?:tell|show|explain|give)\s+(?:to\s+)?(?:me\s+|us\s+)?"
    r"(?:why|what\s+(?:happened|went\s+wrong|broke)|(?:its|the)\s+(?:status|errors?|state|reason))\b"
)
_SEND = re.compile(r"^(?:send|mail|e-?mail|message|text|slack)\s+(?:me|us|the|it|them)\b")
_CLOCK = re.compile(r"^(?:at|around|@)\b")


@dataclass(frozen=True, slots=True)
class Taken:
    """A sentence without its time.

    Attributes:
        tokens: what is left of it.
        state: the conversation, with the job that is waited for in focus.
        timing: the time; None for now.
        plan: what the sentence comes to already: a refusal, a question, the last plan at a time.
    """

    tokens: list[Token]
    state: ConversationState
    timing: Timing | None = None
    plan: ParsedPlan | None = None

    def given(self, plan: ParsedPlan) -> ParsedPlan:
        """The plan of what was left, at the time that was taken out."""
        if self.timing is not None and not any(s.operation in _MANAGED for s in plan.steps):
            plan.when = self.timing
            plan.steps = at_time(plan.steps, self.timing)
        return plan


def at_time(steps: Sequence[Step], timing: Timing) -> list[Step]:
    """Steps with a time."""
    return [step.model_copy(update={"schedule": timing}) for step in steps]


_SHARE = re.compile(r"^at (?:\d{1,2}|five|ten|fifteen|twenty|thirty)$")
_SHARED = re.compile(r"\bcanary\b|\ba/b\b|\bab[ -]test\b")
"""`canary it at 10` tells how many devices, not when."""


def take(
    parser: Understanding,
    tokens: Sequence[Token],
    names: NameView,
    state: ConversationState,
    answers: dict[str, Any],
) -> Taken:
    """Take the time out of a sentence."""
    sentence, now = written(tokens, _named(parser, tokens, names)), state.now or local_now()
    kept = Taken(list(tokens), state)
    if wants_reminding(sentence):
        return _refused(kept, parser.replies.reminding())
    when = when_in(sentence, now)
    if when is None:
        orders = in_order(list(tokens), parser.verbs) != list(tokens)
        if (waited := waits_for(sentence)) and not orders:
            why = "I can wait for a time or for the end of a job, and for nothing else"
            return _refused(kept, parser.replies.no_such_time(f"{waited} …", why))
        return _undated(parser, kept, answers)
    if _is_about_schedules(parser, sentence, when, names) or _only_asks(sentence, when):
        return kept
    if _SHARE.match(when.said) and _SHARED.search(sentence.text):
        return kept
    if when.pointed:
        return _pointed(parser, sentence, when, names, state, answers)
    rest = without(sentence, when.spans)
    if when.timing is None:
        return _refused(kept, parser.replies.no_such_time(when.said, when.problem))
    if problem := _beside(parser, sentence, when, rest, now):
        return _refused(kept, parser.replies.no_such_time(when.said, problem))
    timing = Timing.model_validate(answers[ANSWER]) if ANSWER in answers else when.timing
    return _timed(parser, rest, timing, names, state)


def _named(parser: Understanding, tokens: Sequence[Token], names: NameView) -> frozenset[int]:
    """Where names stand that have a word of time in them: `nightly-training`."""
    timely = words("schedule", "words")
    compound = [
        i
        for i, t in enumerate(tokens)
        if t.kind == "word" and not t.low.isalpha() and set(re.split(r"[^a-z]+", t.low)) & timely
    ]
    given = {i for i, t in enumerate(tokens) if i and t.low in timely and _gives(tokens, i)}
    if not compound:
        return frozenset(given)
    named = {i for m in parser.linker.mentions(tokens, names) for i in range(m.start, m.end)}
    return frozenset(named & set(compound) | given)


def _gives(tokens: Sequence[Token], at: int) -> bool:
    """True for the `nightly` of `a token called nightly`, a name that is given."""
    return tokens[at - 1].low in {"called", "named", "labelled", "labeled"}


def timing_of_answer(text: str, now: datetime | None, question: Question) -> Timing | None:
    """The time by which a sentence answers the question for it."""
    when = when_in(written(tokenise(text)), now or local_now())
    if when is not None and when.timing is not None:
        return when.timing
    number = re.fullmatch(r"\s*(?:(?:after\s+)?(?:job|number)\s*#?\s*)?(\d+)[.!]?\s*", text, re.I)
    if number is None or "job" not in question.text:
        return None
    return Timing(after_job=int(number[1]), said=text.strip())


def _undated(parser: Understanding, kept: Taken, answers: dict[str, Any]) -> Taken:
    """A sentence that says no time: for now, unless it says `schedule`."""
    rest = _without_verb(kept.tokens)
    if ANSWER in answers:
        timing = Timing.model_validate(answers[ANSWER])
        return Taken(rest or kept.tokens, _focused(kept.state, timing), timing)
    if rest is None or len(rest) < 3:
        return kept
    question = "When? For example: every night at two, tomorrow at 9, when job 7 is done."
    return Taken(kept.tokens, kept.state, plan=_asked(parser, question, []))


def _timed(
    parser: Understanding,
    rest: list[Token],
    timing: Timing,
    names: NameView,
    state: ConversationState,
) -> Taken:
    kept = Taken(rest, state)
    if problem := _unknown_job(timing, names):
        jobs = known_names(EntityKind.JOB, names)
        return Taken(rest, state, plan=_asked(parser, problem, jobs))
    said = written(strip_leading(rest, polite())).text.strip(" .!?,")
    if _TOLD.match(said) or _SEND.match(said):
        return _refused(kept, parser.replies.reminding())
    if _WHY.match(said) and isinstance(timing.after_job, int):
        rest = tokenise(f"show the status of training job {timing.after_job}")
    elif _is_empty(rest) or _names_the_last(rest, kept.state):
        return _again(parser, kept, timing)
    return Taken(_without_verb(rest) or rest, _focused(state, timing), timing)


def _again(parser: Understanding, kept: Taken, timing: Timing) -> Taken:
    """`do that every night`: the plan before, at a time."""
    before = kept.state.proposed or next(iter(kept.state.recent), None)
    if before is None:
        text = "What should I do then? Say it in one sentence, together with the time."
        return Taken(kept.tokens, kept.state, plan=_asked(parser, text, [], slot="steps"))
    timing = _moved(next((s.schedule for s in before.steps), None), timing)
    plan = ParsedPlan(text=before.text, steps=at_time(before.steps, timing), confidence=0.9)
    plan.when = timing
    return Taken(kept.tokens, kept.state, timing, plan)


def _moved(before: Timing | None, timing: Timing) -> Timing:
    """`no, at three`: the same days at another time of day, whatever the time is now."""
    fixed = re.match(r"\d+ (\d+) (.+)", (before.every or "") if before else "")
    clock = clock_at(timing.said, 0) if _CLOCK.match(timing.said) else None
    if fixed is None or before is None or timing.at is None or clock is None:
        return timing
    at = nearer(clock, int(fixed[1]))
    cron = f"{at.minute} {at.hour} {fixed[2]}"
    return before.model_copy(update={"every": cron, "said": f"{before.said} {timing.said}"})


def nearer(clock: Clock, hour: int) -> time:
    """Which half of the day `at four` means instead of two at night, or of five in the evening."""
    times = [clock.at, later(clock.at)] if clock.open else [clock.at]
    return min(times, key=lambda t: min((t.hour - hour) % 24, (hour - t.hour) % 24))


def _pointed(
    parser: Understanding,
    sentence: Written,
    when: When,
    names: NameView,
    state: ConversationState,
    answers: dict[str, Any],
) -> Taken:
    """`when it has finished`: a step before in the sentence, else the job in focus."""
    start, end = when.spans[0]
    before = [t for t, (_, b) in zip(sentence.tokens, sentence.places, strict=True) if b <= start]
    after = [t for t, (a, _) in zip(sentence.tokens, sentence.places, strict=True) if a >= end]
    after = without(written(after), ())
    kept = Taken(list(sentence.tokens), state)
    if parser.clause_count(before) > (0 if _acts(parser, after) else 1):
        if when.on == "failure":
            why = "it is part of a plan that has not begun"
            return _refused(kept, parser.replies.no_such_time(when.said, why))
        return Taken([*_without_joint(before), *_then(after, start)], state)
    rest = [*before, *after]
    if ANSWER in answers:
        timing = Timing.model_validate(answers[ANSWER])
        return _timed(parser, rest, timing, names, state)
    job = _job_in_focus(state)
    if job is None:
        if re.search(r"\b(?:it|that|this|when done|once done|finished)\b", when.said):
            return kept
        question = "Which job should I wait for?"
        jobs = known_names(EntityKind.JOB, names)
        return Taken(rest, state, plan=_asked(parser, question, jobs))
    on = None if when.on == "end" else when.on
    return _timed(parser, rest, Timing(after_job=job, on=on, said=when.said), names, state)


def _job_in_focus(state: ConversationState) -> int | LaterJob | None:
    for item in state.focus:
        if item.kind is EntityKind.JOB and item.made:
            if isinstance(item.value, dict):
                return LaterJob.model_validate(item.value)
            return int(item.value)
    return None


def _acts(parser: Understanding, tokens: Sequence[Token]) -> bool:
    return parser.clause_count(tokens) > 0


def _then(after: list[Token], place: int) -> list[Token]:
    return [Token("then", "then", place, place, "word"), *after] if after else []


def _without_joint(tokens: list[Token]) -> list[Token]:
    kept = list(tokens)
    while kept and (kept[-1].low in {"and", "then", ","} or kept[-1].kind == "punctuation"):
        kept.pop()
    return kept


def _focused(state: ConversationState, timing: Timing) -> ConversationState:
    """The conversation with the job that is waited for as what was spoken of last."""
    if timing.after_job is None:
        return state
    value = timing.after_job
    named = value if isinstance(value, int) else value.model_dump()
    item = Focus(kind=EntityKind.JOB, value=named, via="training.start", made=True)
    return state.model_copy(update={"focus": [item, *state.focus]})


def _unknown_job(timing: Timing, names: NameView) -> str | None:
    job = timing.after_job
    if not isinstance(job, int) or not covers(names, EntityKind.JOB):
        return None
    known = {entry.name for entry in names.names(EntityKind.JOB)}
    return None if str(job) in known else f"There is no job {job}. Which job should I wait for?"


def _beside(
    parser: Understanding, sentence: Written, when: When, rest: list[Token], now: datetime
) -> str | None:
    """What stands beside a time that cannot be kept: a second time, or an act for now."""
    other = when_in(written(rest), now)
    if other is not None and not other.adjective and not other.pointed:
        return f"you say {other.said!r} too, and I can keep one time for a request"
    start = when.spans[0][0]
    before = [t for t, (_, b) in zip(sentence.tokens, sentence.places, strict=True) if b <= start]
    joint = next((i for i, t in enumerate(before) if t.low in {"then", "afterwards"}), None)
    if joint and when.timing and when.timing.at and parser.clause_count(before[:joint]):
        return "I can keep a whole request for later, not the second half of it"
    return None


def _is_about_schedules(
    parser: Understanding, sentence: Written, when: When, names: NameView
) -> bool:
    """True for `cancel the nightly training`, `what runs tonight?`."""
    tokens = strip_leading(list(sentence.tokens), polite())
    if not tokens:
        return False
    manages = tokens[0].low in words("schedule", "managing")
    if not (when.adjective or manages or asks_about(sentence)):
        return False
    clause = Clause(tokens)
    link(clause, parser.linker, names)
    if when.adjective and any(m.kind is EntityKind.SCHEDULE for m in clause.mentions):
        return True
    route = parser.router.route([mask_clause(clause)])[0]
    return route.operation in _MANAGED and parser.hearing.sure(route)


def _only_asks(sentence: Written, when: When) -> bool:
    """True for a question about a time: `will it rain tomorrow?`, `what if job 7 fails?`."""
    if not asks_about(sentence) or when.spans[0][0] == 0:
        return False
    return when.timing is None or when.timing.every is None


def _without_verb(tokens: Sequence[Token]) -> list[Token] | None:
    """`schedule a training` as `run a training`; None if it does not begin so."""
    rest = strip_leading(list(tokens), polite())
    if len(rest) < 2 or rest[0].low not in {"schedule", "reschedule"}:
        return None
    if rest[1].kind == "number" or rest[1].low in {"number", "no", "#", "was", "is", "has"}:
        return None  # `schedule 2 was cancelled by mistake` is about a schedule
    first = rest[0]
    return [Token("run", "run", first.start, first.end, "word"), *rest[1:]]


def _is_empty(tokens: Sequence[Token]) -> bool:
    said = [t.low for t in tokens if t.kind != "punctuation"]
    return all(word in words("schedule", "fillers") for word in said)


def _names_the_last(tokens: Sequence[Token], state: ConversationState) -> bool:
    """True for `make the training nightly` after a training was planned."""
    before = state.proposed or next(iter(state.recent), None)
    domains = {step.operation.partition(".")[0] for step in before.steps} if before else set()
    nouns = {noun for domain in domains for noun in _NOUNS.get(domain, ())}
    said = {t.low for t in tokens if t.kind != "punctuation"}
    return bool(said & nouns) and said <= nouns | words("schedule", "fillers")


_NOUNS = {
    "training": ("training", "run", "tuning", "fine-tune"),
    "evaluation": ("evaluation", "comparison", "test", "check"),
    "deployment": ("deployment", "rollout", "rollback"),
    "reporting": ("report", "summary", "roi"),
    "devices": ("check", "health"),
}
"""What an act of a domain is called."""


def _asked(
    parser: Understanding, text: str, candidates: list[str], *, slot: str = SLOT
) -> ParsedPlan:
    question = Question(operation=CREATE, slot=slot, text=text, candidates=candidates)
    return ParsedPlan(question=question, confidence=0.9)


def _refused(kept: Taken, reply: str) -> Taken:
    plan = ParsedPlan(abstained=True, confidence=0.9, reply=reply, final=True)
    return Taken(kept.tokens, kept.state, plan=plan)


__all__ = ["ANSWER", "CREATE", "Taken", "at_time", "take", "timing_of_answer"]
