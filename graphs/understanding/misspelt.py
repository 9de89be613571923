"""A misspelt name in an answer or a change of a dangerous act: it is asked about, never guessed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphs.plan import Question, Step
from graphs.understanding.answers import linked
from graphs.understanding.asking import ask
from graphs.understanding.clause import Mention
from graphs.understanding.names import NameView
from graphs.understanding.text import Token

if TYPE_CHECKING:
    from graphs.understanding.understanding import Understanding

_MOST = 8
"""Words of a sentence that only answers or changes something."""


def misspelt_answer(
    parser: Understanding, question: Question, tokens: Sequence[Token], names: NameView
) -> Question | None:
    """The question once more with what a misspelt answer may mean; None if nothing is misspelt.

    Args:
        parser: what is understood.
        question: what was asked.
        tokens: the answer.
        names: the catalogue.
    """
    if not parser.dangerous(question.operation):
        return None
    found = _about(parser, question.operation, [question.slot], tokens, names)
    return found[0] if found else None


def misspelt_change(
    parser: Understanding, steps: Sequence[Step], tokens: Sequence[Token], names: NameView
) -> tuple[Question, Step, str] | None:
    """The question what a change of a plan names, the step, and the change without that name.

    Args:
        parser: what is understood.
        steps: those of the plan.
        tokens: the change.
        names: the catalogue.
    """
    if sum(t.kind != "punctuation" for t in tokens) > _MOST or _orders(parser, tokens):
        return None
    for step in reversed(steps):
        if not parser.dangerous(step.operation):
            continue
        if found := _about(parser, step.operation, list(step.arguments), tokens, names):
            return found[0], step, found[1]
    return None


def _orders(parser: Understanding, tokens: Sequence[Token]) -> bool:
    """True for a sentence that is a wish of its own: there the name is asked about anyway."""
    words = [t.low for t in tokens if t.kind != "punctuation"]
    return bool(words) and words[0] in parser.verbs


def _about(
    parser: Understanding,
    name: str,
    slots: Sequence[str],
    tokens: Sequence[Token],
    names: NameView,
) -> tuple[Question, str] | None:
    """The question about the first misspelt name of some slots, and the words with `{}` for it."""
    operation = parser.operations.get(name)
    kinds = {slot: operation.slots[slot].kind for slot in slots if slot in operation.slots}
    for mention in linked(parser, tokens, names):
        slot = next((slot for slot, kind in kinds.items() if kind is mention.kind), None)
        if slot is not None and mention.how == "slip":
            meant = [entry.name for entry in mention.names]
            told = f"I know no {str(mention.kind.value).replace('_', ' ')} called "
            told += f"{_said(tokens, mention)!r}. Did you mean {meant[0]}?"
            question = ask(operation, slot, names, said=told, candidates=meant)
            before, after = tokens[: mention.start], tokens[mention.end :]
            return question, f"{_words(before)} {{}} {_words(after)}".strip()
    return None


def _said(tokens: Sequence[Token], mention: Mention) -> str:
    return _words(tokens[mention.start : mention.end])


def _words(tokens: Sequence[Token]) -> str:
    return " ".join(t.text for t in tokens)
