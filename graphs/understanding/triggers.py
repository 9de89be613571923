"""The end of a job as a moment: `when job 7 has finished`, `once the training is done`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from graphs.understanding.clock import HOURS
from tools.schedules.timing import Outcome

_WHEN = r"(?:when|whenever|once|after|as\s+soon\s+as|the\s+moment|if|upon|on)"
_NOUN = (
    r"(?:job|training|train(?:ing)?\s+(?:job|run)|run|tuning|fine-tun(?:e|ing)|evaluation|rollout"
    r"|deployment|task|search|sweep)"
)
_NUMBER = r"(?:#\s?|number\s+|no\.?\s+|nr\.?\s+)?(?P<job>\d{1,9}|" + "|".join(HOURS) + ")"
_IS = r"(?:\s+(?:has|is|have|was|gets|got|will\s+have|will\s+be)|'s)?(?:\s+been)?"
_GOOD = (
    r"succeed(?:s|ed)?|success(?:ful)?(?:ly)?(?:\s+(?:finish\w*|end\w*|complet\w*))?|worked|works"
    r"|went\s+(?:well|through|fine)|goes\s+(?:well|through|fine)|passe[sd]"
)
_BAD = (
    r"fail(?:s|ed)?|crash(?:es|ed)?|break(?:s)?|broke(?:n)?|die[sd]?|errors?(?:\s+out)?"
    r"|goes\s+wrong|went\s+wrong|is\s+cancelled|cancelled"
)
_END = (
    r"(?:all\s+)?(?:finish(?:es|ed)?|done|over|end(?:s|ed)?|complete[sd]?|ready|through"
    r"|stop(?:s|ped)?)(?:\s+(?P<well>successfully|without\s+errors?)"
    r"|\s+(?P<badly>with\s+(?:an?\s+)?errors?))?"
)
_ENDS = rf"{_IS}\s+(?:(?P<good>{_GOOD})|(?P<bad>{_BAD})|(?P<end>{_END}))\b"
_NAMED = re.compile(rf"\b{_WHEN}\s+(?:the\s+)?(?:{_NOUN}\s*)?{_NUMBER}{_ENDS}")
_BARE = re.compile(
    rf"\bafter\s+(?:the\s+)?{_NOUN}\s*{_NUMBER}\b(?!\s*(?:minutes?|hours?|days?|epochs?))"
)
_ON_END = re.compile(
    rf"\b(?:on|upon|at|after)\s+(?:the\s+)?(?P<how>completion|success|failure|end|crash)\s+of\s+(?:the\s+)?(?:{_NOUN}\s*)?{_NUMBER}\b"
)
_POINTED = re.compile(
    rf"\b(?!if|on\b)(?!\w+\s+(?:it|that|this|\w+)\s+passe[sd]\b){_WHEN}\s+(?P<what>it|that|this|(?:the|that|this|my|our)\s+(?:current\s+|running\s+|last\s+)?{_NOUN}|{_NOUN}){_ENDS}"
)
_BRIEF = re.compile(r"\b(?:when|once)\s+(?P<end>done|finished|complete)\b")


@dataclass(frozen=True, slots=True)
class Trigger:
    """Words for the end of a job.

    Attributes:
        start: where they begin.
        end: where they end.
        job: its number; None for the one that is pointed at.
        on: which end counts.
        rollout: True if a rollout is spoken of, and not named by its job's number.
    """

    start: int
    end: int
    job: int | None
    on: Outcome


def trigger_in(text: str) -> Trigger | None:
    """The first words in a text (in lower case) for the end of a job."""
    for pattern in (_NAMED, _BARE, _ON_END, _POINTED, _BRIEF):
        if found := pattern.search(text):
            return _read(found)
    return None


def _read(found: re.Match[str]) -> Trigger:
    said = found.groupdict()
    job = said.get("job")
    number = (HOURS.get(job) or int(job)) if job else None
    if said.get("how"):
        on: Outcome = {"success": "success", "failure": "failure", "crash": "failure"}.get(
            said["how"], "end"
        )  # type: ignore[assignment]
    elif said.get("good") or said.get("well"):
        on = "success"
    else:
        on = "failure" if said.get("bad") or said.get("badly") else "end"
    return Trigger(found.start(), found.end(), number, on)
