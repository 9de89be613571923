"""`the smallest effect that matters is 2 points`: what is told in addition to the act before it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from graphs.understanding.conversation import ConversationState
from graphs.understanding.parsed import ParsedPlan
from graphs.understanding.text import Token

_NARROWING = frozenset(["only", "just"])
_ANOTHER = frozenset(["another", "other", "second", "else", "too", "also", "again", "new"])


def merged(
    plan: ParsedPlan, tokens: Sequence[Token], state: ConversationState, verbs: Collection[str]
) -> ParsedPlan:
    """A plan with what the act before it said already, where it only adds to that act.

    Args:
        plan: the sentence as a request of its own.
        tokens: the sentence.
        state: the plans of before.
        verbs: the words that begin commands; a sentence with one of them first is a new request.

    Returns:
        The plan as it is where it says something else, or asks for the act once more.
    """
    last = state.recent[0].steps if state.recent else []
    if len(plan.steps) != 1 or len(last) != 1 or plan.steps[0].schedule is not None:
        return plan
    new, before = plan.steps[0], last[0]
    said = [t.low for t in tokens if t.kind != "punctuation"]
    shared = new.arguments.keys() & before.arguments.keys()
    agrees = all(new.arguments[name] == before.arguments[name] for name in shared)
    adds = bool(new.arguments.keys() - before.arguments.keys())
    anew = said[0] in verbs or bool(set(said) & _ANOTHER)
    narrows = said[0] in _NARROWING and not shared
    if new.operation != before.operation or not agrees or not adds or anew:
        return plan
    if not shared and not narrows:
        return plan
    arguments = {**before.arguments, **new.arguments}
    plan.steps = [before.model_copy(update={"arguments": arguments})]
    plan.dry_run = plan.dry_run or state.recent[0].dry_run
    return plan
