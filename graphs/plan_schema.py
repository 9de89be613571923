"""The plan as a JSON schema that a language model has to fill in, over a few operations.

Servers that decode under a grammar (llama.cpp, Ollama) can then answer nothing else; the others are
checked. Only what is common to the providers' subsets of JSON Schema is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from tools.kernel.entities import EntityKind
from tools.kernel.operations import AnyOperation

Names = Mapping[EntityKind, Sequence[str]]
"""For each kind of thing, the names that a model may choose from."""

MAX_STEPS = 8
_LONGEST_TEXT = 300
_DROPPED = ("title", "default", "description", "examples", "format", "pattern", "$defs")
_STEP_ID = {"type": "string", "pattern": "^s[1-8]$"}
_REFERENCE = {
    "type": "object",
    "properties": {"step": _STEP_ID, "field": {"type": "string", "maxLength": 60}},
    "required": ["step", "field"],
    "additionalProperties": False,
}
_CONDITION = {
    "type": "object",
    "properties": {
        "left": _REFERENCE,
        "op": {"enum": [">", ">=", "<", "<=", "==", "!="]},
        "right": {"anyOf": [{"type": "number"}, _REFERENCE]},
        "margin": {"type": "number"},
        "otherwise": {"type": "boolean"},
    },
    "required": ["left", "op", "right"],
    "additionalProperties": False,
}


def plan_schema(
    operations: Sequence[AnyOperation], names: Names, agents: Sequence[str]
) -> dict[str, Any]:
    """The schema of a plan.

    Args:
        operations: those that a step may call.
        names: the catalogue's names that may be chosen, where there are few enough to list.
        agents: those that an open task may be handed to.
    """
    text = {"type": "string", "maxLength": _LONGEST_TEXT}
    return {
        "title": "Plan",
        "description": "A plan for what the person asked, made only of the operations listed.",
        "type": "object",
        "properties": {
            "steps": {
                "type": "array",
                "maxItems": MAX_STEPS,
                "items": {"anyOf": [_step(o, names) for o in operations]},
            },
            "reply": {"anyOf": [text, {"type": "null"}]},
            "delegate": {"anyOf": [{"enum": list(agents)}, {"type": "null"}]},
        },
        "required": ["steps", "reply"],
        "additionalProperties": False,
    }


def _step(operation: AnyOperation, names: Names) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {
            "operation": {"enum": [operation.name]},
            "arguments": {
                "type": "object",
                "properties": arguments_schema(operation, names),
                "additionalProperties": False,
            },
            "depends_on": {"type": "array", "maxItems": MAX_STEPS, "items": _STEP_ID},
            "condition": _CONDITION,
        },
        "required": ["operation", "arguments"],
        "additionalProperties": False,
    }


def arguments_schema(operation: AnyOperation, names: Names) -> dict[str, Any]:
    """The schema of each argument: its own, names to choose from, or an earlier step's result.

    None is required: what the person did not say is to be asked for, not to be made up.
    """
    if not operation.input.model_fields:
        return {}
    whole = operation.input.model_json_schema()
    found: dict[str, Any] = {}
    for name, schema in whole["properties"].items():
        own = _plain(schema, whole.get("$defs", {}))
        slot = operation.slots.get(name)
        kind = slot.kind if slot is not None and slot.closed else None
        if kind is not None and kind in names and own.get("type") == "string":
            own = {"enum": list(names[kind])}
        found[name] = {"anyOf": [own, _REFERENCE]} if _may_wait(own) else own
    return found


def _may_wait(schema: Mapping[str, Any]) -> bool:
    """True for values that an earlier step's result may hold."""
    return "enum" in schema or schema.get("type") in ("string", "integer", "number")


def _plain(schema: Any, defs: Mapping[str, Any]) -> Any:
    """A schema with its references put in, without null and without what only people read."""
    if isinstance(schema, list):
        return [_plain(part, defs) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return _plain(defs[str(schema["$ref"]).rpartition("/")[2]], defs)
    if "anyOf" in schema:
        options = [_plain(o, defs) for o in schema["anyOf"] if o.get("type") != "null"]
        return options[0] if len(options) == 1 else {"anyOf": options}
    found = {k: _plain(v, defs) for k, v in schema.items() if k not in _DROPPED}
    if "properties" in schema:
        found["properties"] = {k: _plain(v, defs) for k, v in schema["properties"].items()}
    if found.get("type") == "string" and "enum" not in found and "const" not in found:
        found.setdefault("maxLength", _LONGEST_TEXT)
    return found
