"""A plan that waits, with a step before it or a condition to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphs.plan import Plan, references
from graphs.understanding.before_that import put_before, wished_before
from graphs.understanding.clause import join
from graphs.understanding.conversation import ConversationState
from graphs.understanding.lexicon import fields
from graphs.understanding.names import NameView
from graphs.understanding.only_if import condition_said
from graphs.understanding.parsed import ParsedPlan
from graphs.understanding.text import Token, tokenise

if TYPE_CHECKING:
    from graphs.understanding.understanding import Understanding


def extended(
    parser: Understanding, tokens: Sequence[Token], names: NameView, state: ConversationState
) -> ParsedPlan | None:
    """The plan that waits, as a sentence adds to it; None if it adds nothing.

    Args:
        parser: what is understood.
        tokens: the sentence.
        names: the catalogue.
        state: the conversation, in which a plan waits for its yes.
    """
    if (waits := state.proposed) is None:
        return None
    text = " ".join(t.text for t in tokens)
    plan = _with_step_before(parser, tokens, names, state, waits)
    plan = plan or _with_condition(parser, tokens, names, state, waits)
    if plan is not None:
        plan.text = text
    return plan


def _with_step_before(
    parser: Understanding,
    tokens: Sequence[Token],
    names: NameView,
    state: ConversationState,
    waits: Plan,
) -> ParsedPlan | None:
    wish = wished_before(tokens)
    if not wish:
        return None
    named = [f for f in state.focus if not isinstance(f.value, dict)]  # nothing is made yet
    now = state.model_copy(update={"focus": named})
    first = parser.read(join(wish), wish, names, now, {})
    known = {step.operation for step in waits.steps}
    made_later = any(
        ref.step.startswith("t") for s in first.steps for ref in references(s.arguments).values()
    )
    wanted = {step.operation for step in first.steps}
    looks = not any(parser.changes(name) for name in wanted) and tokens[-1].low == "first"
    begins = wanted & set(fields()["begins"])
    if not wanted or first.dry_run or made_later or known & wanted or looks or begins:
        return None
    return ParsedPlan(steps=put_before(first, waits), confidence=0.9, dry_run=waits.dry_run)


def _with_condition(
    parser: Understanding,
    tokens: Sequence[Token],
    names: NameView,
    state: ConversationState,
    waits: Plan,
) -> ParsedPlan | None:
    """The sentence of the plan read anew with a condition; it must plan all that it did before."""
    condition = condition_said(tokens)
    if not condition or any(step.condition for step in waits.steps):
        return None
    said = tokenise(f"{waits.text.rstrip(' .!')}, {condition}")
    before = state.model_copy(update={"recent": state.recent[1:], "proposed": None})
    plan = parser.read(join(said), said, names, before, {})
    acts = [(s.operation, s.arguments) for s in waits.steps]
    kept = [(s.operation, s.arguments) for s in plan.steps]
    conditional = any(s.condition for s in plan.steps)
    return plan if conditional and all(act in kept for act in acts) else None
