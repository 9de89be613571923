"""Operations that nobody asks for in words: what undo calls."""

from __future__ import annotations

from tools.kernel.operations import Call, Effect, Evidence, Inverse, Preview, operation
from tools.registry.access import evidence_of, previews_of, service_of
from tools.registry.types import AliasChange, ClearAlias, ModelVersionArgs, VersionState


@operation(
    "registry.restore",
    effect=Effect.WRITE,
    examples=(
        "restore ticket-router v2",
        "unarchive version 3 of mail-triage",
        "bring archived invoice-reader v1 back",
        "take ticket-router 4 out of the archive",
        "version 2 of mail-triage should not be archived any more",
        "undo the archiving of invoice-reader 2",
        "make the archived version 5 of ticket-router usable again",
        "un-archive mail-triage v1",
    ),
    idempotent=True,
    hidden=True,
)
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


@operation(
    "registry.clear_alias",
    effect=Effect.DANGEROUS,
    examples=(
        "take the staging alias off invoice-reader",
        "clear the challenger alias of ticket-router",
        "remove the champion alias from mail-triage",
        "ticket-router needs no challenger any more, drop the alias",
        "unset staging on mail-triage",
        "delete the alias challenger of invoice-reader",
        "there should be no staging version of mail-triage",
        "strip ticket-router of its staging alias",
    ),
    idempotent=True,
    hidden=True,
)
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


@operation(
    "registry.unregister",
    effect=Effect.DANGEROUS,
    examples=(
        "unregister invoice-reader v2",
        "take ticket-router 3 out of the registry",
        "remove version 4 of mail-triage from the registry",
        "deregister mail-triage v1",
        "delete ticket-router v2 from the registry",
        "version 3 of mail-triage should not be in the registry, unregister it",
        "drop version 1 of invoice-reader from the registry",
        "undo the registration of ticket-router v5",
    ),
    hidden=True,
)
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
