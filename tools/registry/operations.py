"""The registry's operations: list, describe, register, promote and archive."""

from __future__ import annotations

from tools.kernel.operations import Call, Effect, Evidence, Inverse, Preview, operation
from tools.registry import catalog, inverses, variants
from tools.registry.access import evidence_of, previews_of, service_of
from tools.registry.types import (
    AliasChange,
    CheckPromotion,
    DescribeModel,
    ListModels,
    ModelDescription,
    ModelList,
    ModelVersionArgs,
    ModelVersionDetails,
    PromoteModel,
    PromotionCheck,
    RegisteredVersion,
    RegisterModel,
    VersionState,
)

__all__ = [
    "archive_model",
    "catalog",
    "check_promotion",
    "describe_model",
    "inverses",
    "list_models",
    "promote_model",
    "register_model",
    "variants",
]


_VARIANTS_TOLD = 6


@operation(
    "registry.list",
    effect=Effect.READ,
    examples=(
        "list the models",
        "which models do we have?",
        "show me everything in the model registry",
        "what's registered right now",
        "list all registered models with their aliases",
        "what is currently in production",
        "which model is champion at the moment?",
        "do we have any challengers?",
        "give me an overview of our models",
        "how many models are there in the registry",
        "show the registry",
        "models?",
    ),
)
def list_models(args: ListModels, call: Call) -> ModelList:
    """List the registered models with their newest version and aliases."""
    return service_of(call).list(call.tenant)


@list_models.says
def _(args: ListModels, result: ModelList) -> str:
    if not result.models:
        return "No model is registered yet."
    parts = [
        f"{m.model} v{m.latest}"
        + (f" ({', '.join(f'{a} v{v}' for a, v in sorted(m.aliases.items()))})" * bool(m.aliases))
        for m in result.models
    ]
    count = len(parts)
    return f"{count} model{'s' * (count != 1)}: {'; '.join(parts)}."


@operation(
    "registry.describe",
    effect=Effect.READ,
    examples=(
        "describe the model ticket-router",
        "tell me about ticket-router v3",
        "show me the versions of sentiment-tagger",
        "where does ticket-router version 2 come from?",
        "what data was fraud-screen v4 trained on",
        "lineage of ticket-router@champion",
        "which training run made email-triage v1?",
        "what are the metrics of intent-classifier version 5",
        "details of the current challenger of ticket-router",
        "who registered spam-filter v2 and when",
        "which version of ticket-router is the champion?",
        "what base model is behind sentiment-tagger",
        "show model email-triage",
    ),
)
def describe_model(args: DescribeModel, call: Call) -> ModelDescription:
    """Describe a model: versions, aliases, metrics and lineage (dataset, run, job, base model).

    Args:
        model: the model's name; `name v3` and `name@alias` are understood.
        version: one version only; all when left out.
    """
    return service_of(call).describe(args.model, args.version, call.tenant)


@describe_model.says
def _(args: DescribeModel, result: ModelDescription) -> str:
    newest = next((v for v in result.versions if v.variant is None), result.versions[0])
    variants = [v for v in result.versions if v.variant is not None and v is not newest]
    told = "".join(f"; v{v.version} {_origin(v)}" for v in variants[:_VARIANTS_TOLD])
    aliases = ", ".join(f"{a} is v{v}" for a, v in sorted(result.aliases.items()))
    count = len(result.versions)
    return (
        f"{result.model} v{newest.version} {_origin(newest)}"
        + (f"; {count} versions in all" if count > 1 else "")
        + told
        + (f"; {aliases}." if aliases else "; no alias points at it.")
    )


def _origin(version: ModelVersionDetails) -> str:
    if version.variant is not None:
        return f"was made from v{version.parent} as {version.variant} by job {version.job}"
    return (
        f"was trained from {version.base_model or 'unknown'} on "
        f"{version.dataset or 'unknown data'} by job {version.job}"
    )


