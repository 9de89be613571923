"""Further objects of one verb, each with values of its own.

`canary X v3 on A at 10% and on B at 20%` is two acts, and so is `register job 3 as X and job 4 as
Y`; `evaluate X on D and also Y on E` says its verb once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from graphs.plan import Step
from graphs.understanding.clause import Clause
from graphs.understanding.draft import Read
from graphs.understanding.lexicon import words
from graphs.understanding.link import Linker, link
from graphs.understanding.models import model_mentions
from graphs.understanding.reading import Scope
from graphs.understanding.said import said_values, unaccounted
from graphs.understanding.text import Token
from tools.kernel.operations import OperationSet

_JOINTS = frozenset(["and", ",", "&", "plus"])
_TWO = 2


class Parallels:
    """Gives each further object a read of its own.

    Args:
        operations: what can be asked for.
        given: tells whether a read is an order that is known.
        linker: finds names in the parts.
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

    def apart(self, reads: Sequence[Read], scope: Scope) -> list[Read]:
        """The reads, with an object that has values of its own as a read of its own."""
        found: list[Read] = []
        for read in reads:
            before = found[-1] if found else None
            if before is not None and _only_version(read.clause):
                read.operation = self._with_version(before)
                read.goes_on = True
            elif before is not None and self._goes_on(before, read, scope):
                read.operation, read.goes_on = before.operation, True
            found += self._split(read, scope)
        return found

    def _with_version(self, before: Read) -> str | None:
        """The act before, if another version can be said for it: `evaluate v2 …, then v3`."""
        fields = (
            self._operations.get(before.operation).input.model_fields if before.operation else ()
        )
        return before.operation if "version" in fields else None

    def _goes_on(self, before: Read, read: Read, scope: Scope) -> bool:
        """True for a clause without a verb that says other values for the act before."""
        if before.operation is None or read.clause.condition or not read.clause.mentions:
            return False
        if self._has_verb(read.clause) or (
            self._given(read) and read.operation != before.operation
        ):
            return False
        return len(self._said(before.operation, read.clause, scope)) >= 1

    def _split(self, read: Read, scope: Scope) -> list[Read]:
        """A read in two where the words after an `and` say two values that were said before."""
        tokens = read.clause.tokens
        if read.operation is None:
            return [read]
        for at in range(len(tokens) - 2, 1, -1):
            if tokens[at].low not in _JOINTS:
                continue
            first, rest = (self._part(part, scope) for part in (tokens[:at], tokens[at + 1 :]))
            if self._has_verb(rest) or not rest.mentions:
                continue
            again = self._said(read.operation, rest, scope)
            names = {n for n in again if again[n] is not None}
            if len(names) < _TWO or not self._own(read.operation, first, names, scope):
                continue
            first.link, first.condition = read.clause.link, read.clause.condition
            rest.link = "and"
            own = Read(first, read.route, operation=read.operation)
            further = Read(rest, read.route, operation=read.operation, goes_on=True)
            return [*self._split(own, scope), further]
        return [read]

    def _own(self, operation: str, first: Clause, names: set[str], scope: Scope) -> bool:
        """True if the first part says values for the same arguments by itself."""
        fresh = Clause(list(first.tokens), mentions=list(first.mentions))
        step = Step(id="s0", operation=operation)
        return names <= set(said_values(self._operations.get(operation), fresh, scope, step))

    def _said(self, operation: str, clause: Clause, scope: Scope) -> dict[str, object]:
        fresh = Clause(list(clause.tokens), mentions=list(clause.mentions))
        step = Step(id="s0", operation=operation)
        said = said_values(self._operations.get(operation), fresh, scope, step)
        return said if not unaccounted(fresh) else {}

    def _part(self, tokens: Sequence[Token], scope: Scope) -> Clause:
        clause = Clause(list(tokens))
        link(clause, self._linker, scope.names)
        return clause

    def _has_verb(self, clause: Clause) -> bool:
        first = next((t.low for t in clause.tokens if t.kind != "punctuation"), "")
        return first in self._verbs or first in words("segment", "questions")


def _only_version(clause: Clause) -> bool:
    """True for a clause that says a version and nothing else."""
    found = model_mentions(clause, aliases=False)
    said = [t for t in clause.tokens if t.kind != "punctuation" and t.low not in _BESIDE]
    alone = len(found) == 1 and found[0].mention is None and clause.condition is None
    return alone and clause.link in ("and", "then") and len(said) == found[0].end - found[0].start


_BESIDE = frozenset(["also", "too", "and", "then", "with", "the"])
