"""From what a caller wrote to an operation's input: typed, linked to the catalogue, complete."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from tools.kernel.entities import Catalogue, EntityKind, nearest, parse_model_reference
from tools.kernel.errors import InvalidInput, NotFound
from tools.kernel.operations import Args, Operation

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_VERSIONS_TOLD = 8


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
    for model, version in (("model", "version"), ("other_model", "other_version")):
        if version not in operation.input.model_fields:
            continue
        owner = given.get(model) or given.get("model")
        if isinstance(given.get(version), str) and isinstance(owner, str):
            name = parse_model_reference(owner).name
            given[version] = _number(name, given[version], catalogue, tenant)
        elif version in operation.slots:
            _refuse_ownerless(version, given.get(version))
        if isinstance(given.get(model), str):
            _split_reference(given, model, version, catalogue, tenant)
    return given


def _refuse_ownerless(name: str, value: Any) -> None:
    """Refuse `champion` or `v3` where no model is named whose version it could be."""
    if isinstance(value, str) and not value.strip().isdecimal():
        raise InvalidInput(
            f"{name}: {value!r} is the version of a model, but no model is named.",
            hint=f"Name the model too, or leave {name} out.",
        )


def _split_reference(
    given: dict[str, Any], model: str, version: str, catalogue: Catalogue, tenant: str
) -> None:
    value = given[model]
    if catalogue.knows(EntityKind.MODEL, value, tenant):
        return
    reference = parse_model_reference(value)
    if reference.alias is None and reference.version is None:
        return
    found = reference.version
    if found is None:
        found = _aliased(reference.name, str(reference.alias), catalogue, tenant)
    if given.get(version) not in (None, found):
        raise InvalidInput(f"{value!r} names version {found}, but {version} says {given[version]}.")
    given[model], given[version] = reference.name, found


def _number(model: str, written: str, catalogue: Catalogue, tenant: str) -> int:
    """The version that `3`, `v3`, `version 3`, `@challenger` or `challenger` stands for."""
    text = written.strip().lstrip("@")
    digits = text.casefold().removeprefix("version").removeprefix("v").strip()
    if digits.isdecimal() and len(digits) < 10:
        return int(digits)
    return _aliased(model, text, catalogue, tenant)


def _aliased(model: str, alias: str, catalogue: Catalogue, tenant: str) -> int:
    name = catalogue.resolve(EntityKind.MODEL, model, tenant)
    try:
        return int(catalogue.resolve(EntityKind.MODEL_VERSION, alias, tenant, of=name))
    except NotFound as error:
        known = [
            f"v{v.name}" for v in catalogue.names(EntityKind.MODEL_VERSION, tenant) if v.of == name
        ]
        raise NotFound(
            f"{name} has no {alias!r}: no version has that number or alias.",
            hint=f"Its versions: {', '.join(known[:_VERSIONS_TOLD])}." if known else error.hint,
        ) from error


def _link(operation: Operation[Any, Any], args: Args, catalogue: Catalogue, tenant: str) -> Args:
    linked: dict[str, Any] = {}
    versions_last = sorted(
        operation.slots.items(), key=lambda item: item[1].kind is EntityKind.MODEL_VERSION
    )
    for name, slot in versions_last:
        value = getattr(args, name)
        if value is not None and slot.kind is not None and slot.closed:
            linked[name] = _linked(name, value, slot.kind, args, linked, catalogue, tenant)
    return args.model_copy(update=linked)


def _linked(
    name: str,
    value: Any,
    kind: EntityKind,
    args: Args,
    linked: dict[str, Any],
    catalogue: Catalogue,
    tenant: str,
) -> Any:
    of = None
    if kind is EntityKind.MODEL_VERSION:
        owner = _owner(name, args)
        of = linked.get(owner) or getattr(args, owner, None)
        if of is None:
            return value
    try:
        if isinstance(value, list | tuple):
            return type(value)(catalogue.resolve(kind, str(each), tenant, of=of) for each in value)
        text = str(value).lstrip("#") if kind is EntityKind.JOB else str(value)
        return type(value)(catalogue.resolve(kind, text, tenant, of=of))
    except NotFound as error:
        error.message = f"{name}: {error.message}"
        raise


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
            told.append(f"{where}: {_plain(problem)}")
    return f"{operation.name}: " + "; ".join(told) + "."


def _plain(problem: ErrorDetails) -> str:
    if problem["type"] in ("int_parsing", "int_type", "int_from_float"):
        return f"{problem['input']!r} is no whole number"
    return problem["msg"].removeprefix("Value error, ")
