"""Whether an argument takes a number, by the limits that its operation declares."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from tools.kernel.operations import Operation

_ADAPTERS: dict[tuple[str, str], TypeAdapter[Any]] = {}


def out_of_range(operation: Operation[Any, Any], name: str, value: float) -> str | None:
    """What an argument must be instead of a value; None if it takes it.

    Args:
        operation: whose argument it is.
        name: the argument.
        value: the number that was said.
    """
    known = _ADAPTERS.get((operation.name, name))
    if known is None:
        known = _adapter(operation.input.model_fields[name])
        _ADAPTERS[operation.name, name] = known
    try:
        known.validate_python(value)
    except ValidationError as error:
        told = error.errors()[0]["msg"]
        return told.replace("Input should", "must", 1)
    return None


def _adapter(info: FieldInfo) -> TypeAdapter[Any]:
    kind: Any = info.annotation
    for limit in info.metadata:
        kind = Annotated[kind, limit]
    return TypeAdapter(kind)
