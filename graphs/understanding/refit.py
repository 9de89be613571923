"""A route judged again by what the clause names: an operation must have a use for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from graphs.understanding.clause import Clause
from graphs.understanding.externals import FRONTIER, external_models, with_externals
from graphs.understanding.lexicon import words
from graphs.understanding.read_space import read_space
from graphs.understanding.router import Route, Sentence
from tools.kernel.entities import EntityKind
from tools.kernel.operations import OperationSet

_USELESS = 0.3
"""What the probability of an operation is multiplied by for a named thing that it cannot take."""

_JUDGED = frozenset(
    [
        EntityKind.MODEL,
        EntityKind.DATASET,
        EntityKind.DEVICE,
        EntityKind.DEVICE_GROUP,
        EntityKind.USER,
        EntityKind.SCHEDULE,
    ]
)


class Refit:
    """Knows which kinds of things each operation takes."""

    def __init__(self, operations: OperationSet, sentences: Sequence[Sentence]) -> None:
        asked = [s.label for s in sentences if s.text.split()[0] in _ASKING]
        self._asked = {label for label in asked if asked.count(label) > 1}
        self._kinds: dict[str, frozenset[EntityKind]] = {}
        for operation in operations:
            kinds = {slot.kind for slot in operation.slots.values() if slot.kind}
            free = any(name in _FREE_TEXT for name in operation.input.model_fields)
            self._kinds[operation.name] = frozenset(EntityKind) if free else frozenset(kinds)

    def fitted(self, route: Route, clause: Clause) -> Route:
        """The route, led by the operation that fits what is named best."""
        named = {
            m.kind
            for m in clause.mentions
            if m.kind in _JUDGED
            and m.how in ("exact", "slip")
            and not self._ordinary(clause, m.start, m.end)
        }
        spans = {
            (m.start, m.end): {
                o.kind for o in clause.mentions if (o.start, o.end) == (m.start, m.end)
            }
            for m in clause.mentions
            if m.kind in named
        }
        question = clause.tokens[0].low in _ASKING
        if route.operation.startswith(_SCHEDULES) and not self._of_schedules(clause):
            route = _of_other_things(route)
        route = with_externals(_trained_once(route, clause), clause)
        if (route.operation == FRONTIER and external_models(clause)) or (
            not spans and not question
        ):
            return route
        if EntityKind.USER in named:
            route = _of_known_user(route, clause)
        ranked = [(route.operation, route.probability), *route.runners]
        judged = sorted(
            (
                (p * self._use(name, list(spans.values())) * self._form(name, question), p, name)
                for name, p in ranked
            ),
            reverse=True,
        )
        best = judged[0]
        if best[2] == route.operation:
            form = self._form(best[2], question)
            return route if form == 1 else replace(route, probability=best[1] * form)
        others = tuple((name, p) for _, p, name in judged[1:])
        return replace(route, operation=best[2], probability=max(best[1], best[0]), runners=others)

    def _use(self, operation: str, spans: list[set[EntityKind]]) -> float:
        kinds = self._kinds.get(operation, frozenset())
        return _USELESS ** sum(not (options & kinds) for options in spans)

    def _form(self, operation: str, question: bool) -> float:
        """Low for an act that nobody asks for with a question word."""
        return 1.0 if not question or operation in self._asked else _USELESS

    def _of_schedules(self, clause: Clause) -> bool:
        """True if a clause names a schedule, or speaks of what is to come again or later."""
        return any(m.kind is EntityKind.SCHEDULE for m in clause.mentions) or any(
            t.low in words("schedule", "spoken") for t in clause.tokens
        )

    def _ordinary(self, clause: Clause, start: int, end: int) -> bool:
        return end == start + 1 and clause.tokens[start].low in words("words", "stop")


def _of_other_things(route: Route) -> Route:
    """The route among all operations but those on schedules, of which the clause does not speak."""
    others = [(name, p) for name, p in route.runners if not name.startswith(_SCHEDULES)]
    if not others:
        return route
    ours = route.probability + sum(p for n, p in route.runners if n.startswith(_SCHEDULES))
    share = max(1.0 - ours, 1e-6)
    (first, chance), *rest = ((name, min(p / share, 1.0)) for name, p in others)
    return replace(
        route,
        operation=first,
        probability=chance,
        outside=min(route.outside / share, 1.0),
        runners=tuple(rest),
    )


def _of_known_user(route: Route, clause: Clause) -> Route:
    """The route without the chance that somebody who is there already is to be added."""
    runners = dict(route.runners)
    if route.operation == _ADDS_USER and _SETS_ROLE in runners and clause.order[0].low in _MAKING:
        others = tuple((n, p) for n, p in route.runners if n != _SETS_ROLE)
        chance = route.probability + runners[_SETS_ROLE]
        return replace(route, operation=_SETS_ROLE, probability=chance, runners=others)
    share = dict(route.runners).get(_ADDS_USER, 0.0)
    if not share:
        return route
    others = tuple((n, p / (1 - share)) for n, p in route.runners if n != _ADDS_USER)
    return replace(route, probability=route.probability / (1 - share), runners=others)


def _trained_once(route: Route, clause: Clause) -> Route:
    """The route to a training where settings are said, and nothing that is to be searched."""
    chance = dict(route.runners).get(_TRAIN, 0.0)
    if route.operation != _TUNE or not chance:
        return route
    trains = clause.order[0].low in _TRAINING
    if not trains or {t.low for t in clause.tokens} & _SEARCHED or read_space(clause):
        return route
    others = tuple((n, p) for n, p in route.runners if n != _TRAIN)
    return replace(route, operation=_TRAIN, probability=route.probability + chance, runners=others)


_TRAIN, _TUNE = "training.start", "training.tune"
_TRAINING = frozenset(["train", "fine-tune", "finetune", "retrain", "re-train", "fit", "ft"])
_SEARCHED = frozenset(
    ["trials", "trial", "optuna", "search", "sweep", "study", "parallel", "between", "range",
     "ranges", "hyperparameters", "hyperparameter", "hyper-parameters", "best", "optimal", "tpe",
     "random", "tries", "attempts", "configurations", "combinations", "prune", "pruning", "or"]
)  # fmt: skip
_ADDS_USER, _SETS_ROLE = "platform.add_user", "platform.set_role"
_MAKING = frozenset(["make", "turn", "set", "change"])
"""With these somebody who is there becomes something: `make nadia an operator`."""
_SCHEDULES = "schedules."
_ASKING = frozenset(
    ["what", "what's", "which", "who", "whose", "how", "how's", "when", "where", "why", "did",
     "does", "do", "is", "are", "has", "have", "was", "were", "any", "anything"]
)  # fmt: skip
_FREE_TEXT = frozenset(["question", "query", "topic", "audience", "path"])
