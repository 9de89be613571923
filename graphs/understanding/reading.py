"""One operation's arguments while they are read from one clause."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pydantic.fields import FieldInfo

from graphs.plan import Question, Step
from graphs.understanding.asking import ask
from graphs.understanding.clause import Clause, Mention
from graphs.understanding.conversation import ConversationState
from graphs.understanding.lexicon import fields, lexicon
from graphs.understanding.link import Linker
from graphs.understanding.names import NameView
from graphs.understanding.refer import Referrer
from tools.kernel.entities import EntityKind, EntityName
from tools.kernel.operations import Effect, Operation, OperationSet


@dataclass
class Evidence:
    """Which words led to an argument."""

    slot: str
    start: int
    end: int
    text: str


@dataclass
class Filled:
    """What was read.

    Attributes:
        arguments: the arguments found.
        question: what is missing or unclear, if anything is.
        several: for one argument, further values that make further steps.
        needs: a kind that must be made before the step can run, and what there is for it.
        evidence: the words behind each argument.
    """

    arguments: dict[str, Any] = field(default_factory=dict[str, Any])
    question: Question | None = None
    several: dict[str, list[Any]] = field(default_factory=dict[str, list[Any]])
    needs: tuple[EntityKind, dict[str, Any]] | None = None
    evidence: list[Evidence] = field(default_factory=list[Evidence])


@dataclass
class Scope:
    """Beside the words: the catalogue, the conversation, the steps before, what was answered."""

    names: NameView
    linker: Linker
    conversation: ConversationState
    steps: list[Step]
    answers: dict[str, Any]
    verbs: frozenset[str]
    operations: OperationSet
    known: frozenset[str] = frozenset()
    whole: str = ""


class Reading:
    """What the readers share: the words, what is known beside them, and what was found.

    Args:
        operation: whose arguments are read.
        clause: the words.
        scope: what is known beside them.
    """

    def __init__(self, operation: Operation[Any, Any], clause: Clause, scope: Scope) -> None:
        self.operation = operation
        self.clause = clause
        self.scope = scope
        self.out = Filled()
        self.fields: dict[str, FieldInfo] = operation.input.model_fields
        self.slots = operation.slots
        self.referrer = Referrer(
            operation, clause, scope.steps, scope.conversation, scope.operations, scope.names
        )

    def answered(self) -> dict[str, Any]:
        """What was answered about this operation already, by argument."""
        prefix = f"{self.operation.name}."
        return {
            key.removeprefix(prefix): value
            for key, value in self.scope.answers.items()
            if key.startswith(prefix)
        }

    def spec(self, name: str) -> dict[str, Any]:
        """How the tables say an argument is read."""
        table = fields()
        own = table["operations"]
        return (
            own.get(self.operation.name, {}).get(name)
            or own.get(self.operation.domain, {}).get(name)
            or table["fields"].get(name, {})
        )

    def set(self, name: str, value: Any, span: tuple[int, int] | None = None) -> None:
        """Set an argument, and claim the words that led to it."""
        self.out.arguments[name] = value
        if span is not None and span[1] > span[0]:
            self.clause.claim(span[0], span[1], name)
            text = self.clause.text(*span)
            if (slip := self._slip(value, span)) is not None:
                text = self._taken(name, value, self.clause.text(slip.start, slip.end))
            first, last = self.clause.tokens[span[0]], self.clause.tokens[span[1] - 1]
            self.out.evidence.append(Evidence(name, first.start, last.end, text))

    def _slip(self, value: Any, span: tuple[int, int]) -> Mention | None:
        """The misspelt name among the words that led to a value."""
        return next(
            (
                m
                for m in self.clause.mentions
                if m.how == "slip"
                and span[0] <= m.start
                and m.end <= span[1]
                and m.names[0].name == value
            ),
            None,
        )

    def _taken(self, name: str, value: Any, said: str) -> str:
        """How the explanation tells of a misspelt name; what is dangerous asks first."""
        kind = self.kind(name)
        if self.operation.effect is Effect.DANGEROUS and kind is not None:
            self.out.arguments.pop(name)
            text = f"I know no {kind.value.replace('_', ' ')} called {said!r}."
            text += f" Did you mean {value}?"
            self.out.question = ask(
                self.operation, name, self.scope.names, said=text, candidates=[str(value)]
            )
        return f"{said} (taken as {value})"

    def open(self, name: str) -> bool:
        """True if an argument has no value yet."""
        return name not in self.out.arguments

    def kind(self, name: str) -> EntityKind | None:
        """The kind of thing an argument names."""
        slot = self.slots.get(name)
        return slot.kind if slot else None

    def role(self, kind: EntityKind, start: int, end: int) -> float:
        """How well the words around a name fit a kind: its prepositions, its general noun."""
        entry = lexicon()["kinds"].get(kind.value, {})
        score = float(entry.get("prepositions", {}).get(self.clause.preposition(start), 0))
        if self.clause.head(start, end) in entry.get("heads", []):
            score += 2.5
        return score

    def ambiguous(self, name: str, said: str, found: Sequence[EntityName]) -> None:
        """Ask which of several things is meant."""
        text = f"{said!r} may mean several things."
        self.out.question = ask(
            self.operation,
            name,
            self.scope.names,
            said=text,
            candidates=[n.name for n in found[:8]],
        )
