"""What is unclear alone, and clear from what was spoken of: `archive it`, `how is it going?`."""

from __future__ import annotations

from collections.abc import Sequence

from graphs.understanding.conversation import ConversationState, kind_of_field
from graphs.understanding.draft import Read
from graphs.understanding.hearing import Hearing
from graphs.understanding.lexicon import phrases
from graphs.understanding.mask import MASKS
from graphs.understanding.router import Route
from tools.kernel.entities import EntityKind
from tools.kernel.operations import Effect, OperationSet

_DESCRIBE = ".describe"
_ON_A_JOB = frozenset(
    ["platform.cancel_job", "training.cancel", "training.pause", "training.resume"]
)
_UNDO = "platform.undo"
_PERSONS = (("him",), ("her",), ("them",))
_FEW = 5
_NEARBY = 3.0
"""How much likelier a question is that stays with the subject of the wish before it."""


class Pointing:
    """Routes anew what only its conversation makes clear.

    Args:
        operations: what can be asked for.
        hearing: what wishes are heard as.
    """

    def __init__(self, operations: OperationSet, hearing: Hearing) -> None:
        self.operations = operations
        self.router = hearing.router
        self.sure = hearing.sure
        self._needs = hearing.needs

    def settle(self, reads: list[Read], state: ConversationState) -> None:
        """Route anew what is unclear by itself, with "it" read as the thing in focus."""
        kind = next((item.kind for item in state.focus if item.kind in MASKS), None)
        said = [step.operation for plan in state.recent[:1] for step in plan.steps[-1:]]
        for read in reads:
            if read.route is not None and said and (read.operation is None or _points(read)):
                read.operation = self._goes_on(read.route, said[-1]) or read.operation
            said = [read.operation] if read.operation else said
        kinds = [kind] if kind else []
        only_told = bool(state.focus) and state.focus[0].via is None
        for read in reads:
            if read.operation == _UNDO and only_told and _points(read):
                read.operation = None  # what somebody else did is no act of this conversation
            unclear = read.operation is None or self._describes_it(read)
            unclear = unclear or self._lacks(read, [*kinds, *(f.kind for f in state.focus)])
            if unclear and not read.clause.mentions:
                self._point(read, kinds)
            kinds = self._kinds_of(read) or kinds

    def _point(self, read: Read, kinds: Sequence[EntityKind]) -> None:
        """Route a clause with its "it" read as one of some kinds of things, the likeliest first."""
        low = [t.low for t in read.clause.tokens]
        for kind in kinds:
            person = _PERSONS if kind is EntityKind.USER else ()
            span = read.clause.find(person) or read.clause.find(phrases("references", "it"))
            if span is None or len(low) == span[1] - span[0]:
                continue
            route = self.router.route([" ".join([*low[: span[0]], MASKS[kind], *low[span[1] :]])])[
                0
            ]
            if self.sure(route):
                read.route, read.operation = route, route.operation
                return

    def _lacks(self, read: Read, kinds: Sequence[EntityKind]) -> bool:
        """True where an act needs a kind of thing that is neither named nor was spoken of.

        `pause it` after a look at a training means the training, not some group's rollout.
        """
        operation = self.operations.get(read.operation or "")
        needed = [
            slot.kind
            for name, slot in operation.slots.items()
            if slot.kind is not None and slot.closed
            and operation.input.model_fields[name].is_required()
        ]  # fmt: skip
        if operation.name in _ON_A_JOB:
            needed.append(EntityKind.JOB)  # without one it would be the newest, whatever it does
        return bool(needed) and bool(kinds) and not set(needed) & set(kinds)

    def _describes_it(self, read: Read) -> bool:
        """True for `describe it`: of what kind the thing is only what came before tells."""
        said = [t for t in read.clause.tokens if t.kind != "punctuation"]
        return (read.operation or "").endswith(_DESCRIBE) and len(said) <= _FEW

    def _kinds_of(self, read: Read) -> list[EntityKind]:
        """The kinds of things that a clause names or that its operation makes."""
        named = [m.kind for m in read.clause.mentions if m.kind in MASKS]
        if read.operation is None:
            return named
        operation = self.operations.get(read.operation)
        results = [kind_of_field(operation.name, n) for n in operation.output.model_fields]
        given = [kind_of_field(operation.name, n) for n in operation.input.model_fields]
        made = [k for k in (*given, *results) if k is not None and k in MASKS]
        return list(dict.fromkeys([*named, *made]))

    def _goes_on(self, route: Route, before: str) -> str | None:
        """What is unclear by itself as a look at what was just done: `show me the status`."""
        domain = before.partition(".")[0]
        least = route.probability / _NEARBY if self.sure(route) else 0.0
        if least and self.operations.get(route.operation).effect is not Effect.READ:
            return None
        for name, chance in ((route.operation, route.probability), *route.runners):
            operation = self.operations.get(name)
            same = operation.domain == domain and operation.effect is Effect.READ
            if same and chance * _NEARBY > max(route.outside, self._needs.read) and chance > least:
                return name
        return None


def _points(read: Read) -> bool:
    """True where a wish names nothing, and points at what was done before: `how is it going?`."""
    return not read.clause.mentions and read.clause.find(phrases("references", "it")) is not None
