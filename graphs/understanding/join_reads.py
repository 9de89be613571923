"""Clauses that are no wish of their own: they explain the wish after them, or add to that before.

`hh-33 fell into the freezer. retire it` is one order; so is `tune on tickets, give up after 90
minutes`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphs.plan import Step
from graphs.understanding.clause import Clause
from graphs.understanding.draft import Read
from graphs.understanding.lexicon import phrases, words
from graphs.understanding.link import Linker, link
from graphs.understanding.names import NameView
from graphs.understanding.reading import Scope
from graphs.understanding.said import says_only_values
from graphs.understanding.written import alias_of
from tools.kernel.operations import Effect, OperationSet

_JOBS = frozenset(["job", "run", "training", "task", "#"])

_NEAR = 0.25
"""How likely an act must be for its clause to be no mere remark."""


class ReadJoiner:
    """Joins reads of one sentence.

    Args:
        operations: what can be asked for.
        given: tells whether a read is an order that is known.
        linker: finds names in joined clauses.
        verbs: the words that begin commands.
    """

    def __init__(
        self,
        operations: OperationSet,
        given: Callable[[Read], bool],
        linker: Linker,
        verbs: frozenset[str],
    ) -> None:
        self._operations = operations
        self._given = given
        self._linker = linker
        self._verbs = verbs

    def joined(self, reads: Sequence[Read], scope: Scope) -> list[Read]:
        """The reads, with what belongs together in one, and mere remarks left out."""
        found: list[Read] = []
        for read in reads:
            before = found[-1] if found else None
            if before is not None and self._adds(before, read, scope):
                found[-1] = self._merged(before, read, before, scope.names)
            elif before is not None and self._explains(before, read):
                found[-1] = self._merged(before, read, read, scope.names)
            else:
                found.append(read)
        return self._without_remarks(found)

    def _adds(self, before: Read, read: Read, scope: Scope) -> bool:
        """True if a clause only says more about the wish before: `use lora`, `3 epochs please`."""
        clause = read.clause
        if before.operation is None or clause.condition or clause.link in ("otherwise", "then"):
            return False
        operation = self._operations.get(before.operation)
        said = Clause(list(clause.tokens))
        step = Step(id="s0", operation=operation.name)
        adds = bool(says_only_values(operation, said, scope, step))
        if adds and said.claimed[0] and not clause.mentions:
            return True  # the verb is a value's own: `and hold out every row`
        another = read.operation != before.operation and self._given(read)
        if clause.mentions or (another and clause.tokens[0].low in self._verbs):
            return False
        first = clause.tokens[0].low
        if first in self._verbs and first not in words("segment", "adding"):
            return False
        return adds

    def _explains(self, before: Read, read: Read) -> bool:
        """True if the clause before only tells what the order is about, and why."""
        if read.operation is None or read.clause.condition is not None:
            return False
        if before.operation == read.operation and not self._given(before):
            return True
        if self._orders_act(before) or not self._remark(before.clause):
            return False
        if {m.kind for m in read.clause.mentions} & {m.kind for m in before.clause.mentions}:
            return False
        points = read.clause.find(phrases("references", "it")) or read.clause.find(
            phrases("references", "user")
        )
        return points is not None and self._names(before.clause)

    def _orders_act(self, read: Read) -> bool:
        if read.operation is None or not self._given(read):
            return False
        return self._operations.get(read.operation).effect is not Effect.READ

    def _names(self, clause: Clause) -> bool:
        jobs = any(
            t.low in _JOBS and n.kind == "number"
            for t, n in zip(clause.tokens, clause.tokens[1:], strict=False)
        )
        return jobs or any(m.how != "partial" for m in clause.mentions)

    def _remark(self, clause: Clause) -> bool:
        """True for a statement, not reported from anybody else."""
        low = [t.low for t in clause.tokens]
        first = low[0]
        named = any(m.start == 0 for m in clause.mentions)
        if not named and first in self._verbs | words("verbs", "elsewhere"):
            return False
        if first in words("segment", "questions") or set(low) & words("segment", "reported"):
            return False
        return bool(set(low) & words("segment", "remarks"))

    def _without_remarks(self, reads: list[Read]) -> list[Read]:
        kept = [
            r for r in reads if self._given(r) or not self._remark(r.clause) or self._near_act(r)
        ]
        return kept if any(self._given(r) for r in kept) else list(reads)

    def _near_act(self, read: Read) -> bool:
        """True for what may well be an order: it must not be lost as a mere remark."""
        route = read.route
        if route is None or route.probability < max(_NEAR, route.outside):
            return False
        alias = any(alias_of(t.low) is not None for t in read.clause.tokens)
        return alias and self._operations.get(route.operation).effect is not Effect.READ

    def _merged(self, first: Read, second: Read, led_by: Read, names: NameView) -> Read:
        clause = Clause(
            [*first.clause.tokens, *second.clause.tokens],
            first.clause.link,
            condition=first.clause.condition,
        )
        link(clause, self._linker, names)
        return Read(clause, led_by.route, operation=led_by.operation)
