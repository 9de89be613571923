"""An operation is written once: one typed function with its metadata.

From it come the agent's tool, the MCP tool, the REST endpoint, the CLI command, the documentation
row, the router's training sentences and the eval's target. Only the gate runs it.

    @operation("datasets.remove", effect=Effect.DANGEROUS, examples=("remove the dataset tickets",))
    def remove(args: RemoveDataset, call: Call) -> DatasetRemoved:
        '''Remove a dataset version ...'''
        return call.get(DatasetService).remove(args.dataset)

    @remove.preview
    def _(args: RemoveDataset, call: Call) -> Preview: ...

    @remove.read_back
    def _(args: RemoveDataset, result: DatasetRemoved, call: Call) -> list[Evidence]: ...

    @remove.inverse
    def _(args: RemoveDataset, result: DatasetRemoved, call: Call) -> Inverse | None: ...
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import (
    TYPE_CHECKING,
    Annotated,
    Any,
    Generic,
    TypeVar,
    get_args,
    get_origin,
    get_type_hints,
)

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from tools.kernel.entities import EntityKind, Slot
from tools.kernel.errors import NotFound

if TYPE_CHECKING:
    from tools.kernel.identity import RequestContext
    from tools.kernel.jobs import JobContext
    from tools.kernel.kernel import Kernel


class Effect(StrEnum):
    """What a call does to the world."""

    READ = "read"
    WRITE = "write"
    DANGEROUS = "dangerous"


class Args(BaseModel):
    """Base of every operation's input: unknown arguments are refused, spaces trimmed."""

    model_config = ConfigDict(
        extra="forbid", str_strip_whitespace=True, frozen=True, allow_inf_nan=False
    )


class Result(BaseModel):
    """Base of every operation's output."""

    model_config = ConfigDict(extra="forbid")


class JobHandle(Result):
    """What an operation that runs as a job answers at once.

    Attributes:
        job: the job's number.
        operation: the operation that it carries out.
        status: the job's status when the handle was made.
    """

    job: int
    operation: str
    status: str = "queued"


class Evidence(BaseModel):
    """One fact read back from the system after an act.

    Attributes:
        fact: what was read, for example `alias challenger of ticket-router`.
        value: the value found.
        source: the system it was read from, for example `mlflow registry`, `device thinkpad-1`.
        guard: True if undo must find the same value still; False for values that drift by nature.
    """

    model_config = ConfigDict(frozen=True)

    fact: str
    value: JsonValue
    source: str
    guard: bool = True


class Change(BaseModel):
    """One difference that an act would make."""

    what: str
    before: JsonValue = None
    after: JsonValue = None


class Preview(BaseModel):
    """What an act would do, computed without doing it: the approval card and the dry run.

    Attributes:
        summary: one sentence in the person's words, naming the concrete targets.
        changes: the differences that it would make.
        risk: what could go wrong, in a sentence.
        seconds: estimated duration, if known.
        cost: estimated money, in the configured currency, if known.
        confirm: what a self-approving person types (a name from the act, such as the group).
        second_person: True if somebody other than the proposer must approve.
        approvers: who approves must fit one entry of each of these lists: `role:admin` or
            `user:marta`.
        warnings: what the person should know before deciding.
    """

    summary: str
    changes: list[Change] = Field(default_factory=list)
    risk: str | None = None
    seconds: float | None = None
    cost: float | None = None
    confirm: str | None = None
    second_person: bool = False
    approvers: list[list[str]] = Field(default_factory=list[list[str]])
    warnings: list[str] = Field(default_factory=list)


class Inverse(BaseModel):
    """The call that undoes an act."""

    operation: str
    arguments: dict[str, JsonValue]


A = TypeVar("A", bound=Args)
R = TypeVar("R", bound=BaseModel)
S = TypeVar("S")


