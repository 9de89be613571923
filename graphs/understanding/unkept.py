"""What a sentence makes an act hang on and its plan does not: then nothing may be done.

A plan that drops an `if`, an `otherwise` or a `the winner` acts where the person did not want it.
Whatever was not read is found here, after planning, by its words alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphs.plan import Step
from graphs.understanding.clause import join, polite
from graphs.understanding.conditions import read_condition
from graphs.understanding.cut_conditions import NOT_CONDITIONS, condition_at
from graphs.understanding.draft import Draft
from graphs.understanding.lexicon import fields, phrases, words
from graphs.understanding.strayed import strayed_condition
from graphs.understanding.text import Token, phrase_at
from graphs.understanding.values import read_period, read_rows_period
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
    if strayed := strayed_condition(draft, operations):
        return strayed
    free = [s for s in draft.steps if s.condition is None]
    if not any(operations.get(s.operation).effect is not Effect.READ for s in free):
        return None
    chosen = any(s.operation == _TAKES_WINNER for s in draft.steps) or _one_made(draft.steps)
    at = next((i for i in range(len(tokens)) if _hangs(tokens, i, draft, chosen)), None)
    if at is None:
        at = _asked_comparison(tokens)
    return None if at is None else _part(tokens, at)


def _one_made(steps: Sequence[Step]) -> bool:
    """True if a plan makes one version, so that `the best one` of a training is that."""
    made = any(isinstance(s.arguments.get(n), dict) for s in steps for n in ("version", "job"))
    return made and not _makes_several(steps)


def _makes_several(steps: Sequence[Step]) -> bool:
    return sum(s.operation in fields()["jobs"]["registry.register"] for s in steps) > 1


def unread(draft: Draft, operations: OperationSet) -> str | None:
    """Words that say how much, which or of when, and that the plan does not hold."""
    found = unread_amount(draft, operations) or unread_name(draft, operations)
    found = found or unread_period(draft, operations) or unread_goal(draft, operations)
    return found or unread_term(draft, operations)


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
        clause, told = read.clause, fields()["told"].get(read.operation or "", ())
        units = [*(t.low for t in clause.tokens[1:]), ""]
        fixed = _fixed(clause.tokens)
        for at, token in enumerate(clause.tokens):
            number = token.kind == "number" and at >= clause.told and at not in fixed
            number = number and not clause.claimed[at]
            if number and token.low not in said and units[at] not in told:
                return join(clause.tokens[max(0, at - 1) : at + 3])
    return None


def _fixed(tokens: Sequence[Token]) -> set[int]:
    """The places of turns of phrase whose numbers count nothing: `grade them from 1 to 5`."""
    sizes = ((at, phrase_at(tokens, at, phrases("leftover", "fixed"))) for at in range(len(tokens)))
    return {place for at, size in sizes for place in range(at, at + size)}


_TEXTS = frozenset(["question", "query", "topic"])


def unread_period(draft: Draft, operations: OperationSet) -> str | None:
    """A time that says which rows are meant, where the act takes all rows of a dataset.

    Args:
        draft: the plan with the clauses that it was made of.
        operations: tells which of them take a period.
    """
    for read in draft.reads:
        taken = operations.get(read.operation).input.model_fields if read.operation else {}
        if (
            "dataset" in taken
            and "period" not in taken
            and (found := read_rows_period(read.clause))
        ):
            return found[0]
    return None


def unread_time(draft: Draft, operations: OperationSet) -> str | None:
    """A span of time by which a list cannot be narrowed.

    Args:
        draft: the plan with the clauses that it was made of.
        operations: tells which of them are lists, and which take a period.

    Returns:
        The words: `yesterday` in `approvals of yesterday`.
    """
    for read in draft.reads:
        taken = operations.get(read.operation).input.model_fields if read.operation else {}
        lists = "limit" in taken and not {"period", "dataset", *_TEXTS} & set(taken)
        found = read_period(read.clause) if lists else None
        if found is not None and read.clause.free(*found[1]):
            return found[0]
    return None


def unread_goal(draft: Draft, operations: OperationSet) -> str | None:
    """The version that a dangerous act was to lead to, where it goes where it goes.

    Args:
        draft: the plan with the clauses that it was made of.
        operations: tells which of them are dangerous.

    Returns:
        The words: `back to v1` in `roll the phones back to v1`, which brings each its former model.
    """
    for read in draft.reads:
        known = operations.get(read.operation) if read.operation else None
        if known is None or known.effect is not Effect.DANGEROUS:
            continue
        said = " ".join(token.low for token in read.clause.tokens)
        if "version" not in known.input.model_fields and (found := _GOAL.search(said)):
            return found[0]
    return None


def unread_term(draft: Draft, operations: OperationSet) -> str | None:
    """A moment or somebody's consent that an act was to wait for, or a further act, left out.

    Args:
        draft: the plan with the clauses that it was made of.
        operations: tells which of them act, and which take the words as they are.

    Returns:
        The words: `at the end of the month`, `after mia approves`, `and restart it`.
    """
    for read in draft.reads:
        known = operations.get(read.operation) if read.operation else None
        if known is None or known.effect is Effect.READ or _TEXTS & set(known.input.model_fields):
            continue
        clause = read.clause
        said = " ".join(
            "." if taken else token.low
            for token, taken in zip(clause.tokens, clause.claimed, strict=True)
        )
        if found := _TERM.search(said):
            return found[0]
    return None


_TERM = re.compile(
    r"\b(?:at|by|before|from|after|until|till) (?:the )?(?:very )?"
    r"(?:end|start|beginning|middle) of (?:the |this |next )?\w+"
    r"|\b(?:after|once|when|as soon as) (?:[\w'-]+ ){1,4}"
    r"(?:approves?|approved|agrees?|agreed|confirms?|confirmed|signs? off|says (?:so|ok|yes))\b"
    r"|\b(?:and|then) (?:then |also )?[a-z]+ (?:it|them|everything)\b"
    r"|\bfor (?:the next |another )?(?:an?|one|two|three|\d+) (?:hour|day|night|week|month)s?\b"
)
_GOAL = re.compile(r"\b(?:back (?:to|on|onto)|to) (?:[\w-]+ )?v(?:ersion )?\d+\b")


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


def single_device(draft: Draft, operations: OperationSet) -> str | None:
    """The device that an act on groups was said of, where it would be asked for the group.

    Args:
        draft: a plan that ends in a question.
        operations: tells which of them take a device.

    Returns:
        The words: `laptop-1` in `put v2 on laptop-1 only`.
    """
    read, known = draft.asked, draft.question
    if read is None or known is None or known.slot != "group":
        return None
    if "device" in operations.get(known.operation).input.model_fields:
        return None
    for mention in read.clause.mentions:
        if mention.kind is EntityKind.DEVICE and mention.how == "exact":
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
    compared = compared or _makes_several(draft.steps)
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
