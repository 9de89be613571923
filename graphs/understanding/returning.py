"""`ok, back to the deployment: only 15 percent`: a plan of before is taken up again."""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphs.plan import Plan
from graphs.understanding.conversation import ConversationState
from graphs.understanding.names import split_name
from graphs.understanding.text import Token

_BACK = re.compile(
    r"^(?:(?:ok|okay|so|now|and|alright|right|well|anyway|fine|good|but|then|thanks|great) )*"
    r"(?:(?:going |coming |let us go |let's go |let's get |returning )?back (?:to|on)|as for"
    r"|for|about|regarding|concerning) (?:the|that|this|my|our) "
    r"(?:other |first |planned |pending )?"
    r"(?P<what>[a-z/-]+\d*)(?: (?:tests?|thing|one|plan|idea|job))?"
    r"(?= |$)"
)
_OPERATIONS = {
    "deployment.": ("deployment", "rollout", "roll-out", "canary", "deploy", "update", "release"),
    "deployment.rollback": ("rollback",),
    "deployment.ab_test": ("a/b", "ab", "split"),
    "training.": ("training", "train", "fine-tuning", "fine-tune", "finetuning", "run", "tuning"),
    "evaluation.": ("evaluation", "eval", "test", "measurement", "comparison", "benchmark"),
    "registry.promote": ("promotion",),
    "registry.register": ("registration",),
    "datasets.": ("dataset", "import"),
    "devices.": ("device", "enrolment", "enrollment"),
    "reporting.": ("report", "summary"),
}


def taken_up(tokens: Sequence[Token], state: ConversationState) -> tuple[Plan, list[Token]] | None:
    """The plan that a sentence goes back to, and what it says of it; None if it does not.

    Args:
        tokens: the sentence.
        state: the plans of before, of which the newest that fits is meant.
    """
    words = [t for t in tokens if t.kind != "punctuation" or t.low in "%-"]
    found = _BACK.match(" ".join(t.low for t in words))
    if found is None:
        return None
    starts = [start for start, said in _OPERATIONS.items() if found["what"] in said]
    plan = next((p for p in state.recent if _is_one(p, starts) or _is_on(p, found["what"])), None)
    rest = words[len(found.group().split()) :]
    while rest and rest[0].low in _BEFORE_CHANGES:
        rest = rest[1:]
    return (plan, rest) if plan is not None else None


def _is_one(plan: Plan, starts: Sequence[str]) -> bool:
    return any(step.operation.startswith(start) for step in plan.steps for start in starts)


_BEFORE_CHANGES = frozenset(
    ["but", "and", "please", "now", "-", "with", "make", "it", "do", "take", "use", "in", "give",
     "just", "only", "let", "us", "run", "set", "at", "this", "time"]
)  # fmt: skip


def _is_on(plan: Plan, what: str) -> bool:
    """True for a plan that acts on a thing whose name has a word in it: `back to the laptops`."""
    said = [v for s in plan.steps for v in s.arguments.values()]
    values = [x for v in said for x in (v if isinstance(v, list) else [v]) if isinstance(x, str)]
    return any(what == value or what in split_name(value) for value in values)