@operation(
    "registry.register",
    effect=Effect.WRITE,
    idempotent=True,
    examples=(
        "register it",
        "register the model from job 7",
        "add the result of training job 12 to the registry as ticket-router",
        "put that run into the model registry",
        "register the last training as email-triage",
        "save the trained model as sentiment-tagger",
        "make a new version of ticket-router from job 31",
        "register job 4",
        "publish the fine-tuned model to the registry",
        "could you register what we just trained under the name fraud-screen",
        "store the model of job 19 as spam-filter",
        "register the new model",
        "register the best trial of the tuning",
        "register the best trial",
    ),
)
def register_model(args: RegisterModel, call: Call) -> RegisteredVersion:
    """Register the model of a finished training job as a new version.

    The version points at the run's artifact, whose hash is checked first. Registering the same job
    under the same name again answers with the version that exists.

    Args:
        job: number of a finished training job.
        trial: which trial of a tuning is meant; only the best one's model is kept.
        model: the model's name; the training's name when left out.

    Raises:
        Conflict: the job is unfinished, failed, or its artifact is not what it wrote.
    """
    return service_of(call).register(args, call.context)


@register_model.normalise
def _(args: RegisterModel, call: Call) -> RegisterModel:
    return args.model_copy(
        update={"model": service_of(call).name_for(args.job, args.model, call.tenant)}
    )


@register_model.preview
def _(args: RegisterModel, call: Call) -> Preview:
    return previews_of(call).register(args, call.tenant)


@register_model.read_back
def _(args: RegisterModel, result: RegisteredVersion, call: Call) -> list[Evidence]:
    return evidence_of(call).version(result.model, result.version, call.tenant)


@register_model.inverse
def _(args: RegisterModel, result: RegisteredVersion, call: Call) -> Inverse | None:
    if not result.created:
        return None
    return Inverse(
        operation="registry.unregister",
        arguments={"model": result.model, "version": result.version},
    )


@register_model.says
def _(args: RegisterModel, result: RegisteredVersion) -> str:
    if not result.created:
        return f"Job {args.job} is registered already: {result.model} v{result.version}."
    return f"Registered job {args.job} as {result.model} v{result.version}."


@operation(
    "registry.promote",
    effect=Effect.DANGEROUS,
    idempotent=True,
    examples=(
        "promote ticket-router v3 to champion",
        "make it the challenger",
        "make ticket-router version 2 the champion",
        "set the alias staging of email-triage to v4",
        "mark fraud-screen v5 as challenger",
        "put sentiment-tagger v2 into staging",
        "crown version 6 of spam-filter as the new champion",
        "promote the new version to staging",
        "use intent-classifier v3 as our production model",
        "let ticket-router v7 challenge the champion",
        "move the champion alias of ticket-router to version 4",
        "promote it",
        "the challenger of email-triage should be v2",
    ),
)
def promote_model(args: PromoteModel, call: Call) -> AliasChange:
    """Point an alias of a model at one of its versions.

    Making a version champion is dangerous, because whatever follows that alias serves it in
    production; challenger and staging are plain writes.

    Args:
        model: the model's name.
        version: the version that the alias shall point at.
        alias: champion, challenger or staging.

    Raises:
        Conflict: the version is archived or its artifact is damaged.
        PolicyDenied: a rule of the promotion gate is not met; says which, and what would pass.
    """
    return service_of(call).promote(args.model, args.version, args.alias, call.tenant)


@promote_model.effect_of
def _(args: PromoteModel) -> Effect:
    return Effect.DANGEROUS if args.alias == "champion" else Effect.WRITE


@promote_model.preview
def _(args: PromoteModel, call: Call) -> Preview:
    return previews_of(call).promote(args.model, args.version, args.alias, call.tenant)


@promote_model.read_back
def _(args: PromoteModel, result: AliasChange, call: Call) -> list[Evidence]:
    return evidence_of(call).alias(result.model, result.alias, call.tenant)


