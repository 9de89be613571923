"""Short sentences that have a meaning only in their conversation: yes, no, "version 4"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphs.plan import Plan, Step
from graphs.understanding import guards
from graphs.understanding.amend import amended
from graphs.understanding.answering import answered
from graphs.understanding.answers import linked
from graphs.understanding.conversation import ConversationState
from graphs.understanding.leaving_out import left_out
from graphs.understanding.lexicon import fields, words
from graphs.understanding.names import NameView
from graphs.understanding.no_order import excluded
from graphs.understanding.parsed import ParsedPlan
from graphs.understanding.rescheduling import rescheduled
from graphs.understanding.returning import taken_up
from graphs.understanding.text import Token
from graphs.understanding.unpausing import unpaused
from graphs.understanding.what_if import tried
from graphs.understanding.wrong_part import wrong_part
from tools.kernel.operations import Effect

if TYPE_CHECKING:
    from graphs.understanding.understanding import Understanding


def answer_to_open(
    parser: Understanding,
    tokens: Sequence[Token],
    text: str,
    names: NameView,
    state: ConversationState,
) -> ParsedPlan | None:
    """The plan of a sentence that answers, corrects or continues; None if it stands by itself."""
    if trial := tried(parser, tokens, state):
        return ParsedPlan(text=text, steps=trial.steps, dry_run=True, confidence=0.9)
    if changed := rescheduled(tokens, state.proposed) or left_out(tokens, state.proposed):
        return ParsedPlan(text=text, steps=changed, confidence=0.9)
    act = guards.act(tokens)
    if act in ("thanks", "greeting", "farewell"):
        return ParsedPlan(abstained=True, confidence=0.95, reply=parser.replies.social(act))
    agrees_with_none = act == "yes" and state.proposed is not None
    asks = state.pending is not None and act != "cancel" and not agrees_with_none
    if asks and (reply := answered(parser, tokens, names, state)):
        return reply
    if parts := wrong_part(tokens) if state.proposed and waits(parser, state.proposed) else "":
        return ParsedPlan(confidence=0.9, reply=parser.replies.wrong(parts), drops_pending=True)
    if resumed := unpaused(parser, tokens, state):
        return ParsedPlan(text=text, steps=[resumed], confidence=0.9)
    if act is not None:
        stops = _stops_what_runs(parser, act, tokens, state)
        return None if stops else _decided(parser, act, state)
    if plan := _taken_up(parser, tokens, names, state):
        return plan
    said = " ".join(t.low for t in tokens if t.kind != "punctuation")
    starts = state.recent and _STARTING.match(said)
    if starts and (begun := _begun(parser, state.recent[0])):
        return begun
    if given_up := _given_up(parser, tokens, state, least=2):
        return given_up
    acts = any(parser.changes(s.operation) for p in state.recent[:1] for s in p.steps)
    told = acts and excluded(tokens, linked(parser, tokens, names))
    if state.recent and not told and (changed := amended(parser, tokens, names, state)):
        return None if _loses_its_time(parser, tokens, changed) else changed
    return _given_up(parser, tokens, state)


def _loses_its_time(parser: Understanding, tokens: Sequence[Token], changed: Plan) -> bool:
    """True for `and to the kiosks next week`, where an act would be done at once."""
    said = " ".join(t.low for t in tokens)
    acts = [s for s in changed.steps if parser.changes(s.operation) and s.schedule is None]
    texts = " ".join(str(v).lower() for s in acts for v in s.arguments.values())
    return any(found[0] not in texts for found in _LATER.finditer(said)) and bool(acts)


_LATER = re.compile(
    r"\b(?:(?:next|this|at the|over the|in an?|in \w+) "
    r"(?:week|weekend|month|year|hour|hours|days|weeks|months|minutes)|tomorrow|tonight|later|soon|eventually"
    r"|(?:mon|tues|wednes|thurs|fri|satur|sun)days?)\b"
)


_STARTING = re.compile(
    r"^(?:(?:ok|okay|yes|fine|good|great|then|so|now|and|alright) )*"
    r"(?:start|begin|run|launch|do|train) (?:that|it|this|the training|that one|that training)"
    r"(?: then| now| please)*$"
)


def _taken_up(
    parser: Understanding, tokens: Sequence[Token], names: NameView, state: ConversationState
) -> ParsedPlan | None:
    """The plan that the words go back to, as they change it."""
    if (found := taken_up(tokens, state)) is None:
        return None
    plan, rest = found
    if not rest:
        return ParsedPlan(text=plan.text, steps=plan.steps, confidence=0.9, dry_run=plan.dry_run)
    no = Token("no", "no", rest[0].start, rest[0].start, "word")
    return amended(parser, [no, *rest], names, state.model_copy(update={"recent": [plan]}))


def _given_up(
    parser: Understanding, tokens: Sequence[Token], state: ConversationState, least: int = 1
) -> ParsedPlan | None:
    """`no don't, the ward still uses it`: a no or a cancel with its reason.

    Args:
        parser: what is understood.
        tokens: the sentence.
        state: what waits.
        least: words that the no must have; `no, it's tp-15` may be a correction.
    """
    comma = next((i for i, t in enumerate(tokens) if t.low in {",", ".", "-", ";", ":"}), 0)
    first = next((t.low for t in tokens[comma:] if t.kind != "punctuation"), "")
    act = guards.act(tokens[:comma]) if comma >= least else None
    if act not in ("no", "cancel") or first not in _REASONING:
        return None
    return _decided(parser, act, state)


_REASONING = words("words", "determiners") | {
    "it", "it's", "its", "they", "they're", "we", "we're", "i", "i'm", "that's", "there", "there's",
    "he", "she", "nobody", "someone", "somebody", "not", "still", "too", "because", "since", "as",
}  # fmt: skip
"""How a reason begins, and no order does."""


def _stops_what_runs(
    parser: Understanding, act: str, tokens: Sequence[Token], state: ConversationState
) -> bool:
    """True for `stop it` after a look at a training: there was nothing planned to drop."""
    said = [t.low for t in tokens if t.kind != "punctuation"]
    points = any(word in {"it", "that", "them"} for word in said)
    verb = any(word in {"stop", "cancel", "abort", "kill", "end"} for word in said)
    if act != "cancel" or not (points and verb) or state.pending is not None or not state.recent:
        return False
    steps = state.recent[0].steps
    return all(parser.operations.get(s.operation).effect is Effect.READ for s in steps)


def _decided(parser: Understanding, act: str, state: ConversationState) -> ParsedPlan | None:
    open_ = state.proposed if state.proposed and waits(parser, state.proposed) else None
    if act == "yes" and open_ is not None:
        return _begun(parser, open_) or ParsedPlan.model_validate(open_.model_dump())
    if act in ("no", "cancel") and (open_ is not None or state.pending is not None):
        return ParsedPlan(confidence=0.95, reply=parser.replies.cancelled(), drops_pending=True)
    return ParsedPlan(abstained=True, confidence=0.9, reply=parser.replies.nothing_open())


def waits(parser: Understanding, plan: Plan) -> bool:
    """True for a plan that a yes or a no answers: not for one that only read."""
    acts = any(parser.changes(s.operation) for s in plan.steps)
    return acts or plan.steps[0].operation in fields()["begins"]


def _begun(parser: Understanding, plan: Plan) -> ParsedPlan | None:
    """What a yes to an estimate begins: that which was estimated."""
    begins = fields()["begins"].get(plan.steps[0].operation) if len(plan.steps) == 1 else None
    if begins is None:
        return None
    taken = parser.operations.get(begins).input.model_fields
    arguments = {k: v for k, v in plan.steps[0].arguments.items() if k in taken}
    step = Step(id="s1", operation=begins, arguments=arguments)
    return ParsedPlan(text=plan.text, steps=[step], confidence=0.9)
