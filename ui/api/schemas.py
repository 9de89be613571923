"""Operations as JSON schemas, with an example of real arguments for each."""

from __future__ import annotations

from typing import Any

from tools.kernel.entities import EntityKind
from tools.kernel.operations import Operation

Json = dict[str, Any]
KINDS: dict[EntityKind, Any] = {
    EntityKind.MODEL: "ticket-router",
    EntityKind.MODEL_VERSION: 1,
    EntityKind.DATASET: "tickets",
    EntityKind.DEVICE: "thinkpad-1",
    EntityKind.DEVICE_GROUP: "thinkpads",
    EntityKind.JOB: 1,
    EntityKind.ROLLOUT: 1,
    EntityKind.DOCUMENT: "runbook",
    EntityKind.BASE_MODEL: "minilm",
    EntityKind.RECEIPT: "R1",
    EntityKind.APPROVAL: "A0123456789",
    EntityKind.USER: "ada",
    EntityKind.SCHEDULE: "nightly",
}
"""A name of each kind, as the documentation's examples use them."""
WORDS: Json = {
    "path": "/data/tickets.csv",
    "name": "ada",
    "question": "How is a model rolled back?",
    "query": "roll back",
    "run_id": "0123456789abcdef0123456789abcdef",
    "batch": "0123456789abcdef",
    "topic": "rollouts",
}
"""Values of arguments that name nothing in the catalogue."""
ARGUMENTS: dict[str, Json] = {
    "evaluation.robustness": {"model": "ticket-router", "version": 1},
    "evaluation.run": {"model": "ticket-router", "version": 1},
    "schedules.create": {
        "sentence": "evaluate the ticket router every night at two",
        "steps": [{"id": "s1", "operation": "evaluation.run", "arguments": {"job": 1}}],
        "timing": {"every": "0 2 * * *", "zone": "UTC"},
    },
}
"""Whole examples of operations whose arguments depend on one another."""
VERSION = r"^(v?[1-9][0-9]{0,8}|@?(champion|challenger|staging))$"


def input_schema(operation: Operation[Any, Any]) -> Json:
    """The JSON schema of an operation's arguments, as programs are held to it.

    A version may be named by its number, or as `v3` or by an alias, which the gate reads.
    """
    schema = operation.input.model_json_schema()
    for name, slot in operation.slots.items():
        if slot.kind is EntityKind.MODEL_VERSION:
            _also_text(schema["properties"][name])
    return schema


def example(operation: Operation[Any, Any]) -> Json:
    """Arguments of a call that could be meant: all required ones, on the kind's usual names."""
    if operation.name in ARGUMENTS:
        return ARGUMENTS[operation.name]
    schema = input_schema(operation)
    return {
        name: _value(operation, name, schema["properties"][name], schema)
        for name in schema.get("required", [])
    }


def _also_text(field: Json) -> None:
    text: Json = {"type": "string", "pattern": VERSION}
    choices: list[Json] = field.setdefault("anyOf", [])
    if not choices:
        moved = {k: field.pop(k) for k in ("type", "minimum", "maximum") if k in field}
        choices.append(moved)
    choices.append(text)


def _value(operation: Operation[Any, Any], name: str, field: Json, schema: Json) -> Any:
    if field.get("examples"):
        return field["examples"][0]
    slot = operation.slots.get(name)
    if slot is not None and slot.kind is not None:
        return KINDS.get(slot.kind, "example")
    if name in WORDS:
        return WORDS[name]
    return _plain(field, schema)


def _plain(field: Json, schema: Json) -> Any:
    if "$ref" in field:
        return _plain(schema["$defs"][field["$ref"].rpartition("/")[2]], schema)
    if "const" in field:
        return field["const"]
    if "enum" in field:
        return field["enum"][0]
    for choice in field.get("anyOf", ()):
        return _plain(choice, schema)
    kinds: Json = {"boolean": True, "object": {}, "array": [], "null": None}
    if field.get("type") in ("integer", "number"):
        return field.get("minimum", 1)
    return kinds.get(field.get("type", ""), "example")
