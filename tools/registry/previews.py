"""What each act of the registry would do, and the refusals that are known before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.kernel.errors import Conflict
from tools.kernel.operations import Change, Preview
from tools.registry.trained import check_artifact, trained_model

if TYPE_CHECKING:
    from tools.registry.backend import ModelVersionInfo
    from tools.registry.service import RegistryService
    from tools.registry.types import Alias, PromotionCheck, RegisterModel


class Previews:
    """Dry runs; none changes anything.

    Args:
        service: the registry.
    """

    def __init__(self, service: RegistryService) -> None:
        self._service = service
        self._backend = service.backend

    def register(self, args: RegisterModel, tenant: str) -> Preview:
        """Refuses a job that has no whole model."""
        job = args.job
        trained = trained_model(self._service.kernel, job, tenant, trial=args.trial)
        name = self._service.name_for(job, args.model, tenant)
        known = [v for v in self._backend.versions(tenant, name) if v.job == job]
        if known:
            return Preview(summary=f"Job {job} is registered already, as {known[0]}.")
        check_artifact(trained.folder, trained.lineage.content_hash, f"the model of job {job}")
        made_of = f"{trained.lineage.base_model} on {trained.lineage.dataset}"
        return Preview(
            summary=f"Register the model of job {job} as a new version of {name}.",
            changes=[Change(what=f"newest version of {name}", after=f"job {job}: {made_of}")],
        )

    def promote(self, model: str, version: int, alias: Alias, tenant: str) -> Preview:
        """Refuses archived versions, damaged artifacts and what the promotion gate refuses."""
        found = self._service.version(model, version, tenant)
        if found.archived:
            raise Conflict(f"{found} is archived.", hint="Promote a version that is in use.")
        check_artifact(found.artifact, found.content_hash, str(found))
        checked = self._service.gate.enforce(found, alias)
        before = self._backend.alias(tenant, model, alias)
        instead = f" instead of v{before}" if before not in {None, version} else ""
        champion = alias == "champion"
        evaluated = bool(self._service.evaluation_metrics(found.run_id))
        unknown = [] if evaluated else [f"No evaluation of {found} is recorded."]
        return Preview(
            summary=f"Make {found} the {alias} of {model}{instead}.{_rules(checked)}",
            changes=[Change(what=f"alias {alias} of {model}", before=before, after=version)],
            risk="What follows the champion serves this version from now on." if champion else None,
            confirm=model if champion else None,
            second_person=checked.second_person and not checked.had_it_before,
            approvers=[] if checked.had_it_before else checked.approvers,
            warnings=[*unknown, *_unmeasured(checked)],
        )

    def clear_alias(self, model: str, alias: Alias, tenant: str) -> Preview:
        """Whatever follows the alias will find nothing."""
        before = self._backend.alias(tenant, model, alias)
        champion = alias == "champion"
        return Preview(
            summary=f"Take the alias {alias} away from {model}.",
            changes=[Change(what=f"alias {alias} of {model}", before=before)],
            risk="What follows the champion finds none." if champion else None,
            confirm=model if champion else None,
        )

    def archive(self, model: str, version: int, tenant: str) -> Preview:
        """Refuses a version that is in use."""
        found = self._service.unused(model, version, tenant)
        return Preview(
            summary=f"Archive {found}: it stays described, but cannot be promoted or deployed.",
            changes=[_state_change(found, "archived")],
            risk="Nothing can roll back to it while it is archived.",
            confirm=str(found),
        )

    def restore(self, model: str, version: int, tenant: str) -> Preview:
        """Nothing stands against it."""
        found = self._service.version(model, version, tenant)
        return Preview(
            summary=f"Bring {found} back into use.", changes=[_state_change(found, "ready")]
        )

    def unregister(self, model: str, version: int, tenant: str) -> Preview:
        """Refuses a version that is in use."""
        found = self._service.unused(model, version, tenant)
        return Preview(
            summary=f"Take {found} out of the registry; its run and files stay.",
            changes=[_state_change(found, "unregistered")],
            risk="Its number is not given again.",
            confirm=str(found),
        )


def _unmeasured(checked: PromotionCheck) -> list[str]:
    return [f"Rule “{r.rule}” was not checked: {r.told}." for r in checked.rules if r.unmeasured]


def _rules(checked: PromotionCheck) -> str:
    """The rules of the promotion gate and how the version stands to each, as one sentence."""
    if checked.had_it_before:
        return f" It was the {checked.alias} before, so the promotion gate lets it back."
    told = "; ".join(f"{rule.rule} ({rule.told})" for rule in checked.rules)
    return f" Rules of the promotion gate: {told}." if told else ""


def _state_change(found: ModelVersionInfo, after: str) -> Change:
    before = "archived" if found.archived else "ready"
    return Change(what=f"state of {found}", before=before, after=after)
