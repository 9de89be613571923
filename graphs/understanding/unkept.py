"""What a sentence makes an act hang on and its plan does not: then nothing may be done.

A plan that drops an `if`, an `otherwise` or a `the winner` acts where the person did not want it.
Whatever was not read is found here, after planning, by its words alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphs.understanding.clause import join, polite
from graphs.understanding.conditions import read_condition
from graphs.understanding.cut_conditions import NOT_CONDITIONS, condition_at
from graphs.understanding.lexicon import phrases, words
from graphs.understanding.planner import Draft
from graphs.understanding.text import Token, phrase_at
from tools.kernel.entities import EntityKind
from tools.kernel.operations import Effect, OperationSet

_ENDS = frozenset(".;!?\n")
_TAKES_WINNER = "deployment.promote"
"""Decides itself by what was measured on the devices."""
_FEW = 2
"""A comparison has more words than this: `better` by itself compares nothing."""


def unkept_condition(tokens: Sequence[Token], draft: Draft, operations: OperationSet) -> str | None:
    """The words that make an act conditional, where some act of the plan has no condition.

    Args:
        tokens: the whole sentence.
        draft: its plan; `draft.kept` tells which words its conditions stand for.
        operations: tells which steps act.

    Returns:
        The words, up to the end of their part of the sentence; None if all are kept.
    """
    free = [s for s in draft.steps if s.condition is None]
    if not any(operations.get(s.operation).effect is not Effect.READ for s in free):
        return None
    chosen = any(s.operation == _TAKES_WINNER for s in draft.steps) or any(
        isinstance(s.arguments.get(n), dict) for s in draft.steps for n in ("version", "job")
    )
    at = next((i for i in range(len(tokens)) if _hangs(tokens, i, draft, chosen)), None)
    if at is None:
        at = _asked_comparison(tokens)
    return None if at is None else _part(tokens, at)


def unread_amount(draft: Draft, operations: OperationSet) -> str | None:
    """A number in a wish that no argument of its step says: `14 days grace`.

    Args:
        draft: the plan with the clauses that it was made of.
        operations: tells which of them take the words as they are: there a number is text.
    """
    values = [str(value) for step in draft.steps for value in step.arguments.values()]
    said = {number for value in values for number in (value, *re.findall(r"\d+", value))}
    for read in draft.reads:
        taken = operations.get(read.operation).input.model_fields if read.operation else _TEXTS
        if _TEXTS & set(taken):
            continue
        clause = read.clause
        for at, token in enumerate(clause.tokens):
            if token.kind == "number" and not clause.claimed[at] and token.low not in said:
                return join(clause.tokens[max(0, at - 1) : at + 3])
    return None


_TEXTS = frozenset(["question", "query", "topic"])


def unread_name(draft: Draft, operations: OperationSet) -> str | None:
    """What a dangerous act was to be done to, where it takes in no such thing.

    Args:
        draft: the plan with the clauses that it was made of.
        operations: tells which of them are dangerous.

    Returns:
        The words: `phone-7` in `rotate the key of phone-7`, which is done for all devices at once.
    """
    values = {str(value) for step in draft.steps for value in step.arguments.values()}
    for read in draft.reads:
        if read.operation is None or operations.get(read.operation).effect is not Effect.DANGEROUS:
            continue
        for mention in read.clause.mentions:
            free = not any(read.clause.claimed[mention.start : mention.end])
            sure = mention.how == "exact" and mention.kind in _TARGETS
            if free and sure and not {n.name for n in mention.names} & values:
                return join(read.clause.tokens[mention.start : mention.end])
    return None


_TARGETS = frozenset([EntityKind.DEVICE, EntityKind.DEVICE_GROUP])


def _hangs(tokens: Sequence[Token], at: int, draft: Draft, chosen: bool) -> bool:
    """True if a condition begins at `at` that no condition of the plan stands for."""
    if tokens[at].start in draft.kept or phrase_at(tokens, at, polite()):
        return False
    if not chosen and _names_winner(tokens, at, draft):
        return True
    before = tokens[at - 1].low if at else ""
    if phrase_at(tokens, at, phrases("segment", "otherwise")):
        return before not in _ELSE and not any(s.condition for s in draft.steps)
    return before not in NOT_CONDITIONS and bool(condition_at(tokens, at))


def _names_winner(tokens: Sequence[Token], at: int, draft: Draft) -> bool:
    """True for the winner of a comparison, which is known only when that has run."""
    if phrase_at(tokens, at, phrases("segment", "winners")):
        return True
    compared = any(s.operation.startswith("evaluation.") for s in draft.steps)
    return compared and bool(phrase_at(tokens, at, phrases("references", "superlative")))


def _asked_comparison(tokens: Sequence[Token]) -> int | None:
    """Where a part begins that only compares, `2 better by 1.5 points?`, before a further part."""
    begin = 0
    for at, token in enumerate(tokens):
        if token.low not in _ENDS:
            continue
        part = list(tokens[begin:at])
        bare = len(part) > _FEW and part[0].low not in words("segment", "questions")
        if token.low == "?" and bare and at + 1 < len(tokens) and read_condition([token, *part]):
            return begin
        begin = at + 1
    return None


def _part(tokens: Sequence[Token], at: int) -> str:
    end = next((i for i in range(at + 1, len(tokens)) if tokens[i].low in _ENDS), len(tokens))
    return join(tokens[at:end])


_ELSE = frozenset(["something", "anything", "nothing", "everything", "who", "what", "anyone"])