@dataclass(frozen=True)
class Call:
    """What an operation is handed by the gate, beside its arguments.

    Attributes:
        kernel: the platform's kernel.
        context: who asks, through which door.
        operation: the operation being run.
        job: progress, steps and cancellation, if the operation runs as a job.
    """

    kernel: Kernel
    context: RequestContext
    operation: Operation[Any, Any]
    job: JobContext | None = None

    def get(self, service: type[S]) -> S:
        """The platform's one instance of a service class."""
        return self.kernel.get(service)

    @property
    def tenant(self) -> str:
        """The tenant on whose things the call acts."""
        return self.context.tenant

    @property
    def running(self) -> JobContext:
        """The job context of an operation that runs as a job.

        Raises:
            RuntimeError: if the operation was not declared with `job=True`.
        """
        if self.job is None:
            raise RuntimeError(f"{self.operation.name} does not run as a job")
        return self.job


@dataclass
class Operation(Generic[A, R]):
    """A typed function and all that the doors need to know of it.

    Attributes:
        name: `domain.verb`.
        effect: read, write or dangerous; see `effect_of` for effects that depend on arguments.
        scope: what policy grants, `domain:read`, `domain:write` or `domain:dangerous`.
        input: the class of its arguments.
        output: the class of its result (for a job: of the job's result).
        examples: sentences people would say for it; they train the router.
        job: True if it runs as a durable job and answers with a `JobHandle`.
        idempotent: True if a second equal call changes nothing more.
        foreseen: True if its preview is told before a yes where it changes what is there already,
            although it is no job.
        hidden: True for inverses and for acts on accounts: no part of help, and never scheduled.
            Those that have examples can be asked for in words all the same.
    """

    name: str
    effect: Effect
    input: type[A]
    output: type[R]
    function: Callable[[A, Call], R]
    examples: tuple[str, ...]
    job: bool = False
    idempotent: bool = False
    foreseen: bool = False
    hidden: bool = False
    hooks: dict[str, Callable[..., Any]] = field(default_factory=dict[str, Callable[..., Any]])

    @property
    def domain(self) -> str:
        """The part of the name before the dot."""
        return self.name.partition(".")[0]

    @property
    def verb(self) -> str:
        """The part of the name after the dot."""
        return self.name.partition(".")[2]

    @property
    def description(self) -> str:
        """The whole docstring: what a model and a person read."""
        return inspect.cleandoc(self.function.__doc__ or "")

    @property
    def summary(self) -> str:
        """The docstring's first line."""
        return self.description.partition("\n")[0]

    @property
    def spoken(self) -> bool:
        """True if people ask for it in words."""
        return not self.hidden or bool(self.examples)

    @property
    def scope(self) -> str:
        """What a role must grant for the operation's declared effect."""
        return f"{self.domain}:{self.effect.value}"

    @property
    def slots(self) -> dict[str, Slot]:
        """The `Slot` of every argument that has one."""
        return slots_of(self.input)

    def effect_for(self, args: A) -> Effect:
        """The effect of a call with these arguments."""
        hook = self.hooks.get("effect_of")
        return hook(args) if hook else self.effect

    def normalise(self, hook: Callable[[A, Call], A]) -> Callable[[A, Call], A]:
        """Decorator: fill defaults from the live state before anything is hashed or shown."""
        return self._hook("normalise", hook)

    def effect_of(self, hook: Callable[[A], Effect]) -> Callable[[A], Effect]:
        """Decorator: the effect where it depends on the arguments."""
        return self._hook("effect_of", hook)

    def preview(self, hook: Callable[[A, Call], Preview]) -> Callable[[A, Call], Preview]:
        """Decorator: check that the act can be done and say what it would do; changes nothing."""
        return self._hook("preview", hook)

    def read_back(
        self, hook: Callable[[A, R, Call], list[Evidence]]
    ) -> Callable[[A, R, Call], list[Evidence]]:
        """Decorator: read from the system what now stands; the receipt's evidence."""
        return self._hook("read_back", hook)

    def inverse(
        self, hook: Callable[[A, R, Call], Inverse | None]
    ) -> Callable[[A, R, Call], Inverse | None]:
        """Decorator: the call that undoes the act, made right after it, or None."""
        return self._hook("inverse", hook)

    def says(self, hook: Callable[[A, R], str]) -> Callable[[A, R], str]:
        """Decorator: one sentence that tells a person what was done or found."""
        return self._hook("says", hook)

    def _hook(self, name: str, hook: Callable[..., Any]) -> Callable[..., Any]:
        if name in self.hooks:
            raise ValueError(f"{self.name} has a {name} hook already")
        self.hooks[name] = hook
        return hook


