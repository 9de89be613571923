"""`leave the ticket machines out`, `skip the deploy`: a plan that waits, with fewer steps."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from graphs.plan import Plan, Step
from graphs.understanding.clause import Mention
from graphs.understanding.lexicon import words
from graphs.understanding.names import split_name
from graphs.understanding.text import Token
from graphs.understanding.written import read_version

_LED = r"^(?:(?:ok|okay|oh|and|but|actually|no|hm|wait|sorry|please|just|then) )*"
_AS_IT_IS = r"(?:as (?:it|they) (?:is|are)|alone)"
_TAIL = rf"(?: (?:again|for now|though|please|after all|this time|then|{_AS_IT_IS}))*"
_LEFT = (
    re.compile(
        rf"{_LED}(?:leave|take|drop|let) (?P<what>.+?) "
        rf"(?:out(?: of (?:it|this|that|the plan))?|off|be|away|untouched){_TAIL}$"
    ),
    re.compile(rf"{_LED}(?:leave|keep|spare) (?P<what>.+?) {_AS_IT_IS}{_TAIL}$"),
    re.compile(rf"{_LED}keep (?P<what>\S+(?: \S+)?){_TAIL}$"),
    re.compile(rf"{_LED}(?:not|skip|drop|without|except|but not|leave out) (?P<what>.+?){_TAIL}$"),
)  # fmt: skip
_ONLY = re.compile(rf"{_LED}(?:only|just) (?P<what>.+?){_TAIL}$")
"""`only 1` of `archive 1 and 3`: what is kept, not what is left out."""
_WORDS = 4


def steps_left(
    tokens: Sequence[Token], waits: Plan | None, linked: Callable[[], Sequence[Mention]]
) -> list[Step] | None:
    """The steps of a plan that waits without those on what a sentence leaves out.

    Args:
        tokens: what was said; a reason after a comma is no part of it.
        waits: the plan that waits for its yes.
        linked: the names in the sentence.

    Returns:
        None where none or all of the steps are on it, or another step rests on one of them.
    """
    if waits is None or len(waits.steps) < 2:
        return None
    end = next((i for i, t in enumerate(tokens) if i and t.low in {",", ".", ";"}), len(tokens))
    said = " ".join(t.low for t in tokens[:end] if t.kind != "punctuation" or t.low == "-")
    only = _ONLY.match(said)
    found = only or next((m for pattern in _LEFT if (m := pattern.match(said))), None)
    if found is None or len(found["what"].split()) > _WORDS:
        return None
    values = {n.name for m in linked() if m.end <= end for n in m.names}
    part = {w for w in found["what"].split() if w not in words("words", "determiners")}
    values |= {v for s in waits.steps for v in _named_by(s, part)}
    versions = {v for w in found["what"].split() if isinstance(v := read_version(w), int)}
    on = [s for s in waits.steps if _is_on(s, values, versions)]
    gone = [s for s in waits.steps if s not in on] if only and on else on
    needed = {n for s in waits.steps if s not in gone for n in s.depends_on}
    if not gone or len(gone) == len(waits.steps) or needed & {s.id for s in gone}:
        return None
    return [step for step in waits.steps if step not in gone]


def _named_by(step: Step, part: set[str]) -> list[str]:
    """The names in a step of which all words of a part are one: `phones` of `patrol-phones`."""
    said = [v for v in step.arguments.values() if isinstance(v, str)]
    return [value for value in said if part and part <= set(split_name(value))]


def _is_on(step: Step, values: set[str], versions: set[int]) -> bool:
    named = any(isinstance(v, str) and v in values for v in step.arguments.values())
    version = step.arguments.get("version")
    return named or (isinstance(version, int) and version in versions)
