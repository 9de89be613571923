"""A question that waits, and the sentence that answers it, tells more or asks something else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphs.plan import Question, Step
from graphs.understanding import guards, later
from graphs.understanding.all_of_them import for_each
from graphs.understanding.amend import amended
from graphs.understanding.answers import SHORT, value_for
from graphs.understanding.asking import ask
from graphs.understanding.clause import Clause, join, strip_leading
from graphs.understanding.conversation import ConversationState, Pending
from graphs.understanding.lexicon import words
from graphs.understanding.link import link
from graphs.understanding.misspelt import misspelt_answer
from graphs.understanding.names import NameView
from graphs.understanding.parsed import ParsedPlan
from graphs.understanding.said import said_values, says_only_values
from graphs.understanding.text import Token, tokenise
from graphs.understanding.unknown_names import unknown_place

if TYPE_CHECKING:
    from graphs.understanding.understanding import Understanding


def answered(
    parser: Understanding, tokens: Sequence[Token], names: NameView, state: ConversationState
) -> ParsedPlan | None:
    """The plan of the sentence that waits for an answer, once this one answers it.

    Args:
        parser: what is understood.
        tokens: the answer.
        names: the catalogue.
        state: the conversation, in which a question waits.

    Returns:
        The plan, or the question once more; None where the sentence says nothing about it.
    """
    pending = state.pending
    assert pending is not None  # noqa: S101 - asked by the caller
    if pending.question.operation == later.CREATE:
        timing = later.timing_of_answer(join(tokens), state.now, pending.question)
        value = timing.model_dump(mode="json") if timing else None
    else:
        value = value_for(parser, pending.question, tokens, names)
    if value is None and len(pending.question.candidates) == 1 and guards.act(tokens) == "yes":
        value = pending.question.candidates[0]
    if value is not None and pending.change:
        return _with_change(parser, pending, value, names, state)
    key = f"{pending.question.operation}.{pending.question.slot}"

    def with_answer(said: Any) -> ParsedPlan:
        given = {**pending.answers, key: said}
        return parser.read(pending.text, tokenise(pending.text), names, state, given)

    if value is None and (each := for_each(pending.question, tokens, with_answer)):
        each.text = pending.text
        return each
    if value is None:
        asked = _asked_again(parser, tokens, names, state)
        return asked or _told_more(parser, pending, tokens, names, state)
    answers, text = {**pending.answers, key: value}, pending.text
    if (mended := _with_number(pending.text, pending.question, value)) is not None:
        answers, text = pending.answers, mended
    plan = parser.read(text, tokenise(text), names, state, answers)
    further = _said_beside(parser, pending.question, tokens, names, state)
    while plan.question is not None and plan.question.slot in further:
        slot = plan.question.slot  # `ticket-router 5` answers which model and which version
        answers = answers | {f"{pending.question.operation}.{slot}": further.pop(slot)}
        plan = parser.read(text, tokenise(text), names, state, answers)
    plan.text = text
    _add_further(parser, plan, pending.question, tokens, names, state)
    return plan


def _with_change(
    parser: Understanding, pending: Pending, value: Any, names: NameView, state: ConversationState
) -> ParsedPlan | None:
    """The plan that was to be changed, with the change that the answer makes clear."""
    plan = next((plan for plan in state.recent if plan.text == pending.text), None)
    if plan is None:
        return None
    before = state.model_copy(update={"recent": [plan], "pending": None})
    return amended(parser, tokenise(pending.change.replace("{}", str(value))), names, before)


def _told_more(
    parser: Understanding,
    pending: Pending,
    tokens: Sequence[Token],
    names: NameView,
    state: ConversationState,
) -> ParsedPlan | None:
    """The question once more, where `just 10 percent` says something else about the same act."""
    if pending.question.operation == later.CREATE or len(tokens) > SHORT:
        return None
    led = (("just",), ("only",), ("and",), ("but",), ("also",), ("please",))
    clause = Clause(strip_leading([t for t in tokens if t.low not in ",.!"], led))
    if not clause.tokens or clause.tokens[0].low in parser.verbs:
        return None
    link(clause, parser.linker, names)
    operation = parser.operations.get(pending.question.operation)
    step = Step(id="asked", operation=operation.name)
    said = says_only_values(operation, clause, parser.scope(names, state), step)
    if not said or pending.question.slot in said:
        return None
    answers = pending.answers | {f"{operation.name}.{name}": v for name, v in said.items()}
    plan = parser.read(pending.text, tokenise(pending.text), names, state, answers)
    plan.text, plan.answers = pending.text, answers
    return plan


def _with_number(text: str, question: Question, value: Any) -> str | None:
    """The sentence with a number in the place of the one that is out of bounds, if it says that."""
    if not isinstance(value, int | float) or question.candidates:
        return None
    numbers = [t for t in tokenise(text) if t.kind == "number"]
    wrong = [t for t in numbers if f" says {t.text};" in question.text]
    if len(wrong) != 1:
        return None
    return f"{text[: wrong[0].start]}{value:g}{text[wrong[0].end :]}"


def _asked_again(
    parser: Understanding, tokens: Sequence[Token], names: NameView, state: ConversationState
) -> ParsedPlan | None:
    """The same question once more, where the answer names what nobody knows."""
    pending = state.pending
    if pending is None:
        return None
    asked = pending.question
    question = misspelt_answer(parser, asked, tokens, names)
    if question is None and asked.slot == "group":
        question = unknown_place(parser, asked.operation, tokens, names)
    question = question or _unknown_name(parser, asked, tokens, names)
    if question is None:
        return None
    plan = ParsedPlan(text=pending.text, question=question, confidence=0.9)
    plan.answers = pending.answers
    return plan


def _unknown_name(
    parser: Understanding, question: Question, tokens: Sequence[Token], names: NameView
) -> Question | None:
    """The question once more, where a word that nobody knows answers it: `on weather-logs`."""
    operation = parser.operations.get(question.operation)
    slot = operation.slots.get(question.slot)
    said = [t for t in tokens if t.kind == "word" and t.low not in _LEADING]
    if slot is None or slot.kind is None or not slot.closed or len(said) != 1:
        return None
    word = said[0]
    if word.low in parser.known or any(c.isdigit() for c in word.low):
        return None
    near = [name.name for name in parser.linker.near(slot.kind, word.text, names)]
    told = f"I know no {slot.kind.value.replace('_', ' ')} called {word.text!r}."
    told += f" Did you mean {near[0]}?" if near else ""
    return ask(operation, question.slot, names, said=told, candidates=near or None)


_LEADING = (
    words("words", "determiners") | words("words", "prepositions") | {"use", "take", "please"}
)


def _add_further(
    parser: Understanding,
    plan: ParsedPlan,
    question: Question,
    tokens: Sequence[Token],
    names: NameView,
    state: ConversationState,
) -> None:
    """Add what an answer says beside what was asked: `for legal, last 90 days`."""
    step = next((s for s in plan.steps if s.operation == question.operation), None)
    if step is not None:
        for name, value in _said_beside(parser, question, tokens, names, state, step).items():
            step.arguments.setdefault(name, value)


def _said_beside(
    parser: Understanding,
    question: Question,
    tokens: Sequence[Token],
    names: NameView,
    state: ConversationState,
    step: Step | None = None,
) -> dict[str, Any]:
    """The arguments that an answer says."""
    clause = Clause(list(tokens))
    link(clause, parser.linker, names)
    operation = parser.operations.get(question.operation)
    asked = step or Step(id="asked", operation=operation.name)
    return said_values(operation, clause, parser.scope(names, state), asked)
