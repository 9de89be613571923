"""Short sentences that only mean something in their conversation: yes, "version 4", "on the phones"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphs.plan import Plan, Question, Step
from graphs.understanding import guards, values
from graphs.understanding.clause import Clause, strip_leading
from graphs.understanding.conversation import ConversationState
from graphs.understanding.fill import Filled, Filler, Scope
from graphs.understanding.lexicon import phrases
from graphs.understanding.link import link, read_version, version_names
from graphs.understanding.mask import mask_clause
from graphs.understanding.models import model_mentions
from graphs.understanding.names import NameView
from graphs.understanding.text import Token, find_phrase, tokenise
from tools.kernel.entities import EntityKind, fold

if TYPE_CHECKING:
    from graphs.understanding.understanding import ParsedPlan, Understanding

_SHORT = 9


def answer_to_open(
    parser: Understanding,
    tokens: Sequence[Token],
    text: str,
    names: NameView,
    state: ConversationState,
) -> ParsedPlan | None:
    """The plan of a sentence that answers, corrects or continues; None if it stands by itself."""
    from graphs.understanding.understanding import ParsedPlan

    act = guards.act(tokens)
    if act in ("thanks", "greeting", "farewell"):
        return ParsedPlan(abstained=True, confidence=0.95, reply=parser._replies.social(act))
    if state.pending is not None and act not in ("cancel", "yes"):
        answered = _answer(parser, tokens, names, state)
        if answered is not None:
            return answered
    if act is not None:
        return _decided(parser, act, state)
    if state.last is not None:
        return _amended(parser, tokens, names, state)
    return None


def _decided(parser: Understanding, act: str, state: ConversationState) -> ParsedPlan | None:
    from graphs.understanding.understanding import ParsedPlan

    if act == "yes" and state.proposed is not None:
        return ParsedPlan.model_validate(state.proposed.model_dump())
    if act in ("no", "cancel") and (state.proposed is not None or state.pending is not None):
        return ParsedPlan(confidence=0.95, reply=parser._replies.cancelled(), drops_pending=True)
    return ParsedPlan(confidence=0.9, reply=parser._replies.nothing_open())


def _answer(
    parser: Understanding, tokens: Sequence[Token], names: NameView, state: ConversationState
) -> ParsedPlan | None:
    pending = state.pending
    assert pending is not None  # noqa: S101 - asked by the caller
    value = value_for(parser, pending.question, tokens, names)
    if value is None:
        return None
    key = f"{pending.question.operation}.{pending.question.slot}"
    answers = {**pending.answers, key: value}
    plan = parser.read(pending.text, tokenise(pending.text), names, state, answers)
    plan.text = pending.text
    return plan


def value_for(
    parser: Understanding, question: Question, tokens: Sequence[Token], names: NameView
) -> Any:
    """The value that answers a question, if the sentence is no request of its own."""
    operation = parser.operations.get(question.operation)
    info = operation.input.model_fields[question.slot]
    slot = operation.slots.get(question.slot)
    kept = [t for t in strip_leading(list(tokens), phrases("dialogue", "correction")) if t.kind != "punctuation" or t.low in "%"]
    if not kept or len(kept) > _SHORT:
        return None
    clause = Clause(kept)
    link(clause, parser.linker, names)
    if choices := values.choices_of(info):
        found = values.read_choice(clause, question.slot, choices)
        return found[0] if found and not _own_request(parser, clause, question) else None
    if slot is None or slot.kind is None:
        return _plain_answer(parser, question, clause, tokens)
    if slot.kind is EntityKind.MODEL_VERSION:
        return _version_answer(parser, clause, question, names)
    if slot.kind is EntityKind.JOB:
        numbers = [n[0] for i in range(len(kept)) if (n := values.number_at(kept, i))]
        return int(numbers[0]) if len(numbers) == 1 and not _own_request(parser, clause, question) else None
    return _named_answer(parser, clause, question, slot.kind, names)


def _plain_answer(
    parser: Understanding, question: Question, clause: Clause, tokens: Sequence[Token]
) -> Any:
    if path := values.read_path(clause):
        return path[0]
    if _own_request(parser, clause, question):
        return None
    info = parser.operations.get(question.operation).input.model_fields[question.slot]
    if values.bare_type(info) in (int, float):
        found = next((n for i in range(len(clause.tokens)) if (n := values.number_at(clause.tokens, i))), None)
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
    if version is None and len(clause.tokens) <= 3:
        version = next(
            (read_version(t.low) for t in clause.tokens if read_version(t.low) is not None), None
        )
        number = values.number_at(clause.tokens, len(clause.tokens) - 1)
        if version is None and number:
            version = int(number[0])
    if version is None and {t.low for t in clause.tokens} & {"latest", "newest", "last"} and question.candidates:
        version = int(question.candidates[0]) if question.candidates[0].isdigit() else None
    if version is None or _own_request(parser, clause, question):
        return None
    return version


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
    return None


def _ordinal(clause: Clause) -> int | None:
    from graphs.understanding.lexicon import fields

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


# corrections and continuations of the last plan


def _amended(
    parser: Understanding, tokens: Sequence[Token], names: NameView, state: ConversationState
) -> ParsedPlan | None:
    """"no, version 4", "make it 20 percent", "and on the phones?": the last plan, changed."""
    from graphs.understanding.understanding import ParsedPlan

    last = state.last
    assert last is not None  # noqa: S101 - asked by the caller
    kept = [t for t in tokens if t.kind != "punctuation" or t.low in "%-"]
    if not kept or len(kept) > _SHORT:
        return None
    rest, how = _continuation(list(tokens))
    if how is None or not rest:
        return None
    clause = Clause(rest)
    link(clause, parser.linker, names)
    if _asks_anew(parser, clause, how):
        return None
    changed = _changed(parser, last, clause, names, state, how)
    if changed is None:
        return None
    return ParsedPlan(
        text=" ".join(t.text for t in tokens), steps=changed, confidence=0.9, dry_run=last.dry_run
    )


def _continuation(tokens: list[Token]) -> tuple[list[Token], str | None]:
    stripped = [t for t in tokens]
    while stripped and stripped[0].kind == "punctuation":
        stripped = stripped[1:]
    for how in ("correction", "ellipsis"):
        rest, found = stripped, False
        while rest:
            size = _leading(rest, how)
            if not size:
                break
            rest, found = rest[size:], True
            while rest and rest[0].kind == "punctuation":
                rest = rest[1:]
        if found and rest:
            return stripped if how == "ellipsis" else rest, how
    return stripped, "bare"


def _leading(tokens: list[Token], how: str) -> int:
    for phrase in phrases("dialogue", how):
        if find_phrase(tokens, phrase, 0, len(phrase)) == 0:
            return len(phrase)
    return 0


def _asks_anew(parser: Understanding, clause: Clause, how: str) -> bool:
    """True if the words hold a wish of their own beside what they might change."""
    low = [t.low for t in clause.tokens]
    covered = sum(m.end - m.start for m in clause.mentions)
    if how == "bare":
        return True if len(low) - covered > 3 or low[0] in parser.verbs else not _only_values(clause)
    content = [w for w in low if w in parser.verbs]
    if content and low[0] in parser.verbs and low[0] not in {"make", "use", "change", "set", "take", "do", "call", "name"}:
        return True
    return len(low) - covered > 6


def _only_values(clause: Clause) -> bool:
    free = [
        t.low
        for i, t in enumerate(clause.tokens)
        if not any(m.start <= i < m.end for m in clause.mentions) and t.kind != "punctuation"
    ]
    allowed = {"version", "the", "on", "to", "only", "not", "just", "instead", "please", "percent", "epochs", "for", "with"}
    return all(w in allowed or w[0].isdigit() or read_version(w) is not None for w in free)


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
    for number in range(len(last.steps) - 1, -1, -1):
        step = last.steps[number]
        operation = parser.operations.get(step.operation)
        fresh = Clause(clause.tokens, mentions=list(clause.mentions))
        read = _values_said(parser, operation, fresh, names, state, step)
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
        steps = [moved] if how == "ellipsis" else [moved if s.id == step.id else s for s in last.steps]
        if best is None or len(read) > best[0]:
            best = (len(read), steps)
    return best[1] if best else None


def _values_said(
    parser: Understanding,
    operation: Any,
    clause: Clause,
    names: NameView,
    state: ConversationState,
    step: Step,
) -> dict[str, Any]:
    """The arguments of an operation that the clause itself says."""
    kept: dict[str, Any] = {}
    versions = model_mentions(clause)
    if "version" in operation.input.model_fields and versions and versions[0].version is not None:
        item = versions[0]
        model = item.mention.names[0].name if item.mention else step.arguments.get("model")
        known = version_names(model, names) if isinstance(model, str) else []
        if isinstance(item.version, str):
            number = next((n.name for n in known if item.version in n.also), None)
            kept["version"] = int(number) if number and number.isdigit() else item.version
        elif not known or any(n.name == str(item.version) for n in known):
            kept["version"] = item.version
        if item.mention:
            kept["model"] = model
        if kept:
            clause.claim(item.start, item.end, "version")
    scope = Scope(
        names, parser.linker, ConversationState(), [], {}, parser.verbs, parser.operations, ""
    )
    filler = Filler(operation, clause, scope)
    filler.out = Filled(arguments=dict(kept))
    readers = [filler._numbers, filler._choices, filler._entities]
    if "version" not in kept:
        readers.insert(0, filler._models)
    readers.append(filler._phrases)
    for reader in readers:
        reader()
        if filler.out.question is not None:
            return {}
    free_text = {"question", "query", "topic"}
    return {k: v for k, v in filler.out.arguments.items() if k not in free_text}
