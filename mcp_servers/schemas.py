"""An operation as an MCP tool: name, description, input and output schema, annotations."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import mcp.types as types
from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator
from pydantic import SecretStr

from mcp_servers.names import tool_name
from mcp_servers.pages import ARGUMENT, CURSOR, NEXT, paged_field
from tools.kernel.operations import Effect, JobHandle, Operation

OPERATION = "pilothouse/operation"
EFFECT = "pilothouse/effect"

_RECEIPT: dict[str, Any] = {
    "type": "object",
    "description": "Proof of the call, with evidence read back; number 12 is called R12.",
    "properties": {
        "id": {"type": "string"},
        "number": {"type": "integer"},
        "status": {"enum": ["done", "started", "failed", "cancelled"]},
        "says": {"type": "string"},
        "evidence": {"type": "array"},
    },
    "required": ["id", "status", "says"],
}
_ERROR: dict[str, Any] = {
    "type": "object",
    "properties": {
        "code": {"type": "string"},
        "message": {"type": "string"},
        "hint": {"type": ["string", "null"]},
        "suggestions": {"type": "array", "items": {"type": "string"}},
        "approval": {"type": "object"},
    },
    "required": ["code", "message"],
}
_EFFECTS = {
    Effect.READ: "Reads only.",
    Effect.WRITE: "Changes things.",
    Effect.DANGEROUS: "Dangerous: without a person's approval it does nothing and answers with "
    "what needs approving; once that is granted, call it again with the same arguments.",
}


@dataclass(frozen=True, slots=True)
class OfferedTool:
    """One operation as a tool, with its compiled output check.

    Attributes:
        operation: the operation behind it.
        tool: what `tools/list` answers.
        check: validates structured content; compiled once, because compiling costs milliseconds.
        paged: the list in its result that can be read on with a cursor, if any.
    """

    operation: Operation[Any, Any]
    tool: types.Tool
    check: Validator
    paged: str | None = None

    @classmethod
    def of(cls, operation: Operation[Any, Any]) -> OfferedTool:
        """Describe an operation."""
        schema, paged = output_schema(operation), paged_field(operation)
        tool = types.Tool(
            name=tool_name(operation.name),
            title=title(operation),
            description=description(operation),
            inputSchema=input_schema(operation),
            outputSchema=schema,
            annotations=hints(operation),
            _meta={OPERATION: operation.name, EFFECT: effect(operation)},
        )
        return cls(operation, tool, Draft202012Validator(schema), paged)


def title(operation: Operation[Any, Any]) -> str:
    """The summary without its full stop: short enough for a menu."""
    return operation.summary.rstrip(".")[:80]


def effect(operation: Operation[Any, Any]) -> str:
    """`read`, `write`, `dangerous`, or `depends` where it depends on the arguments."""
    return "depends" if "effect_of" in operation.hooks else operation.effect.value


def hints(operation: Operation[Any, Any]) -> types.ToolAnnotations:
    """The hints by which clients decide whether to ask before a call."""
    return types.ToolAnnotations(
        title=title(operation),
        readOnlyHint=operation.effect is Effect.READ,
        destructiveHint=operation.effect is Effect.DANGEROUS,
        idempotentHint=operation.idempotent,
        openWorldHint=False,
    )


def description(operation: Operation[Any, Any]) -> str:
    """The docstring without its arguments (the schema has them), the effect, two examples."""
    parts = [_without_arguments(operation.description), _EFFECTS[operation.effect]]
    if "effect_of" in operation.hooks:
        parts[-1] = "Depending on its arguments a plain change or dangerous; if dangerous: " + (
            _EFFECTS[Effect.DANGEROUS].removeprefix("Dangerous: ")
        )
    if operation.job:
        parts.append("Runs as a job: answers at once with its number; read `job://NUMBER` later.")
    if secret_fields(operation):
        parts.append(
            f"Answers with a secret that MCP does not show: run {at_the_terminal(operation)}."
        )
    if operation.examples:
        said = " · ".join(operation.examples[:2])
        parts.append(f"For example: {said}")
    return "\n".join(part for part in parts if part)


def secret_fields(operation: Operation[Any, Any]) -> list[str]:
    """The fields of the result that hold secrets."""
    fields = operation.output.model_fields
    return [name for name, field in fields.items() if field.annotation is SecretStr]


def at_the_terminal(operation: Operation[Any, Any]) -> str:
    """The command that does the same and shows its secret."""
    return f"`pilothouse call {operation.name}` in a terminal"


def input_schema(operation: Operation[Any, Any]) -> dict[str, Any]:
    """The arguments' JSON schema, each argument described."""
    schema = _untitled(operation.input.model_json_schema())
    schema = _inlined(schema, schema.pop("$defs", {}))
    schema.pop("description", None)
    schema.setdefault("properties", {})
    for name, slot in operation.slots.items():
        if slot.question:
            schema["properties"][name].setdefault("description", slot.question)
    if paged_field(operation):
        schema["properties"][CURSOR] = ARGUMENT
    return schema


def output_schema(operation: Operation[Any, Any]) -> dict[str, Any]:
    """The envelope's schema: `result` with `receipt`, or `error`.

    Some official clients hold error results to the schema as well, so both are declared.
    """
    output = JobHandle if operation.job else operation.output
    result = _untitled(output.model_json_schema(mode="serialization"))
    definitions = result.pop("$defs", {})
    note = {"type": "string"}
    more = {NEXT: {"type": "string"}} if paged_field(operation) else {}
    envelope: dict[str, Any] = {
        "type": "object",
        "properties": {
            "result": result,
            "receipt": _RECEIPT,
            "note": note,
            "error": _ERROR,
            **more,
        },
        "anyOf": [{"required": ["result", "receipt"]}, {"required": ["error"]}],
        "additionalProperties": False,
    }
    return envelope | ({"$defs": definitions} if definitions else {})


def _inlined(value: Any, definitions: dict[str, Any]) -> Any:
    """The schema with its references replaced: some models' providers follow none."""
    if isinstance(value, list):
        return [_inlined(part, definitions) for part in value]
    if not isinstance(value, dict):
        return value
    reference = str(value.get("$ref", "")).removeprefix("#/$defs/")
    if reference in definitions:
        beside = {key: part for key, part in value.items() if key != "$ref"}
        return {**_inlined(definitions[reference], definitions), **_inlined(beside, definitions)}
    return {key: _inlined(part, definitions) for key, part in value.items()}


def _without_arguments(text: str) -> str:
    return re.sub(r"\n\s*Args:\n(?:[ \t]+.*\n?|\n)*", "\n", text + "\n").strip()


def _untitled(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema without the titles that Pydantic derives from names."""
    cleaned: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "title" and isinstance(value, str):
            continue
        if key in ("properties", "$defs"):
            cleaned[key] = {name: _untitled(part) for name, part in value.items()}
        elif isinstance(value, dict) and key not in ("default", "const"):
            cleaned[key] = _untitled(value)
        elif isinstance(value, list) and key in ("anyOf", "oneOf", "allOf", "prefixItems"):
            cleaned[key] = [_untitled(part) for part in value]
        else:
            cleaned[key] = value
    return cleaned
