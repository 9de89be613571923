"""A small domain of its own for the kernel's tests: shelves that hold values."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import BaseModel, Field, SecretStr

from tools.kernel.entities import EntityKind, EntityName, Slot
from tools.kernel.errors import Conflict, InvalidInput, NotFound
from tools.kernel.operations import (
    Args,
    Call,
    Change,
    Effect,
    Evidence,
    Inverse,
    Operation,
    OperationSet,
    Preview,
    Result,
)

SECRET = "hunter2-is-the-secret"


class World:
    """What the operations act on."""

    def __init__(self, kernel: Any) -> None:
        self.shelves: dict[str, str] = {}
        self.acts: list[str] = []
        self.lock = threading.Lock()
        self.inside: Callable[[], None] = lambda: None

    def act(self, what: str) -> None:
        """Note an act."""
        with self.lock:
            self.acts.append(what)
        self.inside()


class Shelf(Args):
    shelf: str = Field("a", max_length=40)


class Put(Shelf):
    value: str | None = "x"


class Versioned(Args):
    model: Annotated[str, Slot(EntityKind.MODEL, "Which model?")]
    version: Annotated[int | None, Slot(EntityKind.MODEL_VERSION, "Which version?")] = None
    other_model: Annotated[str | None, Slot(EntityKind.MODEL)] = None
    other_version: Annotated[int | None, Slot(EntityKind.MODEL_VERSION)] = None


class Named(Args):
    datasets: Annotated[list[str], Slot(EntityKind.DATASET)] = Field(default_factory=list)
    fresh: Annotated[str | None, Slot(EntityKind.DATASET, closed=False)] = None
    ratio: float = Field(0.5, ge=0, le=1)


class Seen(Result):
    value: str | None = None


class Echo(Result):
    arguments: dict[str, Any]


class Key(BaseModel):
    inner: SecretStr


class Secrets(Result):
    token: SecretStr
    nested: Key
    many: list[SecretStr]
    named: dict[str, Key]


def world(call: Call) -> World:
    return call.get(World)


def read(args: Shelf, call: Call) -> Seen:
    world(call).act("read")
    return Seen(value=world(call).shelves.get(args.shelf))


def put(args: Put, call: Call) -> Seen:
    there = world(call)
    there.act(f"put {args.shelf}={args.value}")
    before = there.shelves.get(args.shelf)
    if args.value is None:
        there.shelves.pop(args.shelf, None)
    else:
        there.shelves[args.shelf] = args.value
    return Seen(value=before)


def shelf_evidence(args: Any, result: Any, call: Call) -> list[Evidence]:
    value = world(call).shelves.get(args.shelf)
    return [
        Evidence(fact=f"shelf {args.shelf}", value=value, source="lab"),
        Evidence(fact="acts", value=len(world(call).acts), source="lab", guard=False),
    ]


def put_back(args: Any, result: Seen, call: Call) -> Inverse:
    arguments = {"shelf": args.shelf, "value": result.value}
    return Inverse(operation=call.operation.name, arguments=arguments)


def card(args: Any, call: Call) -> Preview:
    return Preview(
        summary=f"Change shelf {args.shelf}.",
        changes=[Change(what=args.shelf, before=None, after=getattr(args, "value", None))],
        confirm=args.shelf,
        second_person=args.shelf.startswith("prod"),
    )


def refuse(args: Shelf, call: Call) -> Seen:
    raise Conflict("The shelf is nailed shut.")


def boom(args: Shelf, call: Call) -> Seen:
    world(call).act("boom")
    raise RuntimeError(f"password={SECRET}")


def vanish(args: Shelf, call: Call) -> Seen:
    return None  # pyright: ignore[reportReturnType]


def unread(args: Any, result: Any, call: Call) -> list[Evidence]:
    raise NotFound("nothing is there")


def secret(args: Shelf, call: Call) -> Secrets:
    key = Key(inner=SecretStr(SECRET))
    return Secrets(token=SecretStr(SECRET), nested=key, many=[SecretStr(SECRET)], named={"k": key})


def echo(args: Any, call: Call) -> Echo:
    return Echo(arguments=args.model_dump())


def costly(args: Shelf, call: Call) -> Preview:
    return Preview(summary="Spend.", cost=3.0)


def newest(args: Put, call: Call) -> Put:
    return args if args.value != "newest" else args.model_copy(update={"value": "v9"})


def sometimes(args: Put) -> Effect:
    return Effect.DANGEROUS if args.value == "champion" else Effect.WRITE


def check_shelf(args: Put, call: Call) -> Preview:
    if args.value == "impossible":
        raise InvalidInput("No shelf holds the impossible.")
    if args.value in world(call).shelves.values():
        raise Conflict(f"{args.value} stands on a shelf already.")
    return card(args, call)


def work(args: Shelf, call: Call) -> Seen:
    """A job of two steps."""
    job, there = call.running, world(call)
    job.progress(0.1, "begun", loss=0.5)
    job.step("first", there.act, f"first {args.shelf}")
    if args.shelf == "boom":
        raise RuntimeError(f"password={SECRET}")
    if args.shelf == "conflict":
        raise Conflict("The shelf is nailed shut.")
    if args.shelf == "long":
        job.sleep(600)
    if args.shelf == "stubborn":
        while True:
            there.inside()
            job.check_cancelled()
    job.step("second", there.act, f"second {args.shelf}")
    there.shelves[args.shelf] = "worked"
    return Seen(value="worked")


def operations() -> OperationSet:
    """A fresh set, so that a test may change one."""
    found = OperationSet()

    def add(name: str, effect: Effect, input: type, output: type, function: Any, **more: Any):
        hooks = more.pop("hooks", {})
        found.add(Operation(name, effect, input, output, function, (), hooks=hooks, **more))

    acting = {"preview": card, "read_back": shelf_evidence, "inverse": put_back}
    add("lab.read", Effect.READ, Shelf, Seen, read, idempotent=True)
    add("lab.put", Effect.WRITE, Put, Seen, put, hooks=dict(acting))
    add("lab.repeat", Effect.WRITE, Put, Seen, put, hooks=dict(acting), idempotent=True)
    add("lab.wipe", Effect.DANGEROUS, Put, Seen, put, hooks={**acting, "normalise": newest})
    add("lab.alias", Effect.WRITE, Put, Seen, put, hooks={**acting, "effect_of": sometimes})
    add("lab.place", Effect.WRITE, Put, Seen, put, hooks={**acting, "preview": check_shelf})
    add("lab.refuse", Effect.WRITE, Shelf, Seen, refuse)
    add("lab.boom", Effect.WRITE, Shelf, Seen, boom)
    add("lab.vanish", Effect.WRITE, Shelf, Seen, vanish)
    add("lab.unread", Effect.WRITE, Put, Seen, put, hooks={**acting, "read_back": unread})
    add("lab.secret", Effect.WRITE, Shelf, Secrets, secret)
    add("lab.models", Effect.READ, Versioned, Echo, echo)
    add("lab.names", Effect.READ, Named, Echo, echo)
    add("lab.spend", Effect.WRITE, Shelf, Seen, read, hooks={"preview": costly})
    add("lab.work", Effect.WRITE, Shelf, Seen, work, job=True, hooks={"read_back": shelf_evidence})
    add(
        "lab.invest",
        Effect.WRITE,
        Shelf,
        Seen,
        work,
        job=True,
        hooks={"preview": costly, "inverse": unwork, "read_back": shelf_evidence},
    )
    add("lab.clear", Effect.DANGEROUS, Shelf, Seen, work, job=True, hooks={"preview": card})
    return found


def unwork(args: Any, result: Seen, call: Call) -> Inverse:
    return Inverse(operation="lab.work", arguments={"shelf": "conflict"})


NAMES = {
    EntityKind.MODEL: [EntityName("ticket-router"), EntityName("Spam 2"), EntityName("a-b")],
    EntityKind.MODEL_VERSION: [
        EntityName("1", ("v1",), of="ticket-router"),
        EntityName("3", ("v3", "challenger"), of="ticket-router"),
        EntityName("7", ("v7", "champion"), of="Spam 2"),
    ],
    EntityKind.DATASET: [EntityName("tickets"), EntityName("week-31", ("last week",))],
}
