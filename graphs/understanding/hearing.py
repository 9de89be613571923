"""Which operation each wish is heard as, and how surely."""

from __future__ import annotations

import re
from collections.abc import Sequence

from graphs.understanding.clause import Clause
from graphs.understanding.draft import Read
from graphs.understanding.externals import compared_by_name
from graphs.understanding.link import Linker, link
from graphs.understanding.mask import UNKNOWN, mask_clause
from graphs.understanding.names import NameView
from graphs.understanding.refit import Refit
from graphs.understanding.remaining import name_what_remains
from graphs.understanding.router import Needs, Route, Router, Sentence
from graphs.understanding.shared_words import nouns_listed
from tools.kernel.operations import Effect, OperationSet

_LISTED = 0.6
_CANCEL = "platform.cancel_job"
_ENDS = (".cancel", ".pause", ".conclude_experiment", ".cancel_job")
_STOPPING = frozenset(["stop", "cancel", "abort", "kill", "halt", "end", "terminate", "interrupt"])
_COMPUTING = frozenset(["training", "evaluation"])
"""Domains whose acts are jobs that can be stopped."""
_UNKNOWN_RUN = re.compile(rf"{UNKNOWN}(?: {UNKNOWN})*")
_ALIEN = 0.9
"""How surely a wish is none that anything here serves, whatever its words are names of."""


_OTHER_WORK = re.compile(
    r"evaluat|\beval|optimi[sz]|shrink|benchmark|compar|drift|report|measur|export|quanti[sz]"
)


def _names_other_work(clause: Clause) -> bool:
    """True for `stop the evaluation`, which is no training, whichever is the newest."""
    return any(_OTHER_WORK.search(token.low) for token in clause.tokens)


class Hearing:
    """Routes clauses.

    Args:
        operations: what can be asked for.
        sentences: how people ask for it.
        router: the judge of sentences.
        linker: finds names.
        verbs: the words that begin commands.
        known: every word that is no name.
    """

    def __init__(
        self,
        operations: OperationSet,
        sentences: Sequence[Sentence],
        router: Router,
        linker: Linker,
        verbs: frozenset[str],
        known: frozenset[str],
    ) -> None:
        self.operations = operations
        self.router = router
        self.linker = linker
        self.verbs = verbs
        self.known = known
        self.needs = Needs()
        self._refit = Refit(operations, sentences)

    def reads(self, clauses: list[Clause], names: NameView) -> list[Read]:
        """What each wish is taken for; those that only list what is wanted are taken apart."""
        return self._route(self._listed(clauses), names)

    def sure(self, route: Route) -> bool:
        """True if a route may be acted on."""
        if route.outside > route.probability:
            return False
        effect = self.operations.get(route.operation).effect
        return route.probability >= getattr(self.needs, effect.value)

    def _listed(self, clauses: list[Clause]) -> list[Clause]:
        """Clauses that only list what is wanted, apart: `users, approvals and the last 5 jobs`."""
        found: list[Clause] = []
        for clause in clauses:
            parts = nouns_listed(clause.tokens, self.verbs)
            routes = self.router.route([mask_clause(Clause(part)) for part in parts])
            wanted = {r.operation for r in routes if r.probability > _LISTED and self.sure(r)}
            reads = all(self.operations.get(name).effect is Effect.READ for name in wanted)
            apart = len(parts) > 1 and len(wanted) == len(parts) and reads
            beside = "beside" if clause.link == "then" else clause.link
            links = [clause.link, *[beside] * len(parts)]
            listed = [Clause(*pair) for pair in zip(parts, links, strict=False)]
            found += listed if apart else [clause]
        return found

    def _route(self, clauses: list[Clause], names: NameView) -> list[Read]:
        for clause in clauses:
            link(clause, self.linker, names)
        name_what_remains(clauses)
        routes = self.router.route([self._masked(clause, names) for clause in clauses])
        routes = [self._refit.fitted(r, c) for r, c in zip(routes, clauses, strict=True)]
        routes = [self._despite_names(r, c, names) for r, c in zip(routes, clauses, strict=True)]
        return [
            Read(clause, route, operation=self._meant(clause, route))
            for clause, route in zip(clauses, routes, strict=True)
        ]

    def _meant(self, clause: Clause, route: Route) -> str | None:
        """The operation of a route; of `stop shrinking X` it is the stopping, not the shrinking."""
        if not self.sure(route):
            return None
        operation = self.operations.get(route.operation)
        stops = clause.tokens[0].low in _STOPPING and operation.domain in _COMPUTING
        ends = operation.name.endswith(_ENDS)
        begins = stops and operation.effect is not Effect.READ and not ends
        other = stops and route.operation == "training.cancel" and _names_other_work(clause)
        return _CANCEL if begins or other else route.operation

    def _despite_names(self, route: Route, clause: Clause, names: NameView) -> Route:
        """The route with words that nobody knows taken for a name: `roll back the forklifts`.

        What is unknown fills no argument, so that this can lead to a question and to no act.
        """
        if self.sure(route) or clause.mentions or clause.tokens[0].low not in self.verbs:
            return route
        if route.outside > _ALIEN:
            return route
        known = [t for t in clause.tokens if t.kind != "word" or t.low in self.known]
        if len(known) == len(clause.tokens):
            return route
        text = _UNKNOWN_RUN.sub(
            UNKNOWN, " ".join(t.low if t in known else UNKNOWN for t in clause.tokens)
        )
        named = self.router.route([text])[0]
        return named if self.sure(named) else route

    def _masked(self, clause: Clause, names: NameView) -> str:
        clause = compared_by_name(clause)
        slips = self.linker.misspelt(clause.tokens, clause.mentions, self.known, names)
        return mask_clause(clause, slips, self.known)
