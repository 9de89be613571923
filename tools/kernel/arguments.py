"""From what a caller wrote to an operation's input: typed, linked to the catalogue, complete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from tools.kernel.entities import Catalogue, EntityKind, Slot, nearest, parse_model_reference
from tools.kernel.errors import InvalidInput, NotFound
from tools.kernel.operations import Args, Operation


def read_arguments(
    operation: Operation[Any, Any], arguments: Mapping[str, Any], catalogue: Catalogue, tenant: str
) -> Args:
    """The operation's input.

    Raises:
        InvalidInput: naming each argument that is unknown, missing or out of range.
        NotFound: for a name that is not in the live catalogue, with the nearest ones.
    """
    given = _split_references(operation, dict(arguments), catalogue, tenant)
    _refuse_unknown(operation, given)
    try:
        args = operation.input.model_validate(given)
    except ValidationError as error:
        raise InvalidInput(_told(operation, error)) from error
    return _link(operation, args, catalogue, tenant)


def _refuse_unknown(operation: Operation[Any, Any], given: Mapping[str, Any]) -> None:
    fields = list(operation.input.model_fields)
    for name in given:
        if name not in fields:
            raise InvalidInput(
                f"{operation.name} has no argument {name!r}.",
                suggestions=nearest(name, fields, limit=1),
                hint=f"It takes: {', '.join(fields) or 'no arguments'}.",
            )


def _split_references(
    operation: Operation[Any, Any], given: dict[str, Any], catalogue: Catalogue, tenant: str
) -> dict[str, Any]:
    fields = operation.input.model_fields
    for model, version in (("model", "version"), ("other_model", "other_version")):
        value = given.get(model)
        if not isinstance(value, str) or version not in fields:
            continue
        known = {n.name for n in catalogue.names(EntityKind.MODEL, tenant)}
        if value in known:
            continue
        reference = parse_model_reference(value)
        if reference.alias or reference.version:
            given[model] = reference.name
            found = reference.version or _aliased(
                reference.name, reference.alias, catalogue, tenant
            )
            if given.get(version) not in (None, found, str(found)):
                raise InvalidInput(
                    f"{value!r} names version {found}, but {version} says {given[version]}."
                )
            given[version] = found
    alias = given.get("version")
    if isinstance(alias, str) and isinstance(given.get("model"), str):
        text = alias.strip().lstrip("@")
        digits = text[1:] if text[:1] in "vV" else text
        given["version"] = (
            int(digits) if digits.isdigit() else _aliased(given["model"], text, catalogue, tenant)
        )
    return given


def _aliased(model: str, alias: str | None, catalogue: Catalogue, tenant: str) -> int:
    name = catalogue.resolve(EntityKind.MODEL, model, tenant)
    return int(catalogue.resolve(EntityKind.MODEL_VERSION, str(alias), tenant, of=name))


def _link(operation: Operation[Any, Any], args: Args, catalogue: Catalogue, tenant: str) -> Args:
    linked: dict[str, Any] = {}
    for name, slot in operation.slots.items():
        value = getattr(args, name)
        if value is not None and slot.kind is not None and slot.closed:
            linked[name] = _linked(name, value, slot, args, linked, catalogue, tenant)
    return args.model_copy(update=linked)


def _linked(
    name: str,
    value: Any,
    slot: Slot,
    args: Args,
    linked: dict[str, Any],
    catalogue: Catalogue,
    tenant: str,
) -> Any:
    assert slot.kind is not None
    of = None
    if slot.kind is EntityKind.MODEL_VERSION:
        owner = _owner(name, args)
        of = linked.get(owner) or getattr(args, owner, None)
        if of is None:
            return value
    if slot.kind is EntityKind.JOB:
        value = str(value).lstrip("#")
    try:
        found = catalogue.resolve(slot.kind, str(value), tenant, of=of)
    except NotFound as error:
        error.message = f"{name}: {error.message}"
        raise
    return type(getattr(args, name))(found)


def _owner(version: str, args: Args) -> str:
    other = version.replace("version", "model")
    return other if getattr(args, other, None) is not None else "model"


def _told(operation: Operation[Any, Any], error: ValidationError) -> str:
    told: list[str] = []
    for problem in error.errors():
        where = ".".join(str(part) for part in problem["loc"]) or "arguments"
        if problem["type"] == "missing":
            slot = operation.slots.get(where)
            told.append(
                f"{where} is missing" + (f" ({slot.question})" if slot and slot.question else "")
            )
        else:
            told.append(f"{where}: {problem['msg'].removeprefix('Value error, ')}")
    return f"{operation.name}: " + "; ".join(told) + "."
