"""Short sentences that have a meaning only in their conversation: yes, no, "version 4"."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphs.plan import Plan, Question, Step
from graphs.understanding import guards, later, values
from graphs.understanding.amend import amended, unknown_place
from graphs.understanding.clause import Clause, Mention, join, strip_leading
from graphs.understanding.conversation import ConversationState, Pending
from graphs.understanding.leaving_out import left_out
from graphs.understanding.lexicon import fields, phrases, words
from graphs.understanding.link import link
from graphs.understanding.mask import mask_clause
from graphs.understanding.models import model_mentions
from graphs.understanding.names import NameView
from graphs.understanding.no_order import excluded
from graphs.understanding.read_groups import new_group
from graphs.understanding.rescheduling import rescheduled
from graphs.understanding.returning import taken_up
from graphs.understanding.said import said_values, says_only_values
from graphs.understanding.text import Token, tokenise
from graphs.understanding.what_if import tried
from graphs.understanding.written import read_version
from tools.kernel.entities import EntityKind, fold
from tools.kernel.operations import Effect

if TYPE_CHECKING:
    from graphs.understanding.understanding import ParsedPlan, Understanding

_SHORT = 9
_NEWEST = frozenset(["latest", "newest", "last"])


def answer_to_open(
    parser: Understanding,
    tokens: Sequence[Token],
    text: str,
    names: NameView,
    state: ConversationState,
) -> ParsedPlan | None:
    """The plan of a sentence that answers, corrects or continues; None if it stands by itself."""
    from graphs.understanding.understanding import ParsedPlan

    if trial := tried(parser, tokens, state):
        return ParsedPlan(text=text, steps=trial.steps, dry_run=True, confidence=0.9)
    if changed := rescheduled(tokens, state.proposed) or left_out(tokens, state.proposed):
        return ParsedPlan(text=text, steps=changed, confidence=0.9)
    act = guards.act(tokens)
    if act in ("thanks", "greeting", "farewell"):
        return ParsedPlan(abstained=True, confidence=0.95, reply=parser.replies.social(act))
    agrees_with_none = act == "yes" and state.proposed is not None
    if state.pending is not None and act != "cancel" and not agrees_with_none:
        answered = _answer(parser, tokens, names, state)
        if answered is not None:
            return answered
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
    told = acts and excluded(tokens, _linked(parser, tokens, names))
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
    from graphs.understanding.understanding import ParsedPlan

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


_OF_A_JOB = words("words", "determiners") | {
    "job", "training", "run", "number", "nr", "no", "please", "it", "it's", "is", "take", "use",
    "with", "one", "id", "tuning", "pls", "register", "i", "mean", "meant", "think",
}  # fmt: skip

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
    from graphs.understanding.understanding import ParsedPlan

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
    from graphs.understanding.understanding import ParsedPlan

    begins = fields()["begins"].get(plan.steps[0].operation) if len(plan.steps) == 1 else None
    if begins is None:
        return None
    taken = parser.operations.get(begins).input.model_fields
    arguments = {k: v for k, v in plan.steps[0].arguments.items() if k in taken}
    step = Step(id="s1", operation=begins, arguments=arguments)
    return ParsedPlan(text=plan.text, steps=[step], confidence=0.9)


def _answer(
    parser: Understanding, tokens: Sequence[Token], names: NameView, state: ConversationState
) -> ParsedPlan | None:
    pending = state.pending
    assert pending is not None  # noqa: S101 - asked by the caller
    if pending.question.operation == later.CREATE:
        timing = later.timing_of_answer(join(tokens), state.now, pending.question)
        value = timing.model_dump(mode="json") if timing else None
    else:
        value = value_for(parser, pending.question, tokens, names)
    if value is None and len(pending.question.candidates) == 1 and guards.act(tokens) == "yes":
        value = pending.question.candidates[0]
    if value is None:
        asked = _asked_again(parser, tokens, names, state)
        return asked or _told_more(parser, pending, tokens, names, state)
    key = f"{pending.question.operation}.{pending.question.slot}"
    answers, text = {**pending.answers, key: value}, pending.text
    if (mended := _with_number(pending.text, pending.question, value)) is not None:
        answers, text = pending.answers, mended
    plan = parser.read(text, tokenise(text), names, state, answers)
    plan.text = text
    _add_further(parser, plan, pending.question, tokens, names, state)
    return plan


def _told_more(
    parser: Understanding,
    pending: Pending,
    tokens: Sequence[Token],
    names: NameView,
    state: ConversationState,
) -> ParsedPlan | None:
    """The question once more, where `just 10 percent` says something else about the same act."""
    if pending.question.operation == later.CREATE or len(tokens) > _SHORT:
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
    """The same question once more, where the answer names a group that nobody knows."""
    from graphs.understanding.understanding import ParsedPlan

    pending = state.pending
    if pending is None or pending.question.slot != "group":
        return None
    question = unknown_place(parser, pending.question.operation, tokens, names)
    if question is None:
        return None
    plan = ParsedPlan(text=pending.text, question=question, confidence=0.9)
    plan.answers = pending.answers
    return plan


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
    if step is None:
        return
    clause = Clause(list(tokens))
    link(clause, parser.linker, names)
    operation = parser.operations.get(question.operation)
    said = said_values(operation, clause, parser.scope(names, state), step)
    for name, value in said.items():
        step.arguments.setdefault(name, value)


def value_for(
    parser: Understanding, question: Question, tokens: Sequence[Token], names: NameView
) -> Any:
    """The value that answers a question, if the sentence is no request of its own."""
    operation = parser.operations.get(question.operation)
    info = operation.input.model_fields[question.slot]
    slot = operation.slots.get(question.slot)
    kept = [
        t
        for t in strip_leading(list(tokens), phrases("dialogue", "correction"))
        if t.kind != "punctuation" or t.low in "%"
    ]
    if not kept or len(kept) > _SHORT:
        return None
    clause = Clause(kept)
    link(clause, parser.linker, names)
    if excluded(tokens, _linked(parser, tokens, names)):
        return None
    if choices := values.choices_of(info):
        found = values.read_choice(clause, question.slot, choices)
        return found[0] if found and not _own_request(parser, clause, question) else None
    if slot is None or slot.kind is None:
        return _plain_answer(parser, question, clause, tokens)
    if slot.kind is EntityKind.MODEL_VERSION:
        return _version_answer(parser, clause, question, names)
    if slot.kind is EntityKind.JOB:
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


def _linked(parser: Understanding, tokens: Sequence[Token], names: NameView) -> list[Mention]:
    clause = Clause(list(tokens))
    link(clause, parser.linker, names)
    return clause.mentions


def _plain_answer(
    parser: Understanding, question: Question, clause: Clause, tokens: Sequence[Token]
) -> Any:
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
    if question.slot == "name":
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
    return parser.sure(route) and route.operation != question.operation and route.probability > 0.6
