"""From `--name=value` words to an operation's typed arguments, by its input schema."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from tools.kernel.errors import InvalidInput

Json = dict[str, Any]
_TRUE = {"true", "yes", "on", "1"}
_FALSE = {"false", "no", "off", "0"}


def parse_arguments(operation: str, words: Sequence[str], schema: Json) -> Json:
    """The arguments that the words give.

    Args:
        operation: its name, for messages.
        words: `--name=value`, `--name value`, or `--name` for yes; lists by repeating the name.
        schema: the JSON schema of the operation's input.

    Raises:
        InvalidInput: for a name that the operation does not have, or a value of the wrong type.
    """
    properties: Json = schema.get("properties", {})
    given: Json = {}
    for name, text in _pairs(operation, words, properties):
        kinds = _kinds(properties[name], schema)
        value = _typed(name, text, kinds)
        if "array" in kinds and isinstance(value, list) and name in given:
            value = [*given[name], *value]
        given[name] = _from_here(name, value)
    return given


def described(schema: Json) -> list[tuple[str, str, str, str]]:
    """Each argument of an input schema: `--name`, what it takes, its default, what it is."""
    required = set(schema.get("required", []))
    rows: list[tuple[str, str, str, str]] = []
    for name, given in schema.get("properties", {}).items():
        kinds = _kinds(given, schema)
        takes = " or ".join(sorted(_WORDS.get(kind, kind) for kind in kinds - {"null"}))
        chosen = _choices(given, schema)
        default = "needed" if name in required else _plainly(given.get("default"))
        rows.append((f"--{name}", chosen or takes, default, given.get("description", "")))
    return rows


def _choices(given: Json, schema: Json) -> str:
    """The values that may be chosen from, if they are listed."""
    for part in (given, *given.get("anyOf", []), *given.get("allOf", [])):
        target = schema.get("$defs", {}).get(str(part.get("$ref", "")).rpartition("/")[2], part)
        if "enum" in target:
            return " | ".join(map(str, target["enum"]))
    return ""


def _plainly(default: Any) -> str:
    return "" if default is None else json.dumps(default) if default != "" else ""


def _pairs(operation: str, words: Sequence[str], properties: Json) -> list[tuple[str, str | None]]:
    found: list[tuple[str, str | None]] = []
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if not word.startswith("--") or word == "--":
            raise InvalidInput(
                f"{word!r} is no argument of {operation}.",
                hint=f"Write --name=value; it takes {_names(properties)}.",
            )
        label, equals, text = word[2:].partition("=")
        name = _known(operation, label, properties)
        if equals:
            found.append((name, text))
        elif rest and not rest[0].startswith("--"):
            found.append((name, rest.pop(0)))
        else:
            found.append((name, None))
    return found


def _known(operation: str, label: str, properties: Json) -> str:
    name = label.replace("-", "_")
    if name in properties:
        return name
    from tools.kernel.entities import nearest

    raise InvalidInput(
        f"{operation} has no argument {label!r}.",
        suggestions=[f"--{n}" for n in nearest(name, list(properties), limit=2)],
        hint=f"It takes {_names(properties)}.",
    )


def _names(properties: Json) -> str:
    return ", ".join(f"--{name}" for name in properties) or "no arguments"


def _kinds(field: Json, schema: Json) -> set[str]:
    """The JSON types that a field may have."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return _kinds(schema.get("$defs", {}).get(name, {}), schema)
    alternatives = [*field.get("anyOf", []), *field.get("allOf", []), *field.get("oneOf", [])]
    if alternatives:
        return {kind for part in alternatives for kind in _kinds(part, schema)}
    declared = field.get("type", "string")
    return {declared} if isinstance(declared, str) else set(declared)


def _typed(name: str, text: str | None, kinds: set[str]) -> Any:
    if text is None:
        if "boolean" in kinds:
            return True
        raise InvalidInput(f"--{name} needs a value.")
    for kind in ("integer", "number", "boolean", "array", "object"):
        if kind in kinds:
            value = _READERS[kind](text)
            if value is not None:
                return value
    if "string" in kinds or not kinds - {"null"}:
        return text
    wanted = " or ".join(sorted(_WORDS.get(kind, kind) for kind in kinds - {"null"}))
    raise InvalidInput(f"--{name} must be {wanted}, not {text!r}.")


def _integer(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _boolean(text: str) -> bool | None:
    folded = text.strip().lower()
    return True if folded in _TRUE else False if folded in _FALSE else None


def _array(text: str) -> list[Any] | None:
    if text.lstrip().startswith("["):
        value = _json(text)
        return value if isinstance(value, list) else None
    return [part.strip() for part in text.split(",") if part.strip()]


def _object(text: str) -> Json | None:
    value = _json(text)
    return value if isinstance(value, dict) else None


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


_READERS: dict[str, Any] = {
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "array": _array,
    "object": _object,
}
_WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "boolean": "yes or no",
    "array": "a list",
    "object": "a JSON object",
    "string": "text",
}


PATHS = ("path", "test_path")
"""Arguments that name a file."""


def _from_here(name: str, value: Any) -> Any:
    """A path is meant from where the command is typed; the platform works elsewhere."""
    if name in PATHS and isinstance(value, str) and value and "://" not in value:
        with suppress(RuntimeError):  # the home of nobody: the platform says so
            return str(Path(value).expanduser().absolute())
    return value