@promote_model.inverse
def _(args: PromoteModel, result: AliasChange, call: Call) -> Inverse | None:
    if result.previous == result.version:
        return None
    if result.previous is None:
        return Inverse(
            operation="registry.clear_alias",
            arguments={"model": result.model, "alias": result.alias},
        )
    return Inverse(
        operation="registry.promote",
        arguments={
            "model": result.model,
            "version": result.previous,
            "alias": result.alias,
        },
    )


@promote_model.says
def _(args: PromoteModel, result: AliasChange) -> str:
    if result.previous == result.version:
        return f"{result.model} v{result.version} is the {result.alias} already."
    before = f" instead of v{result.previous}" if result.previous else ""
    return f"{result.model} v{result.version} is now the {result.alias}{before}."


@operation(
    "registry.check_promotion",
    effect=Effect.READ,
    examples=(
        "may ticket-router v3 become champion?",
        "show the promotion rules",
        "check ticket-router v3 against the promotion gate",
        "would email-triage v2 pass the promotion gate",
        "which rules must fraud-screen meet to be promoted?",
        "why can't sentiment-tagger v4 be promoted",
        "does spam-filter v2 meet the promotion policy",
        "what stands in the way of promoting intent-classifier v5",
        "is ticket-router v3 ready for production?",
        "what would it take to make mail-guard v1 the champion",
        "promotion gate for ticket-router",
        "does version 2 of email-triage qualify as challenger",
    ),
)
def check_promotion(args: CheckPromotion, call: Call) -> PromotionCheck:
    """Hold a version against the promotion gate's rules: which are met, and what would pass.

    The rules are `policies/promotion.yaml` in the home, or those that ship.

    Args:
        model: the model's name.
        version: its version; the newest when left out.
        alias: the alias that it would get; champion when left out.
    """
    return service_of(call).check_promotion(args.model, args.version, args.alias, call.tenant)


@check_promotion.says
def _(args: CheckPromotion, result: PromotionCheck) -> str:
    name = f"{result.model} v{result.version}"
    told = "; ".join(f"{r.state}: {r.rule} ({r.told})" for r in result.rules)
    if result.had_it_before:
        return f"{name} was {result.alias} before and may be again. {told or 'No rule fits'}."
    if not result.rules:
        return f"No rule is about {name} as {result.alias}: it may have it."
    verdict = "would be let through" if result.passes else "would be refused"
    return f"{name} {verdict} as {result.alias}. {told}."


@operation(
    "registry.archive",
    effect=Effect.DANGEROUS,
    idempotent=True,
    examples=(
        "archive ticket-router v1",
        "put version 2 of email-triage away",
        "retire the model version sentiment-tagger v3",
        "we no longer need fraud-screen v2, archive it",
        "archive the old version of spam-filter",
        "archive it in the registry",
        "take intent-classifier v1 out of use",
        "please archive version 5 of ticket-router",
        "mark email-triage v3 as archived",
        "remove the model version ticket-router v2 from circulation",
    ),
)
def archive_model(args: ModelVersionArgs, call: Call) -> VersionState:
    """Archive a version: it stays described, but can no longer be promoted or deployed.

    Args:
        model: the model's name.
        version: the version to put away.

    Raises:
        Conflict: an alias points at the version, or devices serve it.
    """
    return service_of(call).archive(args.model, args.version, call.tenant)


@archive_model.preview
def _(args: ModelVersionArgs, call: Call) -> Preview:
    return previews_of(call).archive(args.model, args.version, call.tenant)


@archive_model.read_back
def _(args: ModelVersionArgs, result: VersionState, call: Call) -> list[Evidence]:
    return evidence_of(call).state(result.model, result.version, call.tenant)


@archive_model.inverse
def _(args: ModelVersionArgs, result: VersionState, call: Call) -> Inverse | None:
    if not result.changed:
        return None
    return Inverse(
        operation="registry.restore",
        arguments={"model": result.model, "version": result.version},
    )


@archive_model.says
def _(args: ModelVersionArgs, result: VersionState) -> str:
    already = "" if result.changed else " already"
    return f"{result.model} v{result.version} is archived{already}."
