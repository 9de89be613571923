"""The value by which a short sentence answers a question: `version 4`, `the second one`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphs.plan import Question
from graphs.understanding import values
from graphs.understanding.clause import Clause, Mention, strip_leading
from graphs.understanding.lexicon import fields, phrases, words
from graphs.understanding.link import link
from graphs.understanding.mask import mask_clause
from graphs.understanding.models import model_mentions
from graphs.understanding.names import NameView
from graphs.understanding.no_order import excluded
from graphs.understanding.read_groups import new_group
from graphs.understanding.slips import cut_short
from graphs.understanding.text import Token
from graphs.understanding.written import read_version
from tools.kernel.entities import EntityKind, fold

if TYPE_CHECKING:
    from graphs.understanding.understanding import Understanding

SHORT = 9
"""Words that an answer has at most."""
_FRESH = frozenset(["name", "label"])
"""What is named anew."""
_NEWEST = frozenset(["latest", "newest", "last"])
_OF_A_JOB = words("words", "determiners") | {
    "job", "training", "run", "rollout", "number", "nr", "no", "please", "it", "it's", "is", "take",
    "use", "with", "one", "id", "tuning", "pls", "register", "i", "mean", "meant", "think",
}  # fmt: skip


def value_for(
    parser: Understanding, question: Question, tokens: Sequence[Token], names: NameView
) -> Any:
    """The value that answers a question, if the sentence is no request of its own.

    Args:
        parser: what is understood.
        question: what was asked.
        tokens: the sentence.
        names: the catalogue.

    Returns:
        A name, a number, a choice or words, as the argument takes it; None for no answer.
    """
    operation = parser.operations.get(question.operation)
    info = operation.input.model_fields[question.slot]
    slot = operation.slots.get(question.slot)
    kept = [
        t
        for t in strip_leading(list(tokens), phrases("dialogue", "correction"))
        if t.kind != "punctuation" or t.low in "%"
    ]
    if not kept or len(kept) > SHORT:
        return None
    clause = Clause(kept)
    link(clause, parser.linker, names)
    if excluded(tokens, linked(parser, tokens, names)):
        return None
    if choices := values.choices_of(info):
        found = values.read_choice(clause, question.slot, choices)
        return found[0] if found and not _own_request(parser, clause, question) else None
    if slot is None or slot.kind is None:
        return _plain_answer(parser, question, clause, tokens)
    if slot.kind is EntityKind.MODEL_VERSION:
        return _version_answer(parser, clause, question, names)
    if slot.kind is EntityKind.JOB or values.bare_type(info) is int:
        said = [t for t in kept if t.low != "one" or len(kept) == 1]
        if any(
            t.kind == "word" and t.low not in _OF_A_JOB and not values.number_at([t], 0)
            for t in said
        ):
            return None  # `now with two epochs` names no job
        numbers = [n[0] for i in range(len(said)) if (n := values.number_at(said, i))]
        return (
            int(numbers[0])
            if len(numbers) == 1 and not _own_request(parser, clause, question)
            else None
        )
    return _named_answer(parser, clause, question, slot.kind, names)


def linked(parser: Understanding, tokens: Sequence[Token], names: NameView) -> list[Mention]:
    """The names of the catalogue in a sentence."""
    clause = Clause(list(tokens))
    link(clause, parser.linker, names)
    return clause.mentions


def _plain_answer(
    parser: Understanding, question: Question, clause: Clause, tokens: Sequence[Token]
) -> Any:
    if sum(token.kind == "path" for token in clause.tokens) > 1:
        return None  # several files are a request of their own
    if path := values.read_path(clause):
        return path[0]
    if _own_request(parser, clause, question):
        return None
    info = parser.operations.get(question.operation).input.model_fields[question.slot]
    if values.bare_type(info) in (int, float):
        found = next(
            (n for i in range(len(clause.tokens)) if (n := values.number_at(clause.tokens, i))),
            None,
        )
        return values.as_number(found[0], info) if found else None
    if question.slot in _FRESH:
        last = clause.tokens[-1]
        return last.text
    return " ".join(t.text for t in tokens) if question.slot in ("question", "query") else None


def _version_answer(
    parser: Understanding, clause: Clause, question: Question, names: NameView
) -> Any:
    found = model_mentions(clause)
    version = found[0].version if found else None
    if version is None and {t.low for t in clause.tokens} & _NEWEST and question.candidates:
        newest = question.candidates[0]
        version = int(newest) if newest.isdigit() else None
    elif version is None:
        version = _bare_version(clause)
    if version is None or _own_request(parser, clause, question):
        return None
    return version


def _bare_version(clause: Clause) -> int | str | None:
    """A version said by itself: `3`, `v3`, `three`, `the third one`; in that, `one` is none."""
    said = [t for t in clause.tokens if t.low not in words("words", "determiners")]
    if len(said) == 1:
        number = values.number_at(said, 0)
        return int(number[0]) if number else read_version(said[0].low)
    if len(said) == 2 and said[1].low in {"one", "please", "pls"}:
        number = values.number_at(said[:1], 0)
        ordinal = fields()["ordinals"].get(said[0].low)
        return ordinal or (int(number[0]) if number else read_version(said[0].low))
    return None


def _named_answer(
    parser: Understanding, clause: Clause, question: Question, kind: EntityKind, names: NameView
) -> Any:
    mentioned = [m for m in clause.mentions if m.kind is kind and len(m.names) == 1]
    if parser.dangerous(question.operation) and any(m.how == "slip" for m in mentioned):
        return None  # what a misspelt name means is asked, never guessed
    if len({m.names[0].name for m in mentioned}) == 1:
        if len(clause.tokens) > 3 and _own_request(parser, clause, question):
            return None
        return mentioned[0].names[0].name
    said = fold("".join(t.text for t in clause.tokens))
    for candidate in question.candidates:
        if fold(candidate) == said:
            return candidate
    for phrase in clause.phrases(frozenset()):
        found = parser.linker.partial(kind, clause.tokens[phrase.start : phrase.end], names)
        chosen = [n for n in found if n.name in question.candidates] or found
        if parser.dangerous(question.operation):
            said_words = clause.tokens[phrase.start : phrase.end]
            chosen = [n for n in chosen if not cut_short(said_words, n.name)]
        if len(chosen) == 1 and not _own_request(parser, clause, question):
            return chosen[0].name
    ordinal = _ordinal(clause)
    if ordinal is not None and ordinal <= len(question.candidates):
        return question.candidates[ordinal - 1]
    slot = parser.operations.get(question.operation).slots[question.slot]
    if kind is EntityKind.DEVICE_GROUP and not slot.closed:
        return None if clause.tokens[0].low in parser.verbs else new_group(clause.tokens)
    return None


def _ordinal(clause: Clause) -> int | None:
    low = [t.low for t in clause.tokens]
    if len(low) > 4:
        return None
    if "one" in low or len(low) <= 2:
        return next((fields()["ordinals"][w] for w in low if w in fields()["ordinals"]), None)
    return None


def _own_request(parser: Understanding, clause: Clause, question: Question) -> bool:
    """True if the words ask for something else rather than answer."""
    first = clause.tokens[0].low
    if first in ("what", "how", "why", "who", "show", "list"):
        return True
    if first not in parser.verbs or len(clause.tokens) < 2:
        return False
    route = parser.router.route([mask_clause(clause)])[0]
    return (
        parser.hearing.sure(route)
        and route.operation != question.operation
        and route.probability > 0.6
    )
