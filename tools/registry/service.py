"""The registry: what may become a version, which alias points where, and what can be undone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tools.kernel.entities import EntityName, fold
from tools.kernel.errors import Conflict, NotFound
from tools.registry.trained import check_artifact, trained_model
from tools.registry.types import (
    Alias,
    AliasChange,
    ModelDescription,
    ModelList,
    ModelSummary,
    ModelVersionDetails,
    PromotionCheck,
    RegisteredVersion,
    RegisterModel,
    VersionState,
    model_slug,
)
from tools.registry.usage import uses

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

    from tools.kernel.identity import RequestContext
    from tools.kernel.kernel import Kernel
    from tools.registry.backend import ModelVersionInfo, RegistryBackend
    from tools.registry.promotion import PromotionGate

EVALUATIONS = "evaluation/"
"""Prefix of the run metrics that evaluations log."""


class RegistryService:
    """Model versions and aliases of every tenant; safe to use from several threads.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self._listed: dict[str, tuple[int, ModelList]] = {}

    @cached_property
    def backend(self) -> RegistryBackend:
        """Where versions are kept: MLflow's tables in the platform's database."""
        from tools.registry.mlflow_backend import MlflowBackend

        return MlflowBackend(self._client, self.kernel.database)

    @property
    def gate(self) -> PromotionGate:
        """The promotion gate."""
        from tools.registry.promotion import PromotionGate

        return PromotionGate(self)

    def check_promotion(
        self, model: str, version: int | None, alias: Alias, tenant: str
    ) -> PromotionCheck:
        """How a version, the newest if none is named, stands to the rules for an alias."""
        found = (
            self.latest(model, tenant) if version is None else self.version(model, version, tenant)
        )
        return self.gate.check(found, alias)

    def version(self, model: str, version: int | str, tenant: str) -> ModelVersionInfo:
        """One version, named by its number, `v3` or an alias.

        Raises:
            NotFound: if there is no such version.
        """
        text = str(version).strip().casefold()
        number = text.removeprefix("v")
        if number.isdecimal():
            return self.backend.version(tenant, model, int(number))
        return self.by_alias(model, text, tenant)

    def by_alias(self, model: str, alias: str, tenant: str) -> ModelVersionInfo:
        """The version that an alias points at.

        Raises:
            NotFound: if it points at none.
        """
        number = self.backend.alias(tenant, model, alias)
        if number is None:
            raise NotFound(f"{model} has no version or alias {alias!r}.")
        return self.backend.version(tenant, model, number)

    def latest(self, model: str, tenant: str) -> ModelVersionInfo:
        """The newest version that is not archived; a variant only where there is nothing else.

        Raises:
            NotFound: if the model has none.
        """
        known = self.backend.versions(tenant, model)
        for found in _newest_first([v for v in known if not v.archived]):
            return found
        raise NotFound(
            f"Every version of {model} is archived."
            if known
            else f"There is no model named {model!r}."
        )

    def artifact(self, model: str, version: int | str, tenant: str) -> Path:
        """The folder of a version's classifier, its content checked against the registered hash.

        Raises:
            Conflict: if the files are missing or are not what was registered.
        """
        found = self.version(model, version, tenant)
        check_artifact(found.artifact, found.content_hash, str(found))
        return found.artifact

    def of_job(self, job: int, tenant: str) -> ModelVersionInfo | None:
        """The newest version that a training job's model was registered as."""
        made = [v for v in self.backend.versions(tenant) if v.job == job]
        return max(made, key=lambda v: v.created, default=None)

    def model_names(self, tenant: str) -> Sequence[EntityName]:
        """Every model, also as people write it with spaces."""
        models = dict.fromkeys(v.model for v in self.backend.versions(tenant))
        return [EntityName(m, also=(m.replace("-", " "),) if "-" in m else ()) for m in models]

    def version_names(self, tenant: str) -> Sequence[EntityName]:
        """Every version by number, also as `v3` and by its aliases."""
        return [
            EntityName(str(v.version), also=(f"v{v.version}", *v.aliases), of=v.model)
            for v in self.backend.versions(tenant)
        ]

    def unused(self, model: str, version: int, tenant: str) -> ModelVersionInfo:
        """A version that no alias points at and nothing serves.

        Raises:
            Conflict: naming what uses it.
        """
        found = self.version(model, version, tenant)
        if found.aliases:
            names = " and ".join(found.aliases)
            raise Conflict(
                f"{found} is the {names} of {model}.",
                hint="Point the alias at another version first.",
            )
        users = uses(self.kernel, tenant, model, version)
        if users:
            raise Conflict(f"{found} is in use: {'; '.join(users)}.", hint="Roll it back first.")
        return found

    def evaluation_metrics(self, run_id: str) -> dict[str, float]:
        """What evaluations logged to a run."""
        metrics = self._client.get_run(run_id).data.metrics
        return {k: v for k, v in metrics.items() if k.startswith(EVALUATIONS)}

    def list(self, tenant: str) -> ModelList:
        """All models with their newest versions and aliases, read anew after every change."""
        version = self.kernel.catalogue.version
        kept = self._listed.get(tenant)
        if kept is None or kept[0] != version:
            kept = self._listed[tenant] = (version, self._read(tenant))
        return kept[1]

    def _read(self, tenant: str) -> ModelList:
        from tools.kernel.mlflow_store import is_laid

        if not is_laid(self.kernel):  # nothing was ever registered
            return ModelList(models=[])
        grouped: dict[str, list[ModelVersionInfo]] = {}
        for found in self.backend.versions(tenant):
            grouped.setdefault(found.model, []).append(found)
        return ModelList(
            models=[
                ModelSummary(
                    model=model,
                    versions=len(versions),
                    latest=_newest_first(versions)[0].version,
                    aliases=_aliases(versions),
                    updated=versions[0].created,
                )
                for model, versions in grouped.items()
            ]
        )

    def describe(self, model: str, version: int | None, tenant: str) -> ModelDescription:
        """A model's versions, newest first, or one of them.

        Raises:
            NotFound: if there is no such model or version.
        """
        every = self.backend.versions(tenant, model)
        shown = every if version is None else [self.version(model, version, tenant)]
        if not shown:
            raise NotFound(f"There is no model named {model!r}.")
        return ModelDescription(
            model=model, aliases=_aliases(every), versions=[self._details(v) for v in shown]
        )

    def name_for(self, job: int, model: str | None, tenant: str) -> str:
        """The name under which a job is registered: a known spelling, or a new name's slug."""
        wanted = model or trained_model(self.kernel, job, tenant).name
        for known in self.model_names(tenant):
            if fold(known.name) == fold(wanted):
                return known.name
        return model_slug(wanted)

    def register(self, args: RegisterModel, context: RequestContext) -> RegisteredVersion:
        """Register a finished training's artifact after its hash was checked.

        Raises:
            Conflict: if the job is not finished, the artifact is not what it wrote, or the trial is
                not the one that was kept.
        """
        job, model, tenant = args.job, args.model, context.tenant
        by = context.principal.name
        trained = trained_model(self.kernel, job, tenant, trial=args.trial, by=by)
        name = self.name_for(job, model, context.tenant)
        check_artifact(trained.folder, trained.lineage.content_hash, f"the model of job {job}")
        found, created = self.backend.add(context.tenant, name, trained.folder, trained.lineage)
        return RegisteredVersion(
            model=name, version=found.version, created=created, details=self._details(found)
        )

    def promote(self, model: str, version: int, alias: Alias, tenant: str) -> AliasChange:
        """Point an alias at a version whose artifact is whole and which the rules let through.

        Raises:
            PolicyDenied: naming the rules of the promotion gate that are not met.
        """
        self.artifact(model, version, tenant)
        self.gate.enforce(self.version(model, version, tenant), alias)
        before = self.backend.set_alias(tenant, model, alias, version)
        return AliasChange(model=model, alias=alias, version=version, previous=before)

    def clear_alias(self, model: str, alias: Alias, tenant: str) -> AliasChange:
        """Take an alias away."""
        before = self.backend.set_alias(tenant, model, alias, None)
        return AliasChange(model=model, alias=alias, version=None, previous=before)

    def archive(self, model: str, version: int, tenant: str) -> VersionState:
        """Put a version away that nothing uses."""
        job = self.unused(model, version, tenant).job
        changed = self.backend.set_archived(tenant, model, version, True)
        return VersionState(
            model=model, version=version, state="archived", changed=changed, job=job
        )

    def restore(self, model: str, version: int, tenant: str) -> VersionState:
        """Bring an archived version back."""
        job = self.version(model, version, tenant).job
        changed = self.backend.set_archived(tenant, model, version, False)
        return VersionState(model=model, version=version, state="ready", changed=changed, job=job)

    def unregister(self, model: str, version: int, tenant: str) -> VersionState:
        """Take a version out that nothing uses."""
        job = self.unused(model, version, tenant).job
        self.backend.remove(tenant, model, version)
        return VersionState(
            model=model, version=version, state="unregistered", changed=True, job=job
        )

    @cached_property
    def _client(self) -> MlflowClient:
        from tools.kernel.mlflow_store import client

        return client(self.kernel.settings)

    def _details(self, found: ModelVersionInfo) -> ModelVersionDetails:
        lineage = found.lineage
        return ModelVersionDetails(
            model=found.model,
            version=found.version,
            aliases=[*found.aliases],
            archived=found.archived,
            job=found.job,
            run_id=found.run_id,
            dataset=found.dataset,
            dataset_hash=lineage.dataset_hash,
            base_model=found.base_model,
            method=lineage.method,
            labels=[*found.labels],
            metrics={**lineage.metrics, **self.evaluation_metrics(found.run_id)},
            content_hash=found.content_hash,
            size_bytes=lineage.size_bytes,
            code_version=lineage.code_version,
            registered_by=lineage.registered_by,
            variant=lineage.variant,
            parent=lineage.parent,
            created=found.created,
        )


def _newest_first(versions: Sequence[ModelVersionInfo]) -> Sequence[ModelVersionInfo]:
    """Versions that come newest first, with the variants of others behind them."""
    return sorted(versions, key=lambda v: v.lineage.variant is not None)


def _aliases(versions: Sequence[ModelVersionInfo]) -> dict[str, int]:
    return {alias: v.version for v in versions for alias in v.aliases}
