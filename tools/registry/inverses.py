"""Operations that nobody asks for in words: what undo calls."""

from __future__ import annotations

from tools.kernel.operations import Call, Effect, Evidence, Inverse, Preview, operation
from tools.registry.access import evidence_of, previews_of, service_of
from tools.registry.types import AliasChange, ClearAlias, ModelVersionArgs, VersionState


@operation("registry.restore", effect=Effect.WRITE, idempotent=True, hidden=True)
def restore_model(args: ModelVersionArgs, call: Call) -> VersionState:
    """Bring an archived version back; the inverse of `registry.archive`.

    Args:
        model: the model's name.
        version: the archived version.
    """
    return service_of(call).restore(args.model, args.version, call.tenant)


@restore_model.preview
def _(args: ModelVersionArgs, call: Call) -> Preview:
    return previews_of(call).restore(args.model, args.version, call.tenant)


@restore_model.read_back
def _(args: ModelVersionArgs, result: VersionState, call: Call) -> list[Evidence]:
    return evidence_of(call).state(result.model, result.version, call.tenant)


@restore_model.inverse
def _(args: ModelVersionArgs, result: VersionState, call: Call) -> Inverse | None:
    if not result.changed:
        return None
    return Inverse(
        operation="registry.archive",
        arguments={"model": result.model, "version": result.version},
    )


@restore_model.says
def _(args: ModelVersionArgs, result: VersionState) -> str:
    return f"{result.model} v{result.version} is back in use."


@operation("registry.clear_alias", effect=Effect.DANGEROUS, idempotent=True, hidden=True)
def clear_alias(args: ClearAlias, call: Call) -> AliasChange:
    """Take an alias away; the inverse of a promotion where no version had the alias before.

    Args:
        model: the model's name.
        alias: champion, challenger or staging.
    """
    return service_of(call).clear_alias(args.model, args.alias, call.tenant)


@clear_alias.effect_of
def _(args: ClearAlias) -> Effect:
    return Effect.DANGEROUS if args.alias == "champion" else Effect.WRITE


@clear_alias.preview
def _(args: ClearAlias, call: Call) -> Preview:
    return previews_of(call).clear_alias(args.model, args.alias, call.tenant)


@clear_alias.read_back
def _(args: ClearAlias, result: AliasChange, call: Call) -> list[Evidence]:
    return evidence_of(call).alias(result.model, result.alias, call.tenant)


@clear_alias.inverse
def _(args: ClearAlias, result: AliasChange, call: Call) -> Inverse | None:
    if result.previous is None:
        return None
    return Inverse(
        operation="registry.promote",
        arguments={
            "model": result.model,
            "version": result.previous,
            "alias": result.alias,
        },
    )


@clear_alias.says
def _(args: ClearAlias, result: AliasChange) -> str:
    return f"{result.model} has no {result.alias} any more."


@operation("registry.unregister", effect=Effect.DANGEROUS, hidden=True)
def unregister_model(args: ModelVersionArgs, call: Call) -> VersionState:
    """Take a version out of the registry; the inverse of `registry.register`.

    The run and its artifact stay, so the job can be registered again, under a new number.

    Args:
        model: the model's name.
        version: the version to take out.

    Raises:
        Conflict: an alias points at the version, or devices serve it.
    """
    return service_of(call).unregister(args.model, args.version, call.tenant)


@unregister_model.preview
def _(args: ModelVersionArgs, call: Call) -> Preview:
    return previews_of(call).unregister(args.model, args.version, call.tenant)


@unregister_model.read_back
def _(args: ModelVersionArgs, result: VersionState, call: Call) -> list[Evidence]:
    return evidence_of(call).state(result.model, result.version, call.tenant)


@unregister_model.inverse
def _(args: ModelVersionArgs, result: VersionState, call: Call) -> Inverse | None:
    if result.job is None:
        return None
    return Inverse(
        operation="registry.register", arguments={"job": result.job, "model": result.model}
    )


@unregister_model.says
def _(args: ModelVersionArgs, result: VersionState) -> str:
    return f"{result.model} v{result.version} is no longer registered."
