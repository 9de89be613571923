"""The last plan, changed: "no, version 4", "make it 20 percent", "and on the phones?"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphs.plan import Plan, Question, Step
from graphs.understanding.asking import ask
from graphs.understanding.both_sides import both_sides
from graphs.understanding.clause import Clause, strip_leading
from graphs.understanding.continuations import as_continuation, continuation
from graphs.understanding.conversation import ConversationState
from graphs.understanding.corrections import (
    compared_with,
    corrected,
    counted,
    of_alias,
    other_version,
    renamed,
    sibling,
    version_of_dataset,
    widened,
)
from graphs.understanding.ellipsis import asked_on, gone_on
from graphs.understanding.further import further, so_many
from graphs.understanding.lexicon import fields, phrases, words
from graphs.understanding.link import link
from graphs.understanding.mask import mask_clause
from graphs.understanding.names import NameView
from graphs.understanding.parsed import ParsedPlan
from graphs.understanding.restated import without_verb_again
from graphs.understanding.said import said_values, says_choice, says_only_values, unaccounted
from graphs.understanding.text import Token
from graphs.understanding.unknown_names import unknown_place, unknown_thing
from graphs.understanding.values import choices_of, number_at, read_choice
from graphs.understanding.written import alias_of, read_version
from tools.kernel.operations import Operation

if TYPE_CHECKING:
    from graphs.understanding.understanding import Understanding

_SHORT = 10
_LONG = 16
"""Words of a sentence that only adds to a plan; times have many."""
_BEYOND_DOUBT = 0.7


def amended(
    parser: Understanding, tokens: Sequence[Token], names: NameView, state: ConversationState
) -> ParsedPlan | None:
    """ "no, version 4", "make it 20 percent", "and on the phones?": the last plan, changed."""
    kept = [t for t in tokens if t.kind != "punctuation" or t.low in "%-"]
    if not kept or len(kept) > _LONG:
        return None
    if len(kept) > _SHORT:
        return _in_many_words(parser, tokens, names, state)
    last = _meant(parser, tokens, state)
    others = [plan for plan in state.recent if plan is not last]
    state = state.model_copy(update={"recent": [last, *others]})
    if steps := _at_once(parser, tokens, kept, names, last):
        return _as_changed(tokens, last, steps)
    rest, how = as_continuation(tokens)
    if how is None or not rest:
        return None
    if again := _said_again(parser, rest, how, last):
        rest = again
    makes = any(t.low == "make" for t in tokens[:2])  # `make that version champion` gives an alias
    if how == "correction":
        steps = of_alias(rest, last, names) or version_of_dataset(rest, last)
        if steps and not makes:
            return _as_changed(tokens, last, steps)
        if plan := _of_other_version(parser, rest, names, last):
            return plan
    clause = Clause(rest)
    link(clause, parser.linker, names)
    if changed := _by_values_alone(parser, tokens, clause, names, state, how):
        return changed
    if how == "ellipsis" and (added := _with_more(parser, tokens, names, state)):
        return added
    if (part := _last_part(clause)) is not None and how == "correction":
        link(part, parser.linker, names)
        if changed := _by_values_alone(parser, tokens, part, names, state, how):
            return changed
    if how == "ellipsis" and (step := asked_on(clause, last)):
        return _as_changed(tokens, last, [step])
    if _asks_anew(parser, clause, how):
        return None
    whole = _whole_request(parser, tokens, names) if how != "bare" else None
    known = {step.operation for step in last.steps}
    if how == "ellipsis" and whole is not None and whole not in known and parser.changes(whole):
        return None  # `now make that version champion` is another act
    whole = whole if how == "correction" else None
    if how == "ellipsis" and (step := gone_on(parser, clause, names, state)):
        return _as_changed(tokens, last, [step])
    for plan in state.recent if how != "bare" else [last]:
        if whole is not None and whole not in {step.operation for step in plan.steps}:
            return None
        changed = _changed(parser, plan, clause, names, state, how)
        if changed is not None:
            return _as_changed(tokens, plan, changed)
    question = _unknown(parser, tokens, rest, how, last, names)
    return question and ParsedPlan(
        text=last.text, question=question, known=last.steps[-1], confidence=0.9
    )


def _meant(parser: Understanding, tokens: Sequence[Token], state: ConversationState) -> Plan:
    """The plan that a sentence changes: the last one, or the act before looks, by its verb.

    `right, roll out 4 instead` after a look at figures is about the rollout before that.
    """
    rest, how = as_continuation(tokens)
    for plan in state.recent if how == "correction" else ():
        if any(parser.changes(step.operation) for step in plan.steps):
            return plan if _said_again(parser, rest, how, plan) else state.recent[0]
    return state.recent[0]


def _said_again(
    parser: Understanding, rest: Sequence[Token], how: str | None, last: Plan
) -> list[Token]:
    """What a correction says beside the verb of the act that it corrects."""
    operation = last.steps[-1].operation
    rest = strip_leading(list(rest), (("right",), ("ok",), ("okay",), ("well",), ("then",), (",",)))
    said = without_verb_again(rest, lambda word: parser.begins(operation, word))
    return said if how == "correction" and len(said) <= _RESTATED else []


_RESTATED = 6


def _as_changed(tokens: Sequence[Token], plan: Plan, steps: list[Step]) -> ParsedPlan:
    """A plan with other steps; what was only tried stays tried."""
    text = " ".join(t.text for t in tokens)
    return ParsedPlan(text=text, steps=steps, confidence=0.9, dry_run=plan.dry_run)


def _at_once(
    parser: Understanding,
    tokens: Sequence[Token],
    kept: Sequence[Token],
    names: NameView,
    last: Plan,
) -> list[Step]:
    """The steps of changes that need no word before them: `2 and 3 too`, `all groups`."""
    step = last.steps[-1]
    operation = parser.operations.get(step.operation)
    limits = "limit" in operation.input.model_fields
    if more := further(tokens, step, names) or so_many(tokens, step, limits):
        return more
    if (both := both_sides(tokens, last, names)) is not None:
        return [both if s.id == both.id else s for s in last.steps]
    if (wider := widened(tokens, step, operation)) is not None:
        return [*last.steps[:-1], step.model_copy(update={"arguments": wider})]
    return compared_with(kept, last, names)


def _unknown(
    parser: Understanding,
    tokens: Sequence[Token],
    rest: Sequence[Token],
    how: str,
    last: Plan,
    names: NameView,
) -> Question | None:
    """The question about what a change names and nobody knows."""
    step = last.steps[-1]
    if how == "correction" and (question := unknown_thing(parser, step, rest, names)):
        return question
    if how == "ellipsis" and _acts_on_group(parser, step) and tokens[-1].low != "?":
        also = strip_leading(list(tokens), (("and",), ("also",), ("then",)))
        if question := unknown_thing(parser, step, also, names):
            return question
    place = rest if how == "correction" else _further_place(list(tokens))
    return unknown_place(parser, step.operation, place, names) if place else None


def _acts_on_group(parser: Understanding, step: Step) -> bool:
    """True for a step that changes something on a group of devices."""
    return parser.changes(step.operation) and "group" in step.arguments


def _of_other_version(
    parser: Understanding, rest: Sequence[Token], names: NameView, last: Plan
) -> ParsedPlan | None:
    """The plan with the one other version that its model has, or the question which of them."""
    if (found := other_version(rest, last, names)) is None:
        return None
    step, others = found
    if len(others) != 1:
        operation, model = parser.operations.get(step.operation), str(step.arguments["model"])
        question = ask(operation, "version", names, of=model)
        return ParsedPlan(text=last.text, question=question, known=step, confidence=0.9)
    moved = step.model_copy(update={"arguments": {**step.arguments, "version": others[0]}})
    steps = [moved if s.id == step.id else s for s in last.steps]
    return ParsedPlan(text=last.text, steps=steps, confidence=0.9, dry_run=last.dry_run)


def _in_many_words(
    parser: Understanding, tokens: Sequence[Token], names: NameView, state: ConversationState
) -> ParsedPlan | None:
    """A longer sentence as a change: it must say values and nothing else."""
    rest, how = continuation(list(tokens))
    if how == "ellipsis":
        return _with_more(parser, tokens, names, state)
    clause = Clause(rest)
    link(clause, parser.linker, names)
    return _by_values_alone(parser, tokens, clause, names, state, how or "bare") if rest else None


def _further_place(rest: Sequence[Token]) -> list[Token]:
    """The `to the trams` of `and to the trams as well`; empty if no further place is said."""
    said = [t for t in rest if t.low not in _TOO]
    further = len(said) < len(rest) and rest[-1].low in _TOO
    return said if further else []


_TOO = frozenset(["and", "too", "as", "well", "also", "please"])


def _by_values_alone(
    parser: Understanding,
    tokens: Sequence[Token],
    clause: Clause,
    names: NameView,
    state: ConversationState,
    how: str,
) -> ParsedPlan | None:
    """The last plan with values put in, where the words say values and nothing else."""
    led = strip_leading(clause.tokens, phrases("dialogue", "leading"))
    first = next((t.low for t in led if t.kind != "punctuation"), clause.tokens[0].low)
    last = state.recent[0]
    orders = first in parser.verbs and first not in words("segment", "adding")
    if how == "ellipsis" or (first in words("segment", "questions") and how == "bare"):
        return None
    if how == "bare" and first in parser.verbs and _acts_after_a_look(parser, last, clause, names):
        return None
    makes = any(t.low == "make" for t in clause.tokens[:3])
    taken = parser.operations.get(last.steps[-1].operation).input.model_fields
    gives = makes and "alias" not in taken and alias_of(clause.tokens[-1].low) is not None
    whole = _whole_request(parser, tokens, names)
    if gives or (whole is not None and whole not in {step.operation for step in last.steps}):
        return None  # `make that version champion` gives an alias
    scope = parser.scope(names, state)
    clause = _without_remark(parser, clause, names)
    gives = any("alias" in step.arguments for step in last.steps)
    for number in range(len(last.steps) - 1, -1, -1):
        step = last.steps[number]
        operation = parser.operations.get(step.operation)
        if gives and "alias" not in step.arguments and _alias_alone(clause):
            continue  # of `promote it, then roll it out` the promotion is meant
        fresh = Clause(clause.tokens, mentions=list(clause.mentions))
        said = corrected(clause.tokens, step, names) or says_only_values(
            operation, fresh, scope, step
        )
        said = said or _class_of_device(operation, clause, step)
        said = said or sibling(clause.tokens, step, operation, names, parser.linker)
        if orders and not (said and fresh.claimed[0]):
            continue  # the verb of `skip bad rows` says a value; that of `stop it` orders
        if not said and how == "correction" and not clause.mentions:
            said = renamed(clause.tokens, step, _new_names(operation))
        if not any(step.arguments.get(name) != value for name, value in said.items()):
            continue
        moved = step.model_copy(update={"arguments": {**step.arguments, **said}})
        steps = [moved if s.id == step.id else s for s in last.steps]
        text = " ".join(t.text for t in clause.tokens)
        return ParsedPlan(text=text, steps=steps, confidence=0.9, dry_run=last.dry_run)
    return None


def _acts_after_a_look(parser: Understanding, last: Plan, clause: Clause, names: NameView) -> bool:
    """True for `put ticket-router 4 there` after a look at a group, of which it changes nothing."""
    if any(parser.changes(step.operation) for step in last.steps):
        return False
    [read] = parser.hearing.reads([Clause(list(clause.tokens))], names)
    return read.operation is not None and parser.changes(read.operation)


def _class_of_device(operation: Operation[Any, Any], clause: Clause, step: Step) -> dict[str, Any]:
    """`only the laptops`, of a group that is said already: its devices of this class."""
    if "profile" not in operation.input.model_fields or "group" not in step.arguments:
        return {}
    fresh = Clause(clause.tokens)
    choices = choices_of(operation.input.model_fields["profile"])
    if clause.mentions or (found := read_choice(fresh, "profile", choices)) is None:
        return {}
    fresh.claim(*found[1], by="profile")
    return {"profile": found[0]} if set(unaccounted(fresh)) <= {"only", "just", "there"} else {}


def _alias_alone(clause: Clause) -> bool:
    """True for words of which an alias is all that they name."""
    return not clause.mentions and any(alias_of(t.low) for t in clause.tokens)


def _with_more(
    parser: Understanding, tokens: Sequence[Token], names: NameView, state: ConversationState
) -> ParsedPlan | None:
    """`and only at night` of a plan that waits: the plan with what it did not say before."""
    waits = state.proposed
    if waits is None or waits.steps != state.recent[0].steps or tokens[-1].low == "?":
        return None
    step = waits.steps[-1]
    led = (*phrases("dialogue", "ellipsis"), ("and",), ("only",), ("also",), ("please",), ("just",))
    clause = Clause(strip_leading([t for t in tokens if t.low not in ",.!"], led))
    link(clause, parser.linker, names)
    operation = parser.operations.get(step.operation)
    said = says_only_values(operation, clause, parser.scope(names, state), step)
    if not said or set(said) & set(step.arguments):
        return None
    steps = [*waits.steps[:-1], step.model_copy(update={"arguments": {**step.arguments, **said}})]
    text = " ".join(t.text for t in tokens)
    return ParsedPlan(text=text, steps=steps, confidence=0.9, dry_run=waits.dry_run)


def _new_names(operation: Operation[Any, Any]) -> list[str]:
    table = fields()["operations"].get(operation.name, {})
    return [n for n, spec in table.items() if spec.get("reader") == "new_name"]


def _last_part(clause: Clause) -> Clause | None:
    """What is wanted after what is wrong: the `thirty` of `hmm too timid, thirty`."""
    commas = [i for i, t in enumerate(clause.tokens[:-1]) if t.low == ","]
    if not commas or any(m.start < commas[-1] for m in clause.mentions):
        return None
    return Clause(clause.tokens[commas[-1] + 1 :])


def _without_remark(parser: Understanding, clause: Clause, names: NameView) -> Clause:
    """`only five percent, they are nervous` without its reason."""
    for at, token in enumerate(clause.tokens):
        rest = {t.low for t in clause.tokens[at + 1 :]}
        if at and token.low == "," and rest & words("segment", "remarks"):
            kept = Clause(clause.tokens[:at])
            link(kept, parser.linker, names)
            return kept
    return clause


def _whole_request(parser: Understanding, tokens: Sequence[Token], names: NameView) -> str | None:
    """The operation that the whole sentence asks for by itself, if that is beyond doubt.

    "make it the challenger" begins like a correction and is a wish of its own.
    """
    said = strip_leading(list(tokens), phrases("dialogue", "leading"))
    while said and said[0].kind == "punctuation":
        said = said[1:]
    clause = Clause(said or list(tokens))
    link(clause, parser.linker, names)
    route = parser.router.route([mask_clause(clause)])[0]
    if not parser.hearing.sure(route) or route.probability < _BEYOND_DOUBT:
        return None
    return route.operation if says_choice(parser.operations.get(route.operation), clause) else None


def _asks_anew(parser: Understanding, clause: Clause, how: str) -> bool:
    """True if the words hold a wish of their own beside what they might change."""
    low = [t.low for t in clause.tokens]
    covered = sum(m.end - m.start for m in clause.mentions)
    if how == "bare":
        return (
            True if len(low) - covered > 3 or low[0] in parser.verbs else not _only_values(clause)
        )
    if how == "ellipsis":
        led = strip_leading(list(clause.tokens), phrases("dialogue", "ellipsis"))
        first = led[0].low if led else ""
        if first in parser.verbs and first not in words("segment", "adding"):
            return True
        low = [t.low for t in led]
    content = [w for w in low if w in parser.verbs]
    if (
        content
        and low
        and low[0] in parser.verbs
        and low[0] not in {"make", "use", "change", "set", "take", "do", "call", "name"}
    ):
        return True
    return len(low) - covered > 6


def _only_values(clause: Clause) -> bool:
    free = [
        t.low
        for i, t in enumerate(clause.tokens)
        if not any(m.start <= i < m.end for m in clause.mentions) and t.kind != "punctuation"
    ]
    allowed = {
        "version",
        "the",
        "on",
        "to",
        "only",
        "not",
        "just",
        "instead",
        "please",
        "percent",
        "epochs",
        "for",
        "with",
    }
    return all(w in allowed or w[0].isdigit() or read_version(w) is not None for w in free)


def _left(clause: Clause) -> list[float]:
    """The numbers that nothing has used."""
    return [
        number[0]
        for at, token in enumerate(clause.tokens)
        if token.kind == "number"
        and clause.free(at, at + 1)
        and (number := number_at(clause.tokens, at))
    ]


def _named_anew(
    parser: Understanding, operation: Operation[Any, Any], clause: Clause, read: dict[str, Any]
) -> bool:
    """False where something new needs a name of its own and none is said.

    `and jasper as operator` after a user was added is another user, never the one before.
    """
    table = fields()["operations"].get(operation.name, {})
    for name in (n for n, spec in table.items() if spec.get("bare") and n not in read):
        word = next((t for t in clause.tokens if t.low not in parser.known), None)
        if word is None or word.kind not in ("word", "quote"):
            return False
        read[name] = word.text
    return True


def _changed(
    parser: Understanding,
    last: Plan,
    clause: Clause,
    names: NameView,
    state: ConversationState,
    how: str,
) -> list[Step] | None:
    """The steps of the last plan with what the clause says put in; None if it fits none of them."""
    best: tuple[int, list[Step]] | None = None
    scope = parser.scope(names, state)
    for number in range(len(last.steps) - 1, -1, -1):
        step = last.steps[number]
        operation = parser.operations.get(step.operation)
        fresh = Clause(clause.tokens, mentions=list(clause.mentions))
        read = said_values(operation, fresh, scope, step)
        if read and how == "correction" and (left := _left(fresh)):
            if not (more := counted(left, step, read)):
                continue
            read |= more
        if how == "ellipsis" and not _named_anew(parser, operation, fresh, read):
            continue
        said = {k: v for k, v in read.items() if step.arguments.get(k) != v}
        if not read or (how == "bare" and not said):
            continue
        moved = Step(
            id="s1" if how == "ellipsis" else step.id,
            operation=step.operation,
            arguments={**step.arguments, **read},
            depends_on=[] if how == "ellipsis" else step.depends_on,
            condition=None if how == "ellipsis" else step.condition,
        )
        steps = (
            [moved] if how == "ellipsis" else [moved if s.id == step.id else s for s in last.steps]
        )
        if best is None or len(read) > best[0]:
            best = (len(read), steps)
    return best[1] if best else None
