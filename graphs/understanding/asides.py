"""What is said beside an order, and orders nothing: remarks, exclamations, what is told."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.understanding.clause import Clause, join
from graphs.understanding.draft import Draft, Read
from graphs.understanding.hearing import Hearing
from graphs.understanding.lexicon import phrases
from graphs.understanding.link import Linker, link
from graphs.understanding.names import NameView
from graphs.understanding.no_order import orders_nothing
from graphs.understanding.orders import Orders
from graphs.understanding.remarks import Knowing, exclaims, is_remark, states, with_remarks
from graphs.understanding.text import phrase_at, tokenise
from tools.kernel.entities import EntityKind
from tools.kernel.operations import Effect, OperationSet


class Asides:
    """Tells orders from what is only said beside them.

    Args:
        operations: what can be asked for.
        hearing: what wishes are heard as.
        orders: whether words order an act.
        linker: finds names.
        verbs: the words that begin commands.
    """

    def __init__(
        self,
        operations: OperationSet,
        hearing: Hearing,
        orders: Orders,
        linker: Linker,
        verbs: frozenset[str],
    ) -> None:
        self._operations = operations
        self._hearing = hearing
        self._orders = orders
        self._linker = linker
        self._verbs = verbs

    def before(self, text: str, names: NameView) -> int:
        """Where the sentence begins after what somebody says to himself: `ugh, that again. …`."""
        tokens = tokenise(text)
        ends = [i for i, t in enumerate(tokens[:-1]) if t.low in {",", ".", "!", ";"}]
        for at in reversed(ends):
            before = Clause(tokens[:at])
            if exclaims(before, self._verbs):
                link(before, self._linker, names)
                rest = [t for t in tokens[at + 1 :] if t.kind != "punctuation"]
                orders = len(rest) >= _WISH or any(t.low in self._verbs for t in rest)
                return tokens[at + 1].start if orders and not before.mentions else 0
        return 0

    def with_remarks(self, reads: list[Read], names: NameView) -> tuple[list[Read], list[Clause]]:
        """Reads in which an order is heard with what was told before it, and what was only told."""

        def takes(operation: str, kinds: frozenset[EntityKind]) -> bool:
            taken = {slot.kind for slot in self._operations.get(operation).slots.values()}
            timed = {EntityKind.SCHEDULE} if operation.startswith("schedules.") else frozenset()
            return kinds <= taken | timed | {EntityKind.MODEL_VERSION}

        known = Knowing(
            verbs=self._verbs,
            hear=lambda clause: self._hearing.reads([clause], names)[0],
            takes=takes,
            asked_in=self._orders.asked_in,
            acts=self._changes,
        )
        return with_remarks(reads, known)

    def told(self, reads: list[Read]) -> list[Read]:
        """The reads that only tell of something; none of them is taken for an act any more."""
        hold = [r for r in reads if r.operation is None or r.goes_on or self._changes(r.operation)]
        told = [r for r in hold if not r.clause.told and orders_nothing(r.clause, self._verbs)]
        ordered = any(r.operation is not None for r in reads)
        told += [
            r for r in reads if ordered and not r.operation and is_remark(r.clause, self._verbs)
        ]
        orders = reads[-1] not in told and reads[-1].operation is not None
        for read in reads[:-1] if orders else ():
            before = read.operation is None or not self._changes(read.operation)
            if read not in told and before and self._aside(read.clause):
                told.append(read)
        for read in told:
            read.operation = None
        return told

    def _aside(self, clause: Clause) -> bool:
        """True for words before an order that ask for nothing themselves."""
        return exclaims(clause, self._verbs) or states(clause, self._verbs)

    def denied_setting(
        self, clauses: Sequence[Clause], draft: Draft, names: NameView
    ) -> str | None:
        """What an act is to do without, where that is no act of its own: `…, and don't shuffle`."""
        if not any(step.operation.startswith(_SET_UP) for step in draft.steps):
            return None
        registers = any(step.operation == _SHRINK for step in draft.steps)
        for clause in clauses:
            if not clause.negated or phrase_at(clause.tokens, 0, phrases("guards", "set_aside")):
                continue
            [read] = self._hearing.reads([Clause(clause.tokens)], names)
            setting = read.operation is None and not read.clause.mentions
            if setting or (registers and read.operation == _REGISTER):
                return f"not {join(clause.tokens)}"
        return None

    def _changes(self, operation: str) -> bool:
        return self._operations.get(operation).effect is not Effect.READ


_WISH = 3
"""Words that a wish after an exclamation has at least."""
_SHRINK, _REGISTER = "training.optimize", "registry.register"
_SET_UP = ("training.start", "training.tune", "training.optimize", "training.estimate")
"""Acts of many settings, of which one may be denied."""