AnyOperation = Operation[Any, Any]


class OperationSet:
    """All operations by name, in the order in which they were declared."""

    def __init__(self) -> None:
        self._operations: dict[str, Operation[Any, Any]] = {}

    def add(self, operation: Operation[Any, Any]) -> None:
        """Add one.

        Raises:
            ValueError: if the name is taken by another function.
        """
        known = self._operations.get(operation.name)
        if known is not None and known.function.__module__ != operation.function.__module__:
            raise ValueError(f"two operations are named {operation.name}")
        self._operations[operation.name] = operation

    def get(self, name: str) -> Operation[Any, Any]:
        """The operation of that name.

        Raises:
            NotFound: with the nearest names.
        """
        try:
            return self._operations[name]
        except KeyError:
            from tools.kernel.entities import nearest

            raise NotFound(
                f"There is no operation named {name!r}.",
                suggestions=nearest(name, list(self._operations)),
                hint="`pilothouse call --list` shows them all.",
            ) from None

    def __iter__(self) -> Iterator[Operation[Any, Any]]:
        """All operations."""
        return iter(self._operations.values())

    def __len__(self) -> int:
        """How many there are."""
        return len(self._operations)

    def of(self, domains: Sequence[str]) -> list[Operation[Any, Any]]:
        """The operations of these domains."""
        return [o for o in self if o.domain in domains]


OPERATIONS = OperationSet()


def operation(
    name: str,
    *,
    effect: Effect,
    examples: Sequence[str] = (),
    job: bool = False,
    idempotent: bool | None = None,
    foreseen: bool = False,
    hidden: bool = False,
) -> Callable[[Callable[[A, Call], R]], Operation[A, R]]:
    """Declare an operation; see the module's text and `Operation` for the arguments.

    The input and output classes are read from the function's annotations.
    """

    def declare(function: Callable[[A, Call], R]) -> Operation[A, R]:
        hints = get_type_hints(function)
        declared: Operation[A, R] = Operation(
            name=name,
            effect=effect,
            input=hints["args"],
            output=hints["return"],
            function=function,
            examples=tuple(examples),
            job=job,
            idempotent=effect is Effect.READ if idempotent is None else idempotent,
            foreseen=foreseen,
            hidden=hidden,
        )
        OPERATIONS.add(declared)
        return declared

    return declare


def slots_of(model: type[BaseModel]) -> dict[str, Slot]:
    """The `Slot` markers of a model's fields, also inside `X | None`."""
    found: dict[str, Slot] = {}
    for name, info in model.model_fields.items():
        candidates = [*info.metadata]
        for part in get_args(info.annotation):
            if get_origin(part) is Annotated:
                candidates.extend(part.__metadata__)
        slot = next((c for c in candidates if isinstance(c, Slot)), None)
        if slot is not None:
            found[name] = slot
    return found


__all__ = [
    "OPERATIONS",
    "AnyOperation",
    "Args",
    "Call",
    "Change",
    "Effect",
    "EntityKind",
    "Evidence",
    "Inverse",
    "JobHandle",
    "Operation",
    "OperationSet",
    "Preview",
    "Result",
    "Slot",
    "operation",
]
