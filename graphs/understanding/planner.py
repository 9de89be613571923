"""Clauses become the steps of one plan: routed, filled, joined by references and conditions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphs.plan import Condition, Step, references
from graphs.understanding.asking import ask
from graphs.understanding.clause import Clause
from graphs.understanding.conditions import (
    Wanted,
    affirmed,
    is_courtesy,
    plain,
    read_condition,
    step_with,
    succeeds,
    typed,
    wanted_state,
)
from graphs.understanding.conditions_of_tests import told_by_test
from graphs.understanding.conversation import ConversationState
from graphs.understanding.draft import Draft, Read
from graphs.understanding.fill import fill
from graphs.understanding.lexicon import fields, phrases, words
from graphs.understanding.link import Linker, link
from graphs.understanding.models import model_mentions
from graphs.understanding.moved_conditions import conditions_moved
from graphs.understanding.names import NameView
from graphs.understanding.other_branch import told_of_what_is_there
from graphs.understanding.pairs import (
    COMPARE,
    THE_TWO,
    against_each_other,
    each,
    measured,
    subjects,
)
from graphs.understanding.plan_steps import ends, every, number_anew, same_step
from graphs.understanding.reading import Filled, Reading, Scope
from graphs.understanding.said import said_values, says_only_values
from graphs.understanding.sides import agreed, meant, side_brought, side_won, unsettled
from graphs.understanding.text import Token, tokenise
from graphs.understanding.winners import sides, winner_at, won_before
from graphs.understanding.written import read_version
from tools.kernel.entities import EntityKind
from tools.kernel.operations import Effect, OperationSet

_WHICH = frozenset(["which", "who", "whether"])


class Planner:
    """Turns routed clauses into steps."""

    def __init__(
        self,
        operations: OperationSet,
        linker: Linker,
        verbs: frozenset[str],
        known: frozenset[str],
    ) -> None:
        self._known = known
        self._operations = operations
        self._linker = linker
        self._verbs = verbs

    def plan(
        self,
        reads: Sequence[Read],
        names: NameView,
        conversation: ConversationState,
        answers: dict[str, Any],
        whole: str,
    ) -> Draft:
        """The steps of all clauses, up to the first question."""
        draft = Draft(reads=list(reads))
        if (unclear := conditions_moved(reads, self._operations)) is not None:
            draft.unclear = unclear
            return draft
        condition: tuple[Wanted, str] | None = None
        governing: Condition | None = None
        asked: Wanted | None = None
        for read in reads:
            scope = Scope(
                names, self._linker, conversation, draft.steps, answers, self._verbs,
                self._operations, self._known, whole,
            )  # fmt: skip
            typed_condition: Condition | None = None
            draft.kept |= {token.start for token in read.clause.condition or ()}
            words = plain(read.clause.condition or ())
            read.clause.condition = words or None
            if words and (is_courtesy(words) or succeeds(words) or self._takes_in(read, scope)):
                after = succeeds(words) and bool(draft.steps)
                read.clause.link = "then" if after else read.clause.link
                words = None
            if words:
                condition = self._condition(read, scope, draft)
                if condition is None:
                    return draft
                typed_condition = typed(*condition)
            elif read.clause.link == "otherwise" and condition is not None:
                typed_condition = typed(*condition, otherwise=True)
            elif read.clause.governed and governing and self._acts(read):
                typed_condition = governing
            elif asked and draft.steps and self._acts(read):
                condition = (asked.seen_from(draft.steps[-1]), draft.steps[-1].id)
                typed_condition = typed(*condition)
            if not read.clause.governed:
                governing = typed_condition
            if (
                typed_condition
                and condition
                and not self._settled(read, condition, typed_condition.otherwise, draft, scope)
            ):
                return draft
            known, beside = len(draft.steps), read.clause.link == "beside"
            draft.ahead = draft.ahead if beside else draft.last
            for part, wins in self._of_winner(read, draft, scope):
                self._add(part, scope, draft, typed_condition or wins)
            kept = draft.last if beside else []
            draft.last = [*kept, *ends(draft.steps[known:])] or draft.last
            asked = self._asked(read)
            if draft.question is not None:
                return draft
        self._without_vaguer(draft)
        draft.steps[:] = told_of_what_is_there(draft.steps)
        return draft

    def _of_winner(
        self, read: Read, draft: Draft, scope: Scope
    ) -> list[tuple[Read, Condition | None]]:
        """A read, or one for each side that may win the comparison before it."""
        if read.clause.condition or not self._acts(read):
            return [(read, None)]
        takes = self._operations.get(read.operation or "").input.model_fields
        self._compared(read, draft, scope)
        if not draft.steps and (won := won_before(read.clause, takes, scope.conversation)):
            draft.kept |= {token.start for token in read.clause.tokens}
            read.subject, read.clause = won[0], self._linked(won[1], read.clause.link, scope)
            return [(read, None)]
        parts = sides(read.clause, read.operation or "", draft.steps, scope)
        if parts is None:
            return [(read, None)]
        draft.kept |= {token.start for token in read.clause.tokens}
        found: list[tuple[Read, Condition | None]] = []
        for side in parts:
            clause = self._linked(side.tokens, read.clause.link, scope)
            part = Read(clause, read.route, operation=read.operation, subject=side.subject)
            found.append((part, side.wins))
        return found

    def _linked(self, tokens: list[Token], joined: str, scope: Scope) -> Clause:
        clause = Clause(tokens, joined)
        link(clause, self._linker, scope.names)
        return clause

    def _compared(self, read: Read, draft: Draft, scope: Scope) -> None:
        """Compare the two that were made or measured, where the better of them is acted on."""
        takes = self._operations.get(read.operation or "").input.model_fields
        known = any(step.operation == COMPARE for step in draft.steps)
        if known or "version" not in takes or winner_at(read.clause) is None:
            return
        clause = Clause(tokenise(THE_TWO), "then")
        found = subjects(Reading(self._operations.get(COMPARE), clause, scope))
        if len(found) == 2:
            self._add(Read(clause, read.route, operation=COMPARE), scope, draft, None)
            draft.last = ends(draft.steps) or draft.last

    def _asked(self, read: Read) -> Wanted | None:
        """What an act hangs on that follows a question: `is 3 better than 2? promote it`."""
        verb, *rest = [t for t in read.clause.tokens if t.kind != "punctuation"]
        if not read.clause.asks or read.operation not in fields()["affirms"] or not rest:
            return None
        wanted = read_condition([verb, verb, *rest]) or read_condition(
            [verb, *rest[:-1], verb, rest[-1]]  # `are the kiosks healthy` as `the kiosks are …`
        )
        metrics = self._operations.get(read.operation or "").output.model_fields
        return wanted if wanted is not None and wanted.metric in metrics else None

    def _acts(self, read: Read) -> bool:
        return self._operations.get(read.operation or "").effect is not Effect.READ

    def _without_vaguer(self, draft: Draft) -> None:
        """Drop a look that another look of the same kind says more exactly."""
        waited = {needed for step in draft.steps for needed in step.depends_on}
        for step in list(draft.steps):
            vague = (
                step.id not in waited
                and step.condition is None
                and any(
                    other is not step
                    and other.operation == step.operation
                    and step.arguments.items() < other.arguments.items()
                    for other in draft.steps
                )
            )
            if vague and self._operations.get(step.operation).effect is Effect.READ:
                draft.steps.remove(step)
                number_anew(draft.steps)

    def _add(self, read: Read, scope: Scope, draft: Draft, condition: Condition | None) -> None:
        before = draft.steps[-1] if draft.steps else None
        if before is not None and (read.goes_on or self._continues(read.clause)):
            changed = said_values(
                self._operations.get(before.operation), read.clause, scope, before
            )
            if changed:
                read.operation = before.operation
                arguments = {**before.arguments, **changed}
                self._append(
                    draft, before.operation, arguments, condition, read.clause.link, before
                )
                return
        if before is not None and before.operation == read.operation and self._repeats(read.clause):
            return
        operation = self._operations.get(read.operation or "")
        reading = Reading(operation, read.clause, scope)
        reading.out.arguments.update(read.subject)
        filled, *further = self._sides(reading, draft, condition) or [fill(reading)]
        read.evidence = filled.evidence
        if operation.effect is Effect.DANGEROUS and self._is_open(read.clause, filled, draft):
            model = filled.arguments.get("model")
            of = model if isinstance(model, str) else None
            filled.question = ask(operation, "version", scope.names, of=of)
        if filled.question is not None:
            draft.question, draft.asked = filled.question, read
            draft.known = Step(id="asked", operation=operation.name, arguments=filled.arguments)
            return
        self._undone(operation.name, filled, scope, read.clause)
        if filled.needs is not None:
            self._bridge(filled, draft, condition)
        for arguments in (a for one in (filled, *further) for a in every(one)):
            self._append(draft, operation.name, arguments, condition, read.clause.link, before)

    def _sides(self, reading: Reading, draft: Draft, condition: Condition | None) -> list[Filled]:
        """What `compare the two` or `evaluate both` makes of what was made before, if it does."""
        if sides := measured(reading):
            return each(reading, sides)
        versions: list[dict[str, Any]] = []
        for side in subjects(reading):
            made = Filled(dict(side))
            if "job" in side:
                made = Filled(needs=(EntityKind.MODEL_VERSION, side))
                self._bridge(made, draft, condition)
            versions.append(made.arguments)
        return against_each_other(reading, versions) if versions else []

    def _undone(self, operation: str, filled: Filled, scope: Scope, clause: Clause) -> None:
        """Take the group of the act that is undone, where none is said."""
        recent = scope.conversation.recent
        before = [*(recent[0].steps if recent else ()), *scope.steps]
        everything = any(t.low in _EVERYTHING for t in clause.tokens)
        if not before or before[-1].operation != fields()["undoes"].get(operation) or everything:
            return
        group = before[-1].arguments.get("group")
        if group is not None:
            filled.arguments.setdefault("group", group)

    def _is_open(self, clause: Clause, filled: Filled, draft: Draft) -> bool:
        """True for `deploy the better one` beside measurements whose outcome nobody knows yet."""
        if not isinstance(filled.arguments.get("version"), int) or filled.question is not None:
            return False
        measured = [s for s in draft.steps if s.operation.startswith("evaluation.")]
        superlative = clause.find(phrases("references", "superlative"), free=False) is not None
        return len(measured) > 1 and superlative

    def _continues(self, clause: Clause) -> bool:
        """True for a clause without a verb, which goes on with the one before: `to the phones`."""
        named = {i for m in clause.mentions for i in range(m.start, m.end)}
        others = [t.low for i, t in enumerate(clause.tokens) if i not in named and t.kind == "word"]
        small = words("words", "prepositions") | words("words", "determiners") | {"and", "also"}
        return bool(clause.mentions) and all(
            word in small or isinstance(read_version(word), int) for word in others
        )

    def _repeats(self, clause: Clause) -> bool:
        """True for `…, promote it` after a clause that asked for just that already."""
        said = [t.low for t in clause.tokens if t.kind != "punctuation"]
        if (
            not clause.mentions
            and _WHICH & set(said)
            and not any(c.isdigit() for w in said for c in w)
        ):
            return True  # `… and tell me which is better`: the comparison does
        return len(said) < 4 and all(
            w in self._verbs or w in words("references", "it") for w in said
        )

    def _append(
        self,
        draft: Draft,
        operation: str,
        arguments: dict[str, Any],
        condition: Condition | None,
        link: str = "",
        before: Step | None = None,
    ) -> Step:
        needed = [ref.step for ref in references(arguments).values()]
        if condition is not None:
            needed.append(condition.left.step)
        if link == "then" and before is not None:
            needed.extend(draft.last if before.id in draft.last else [before.id])
        elif link == "beside":
            needed.extend(draft.ahead)
        needed.extend(self._same_target(draft.steps, operation, arguments))
        own = {step.id for step in draft.steps}
        same = next((s for s in draft.steps if same_step(s, operation, arguments, condition)), None)
        if same is not None:
            return same
        step = Step(
            id=f"s{len(draft.steps) + 1}",
            operation=operation,
            arguments=arguments,
            depends_on=sorted({n for n in needed if n in own}, key=lambda n: int(n[1:])),
            condition=condition,
        )
        draft.steps.append(step)
        return step

    def _same_target(
        self, steps: Sequence[Step], operation: str, arguments: dict[str, Any]
    ) -> list[str]:
        """The last act on the very group or device that this acts on: it must not overtake that."""
        if self._operations.get(operation).effect is Effect.READ:
            return []
        for step in reversed(steps):
            acts = self._operations.get(step.operation).effect is not Effect.READ
            shared = any(
                name in _TARGETS and step.arguments.get(name) == value
                for name, value in arguments.items()
            )
            if acts and shared:
                return [step.id] if step.operation != operation else []
        return []

    def _bridge(self, filled: Filled, draft: Draft, condition: Condition | None) -> None:
        """Add the step that makes what is needed of what there is: a version of a job."""
        assert filled.needs is not None  # noqa: S101 - asked by the caller
        kind, have = filled.needs
        by = next(b["by"] for b in fields()["bridges"] if b["need"] == kind.value)
        known = next((s for s in draft.steps if s.operation == by and s.arguments == have), None)
        step = known or self._append(draft, by, dict(have), condition)
        for name in ("model", "version"):
            filled.arguments.setdefault(name, {"step": step.id, "field": name})

    def _takes_in(self, read: Read, scope: Scope) -> bool:
        """True if an `if` only says values: `roi if an hour costs 85`; they join the clause."""
        words = list(read.clause.condition or ())
        if read.operation is None or read_condition(words) is not None:
            return False
        operation, said = self._operations.get(read.operation), Clause(list(words))
        if not says_only_values(operation, said, scope, Step(id="s0", operation=operation.name)):
            return False
        read.clause = Clause([*read.clause.tokens, *words[1:]], read.clause.link)
        link(read.clause, self._linker, scope.names)
        return True

    def _condition(self, read: Read, scope: Scope, draft: Draft) -> tuple[Wanted, str] | None:
        words = list(read.clause.condition or ())
        if (said := affirmed(words)) is not None and draft.steps:
            last = draft.steps[-1]
            if (state := fields()["affirms"].get(last.operation)) is not None:
                return agreed(wanted_state(state, denied=not said), last, scope.names), last.id
        wanted = read_condition(list(words))
        if wanted is None:
            draft.unclear = " ".join(t.low for t in words)
            return None
        if tested := told_by_test(wanted, draft.steps):
            return tested[0], tested[1].id
        measured = fields()["measured_by"].get(wanted.metric, "evaluation.run")
        if measured == _HEALTH and _of_one_device(read.clause):
            draft.unclear = " ".join(t.low for t in words)
            return None  # the health of a group says nothing of one device in it
        known = step_with(wanted.metric, draft.steps, self._operations)
        step = next((s for s in draft.steps if s.id == known), None)
        if step is not None and self._measures(step, wanted, scope):
            return self._won(wanted, step, read, scope, draft)
        operation = "evaluation.compare" if wanted.compare else measured
        clause = Clause(words)
        link(clause, self._linker, scope.names)
        if not draft.steps and not any(m.kind is EntityKind.MODEL for m in clause.mentions):
            clause = Clause(_with_model(words, read.clause))
        link(clause, self._linker, scope.names)
        filled = fill(Reading(self._operations.get(operation), clause, scope))
        if filled.question is not None:
            draft.question = filled.question
            return None
        if filled.needs is not None:
            self._bridge(filled, draft, None)
        if "group" in self._operations.get(operation).input.model_fields:
            of = _group_of(read.clause) or _only_group(draft.steps) or _pointed_group(read, scope)
            filled.arguments |= {} if of is None or "group" in filled.arguments else {"group": of}
        same = self._measured_already(operation, filled.arguments, draft.steps)
        before = draft.steps[-1] if draft.steps else None
        step = same or self._append(draft, operation, filled.arguments, None, "then", before)
        return self._won(wanted, step, read, scope, draft)

    def _won(
        self, wanted: Wanted, step: Step, read: Read, scope: Scope, draft: Draft
    ) -> tuple[Wanted, str] | None:
        """A condition as a step measures it; unclear if it names a side that the step has not."""
        words = Clause(list(wanted.compare or ()))
        link(words, self._linker, scope.names)
        named = [m.mention for m in model_mentions(words) if m.mention is not None]
        said = named[0].names[0].name if len(named) == 1 else None
        seen = side_won(wanted, step, scope.names, said)
        if seen is None:
            draft.unclear = " ".join(t.low for t in read.clause.condition or ())
            return None
        act = read.operation or ""
        return side_brought(seen, step, scope.names, act, read.clause), step.id

    def _settled(
        self,
        read: Read,
        condition: tuple[Wanted, str],
        otherwise: bool,
        draft: Draft,
        scope: Scope,
    ) -> bool:
        """Give an act the side that its condition names; False if that may be either."""
        wanted, measured = condition
        if unsettled(read.operation or "", read.clause, wanted, otherwise):
            draft.unclear = " ".join(t.low for t in read.clause.tokens)
            return False
        step = next(s for s in draft.steps if s.id == measured)
        operation = self._operations.get(read.operation or "")
        read.subject = meant(operation, read.clause, wanted, step, scope)
        return True

    def _measured_already(
        self, operation: str, arguments: dict[str, Any], steps: Sequence[Step]
    ) -> Step | None:
        """The step that measures what a condition asks for: it may be said from either side."""
        turned = {"version": arguments.get("other_version"), "model": arguments.get("model")}
        if "version" in arguments:
            turned["other_version"] = arguments["version"]
        sides = [arguments] + ([turned] if operation == "evaluation.compare" else [])
        for side in sides:
            wanted = [(k, v) for k, v in side.items() if v is not None and not isinstance(v, dict)]
            for step in reversed(steps):
                same = all(step.arguments.get(k) == v for k, v in wanted)
                if step.operation == operation and wanted and same:
                    return step
        return None

    def _measures(self, step: Step, wanted: Wanted, scope: Scope) -> bool:
        """True if a condition is about a step before: it names no model, or a side of it alone."""
        if wanted.compare is None:
            return True
        clause = Clause(list(wanted.compare))
        link(clause, self._linker, scope.names)
        named = model_mentions(clause)
        compares = step.operation == _COMPARE and wanted.subject is not None
        return not named or (compares and len(named) == 1)


def _pointed_group(read: Read, scope: Scope) -> Any:
    """The group spoken of last, where an act points at it: `roll them back if …`."""
    found = scope.conversation.newest(EntityKind.DEVICE_GROUP)
    points = any(t.low in _THEM for t in read.clause.tokens)
    return found.value if found is not None and points and isinstance(found.value, str) else None


_THEM = frozenset(["them", "it", "those", "these", "there", "that", "they"])


def _only_group(steps: Sequence[Step]) -> Any:
    """The one group that the steps before act on: `canary it there, roll back if …`."""
    groups = [s.arguments["group"] for s in steps if isinstance(s.arguments.get("group"), str)]
    return groups[0] if len(set(groups)) == 1 else None


def _group_of(clause: Clause) -> str | None:
    """The group that an act is done to, whose devices its condition is about; None for all."""
    groups = [m for m in clause.mentions if m.kind is EntityKind.DEVICE_GROUP]
    return groups[0].names[0].name if len(groups) == 1 and len(groups[0].names) == 1 else None


def _of_one_device(clause: Clause) -> bool:
    exact = {m.kind for m in clause.mentions if m.how == "exact"}
    return EntityKind.DEVICE in exact and EntityKind.DEVICE_GROUP not in exact


def _with_model(condition: Sequence[Token], clause: Clause) -> list[Token]:
    """A condition's words with the model of its clause in the place of `it`, or added to them."""
    found = next((m for m in model_mentions(clause) if m.mention is not None), None)
    if found is None or found.mention is None:
        return list(condition)
    words = clause.tokens[found.start : found.end]
    for at, token in enumerate(condition):
        if token.low in _IT:
            return [*condition[:at], *words, *condition[at + 1 :]]
    name = clause.tokens[found.mention.start : found.mention.end]
    versioned = any(t.kind == "word" and read_version(t.low) is not None for t in condition[1:])
    return [condition[0], *(name if versioned else words), *condition[1:]]


_COMPARE, _HEALTH = "evaluation.compare", "devices.health"
_EVERYTHING = frozenset(["all", "every", "everything", "everywhere", "everyone"])
_TARGETS = frozenset(["group", "device"])
_IT = frozenset(["it", "its", "it's", "that", "this"])
