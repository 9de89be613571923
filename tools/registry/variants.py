"""Variants as versions: where shrinking finds a parent, and where what passed is registered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tools.kernel.errors import NotFound
from tools.registry.backend import Lineage
from tools.training.optimizing.versions import NewVariant, ParentVersion, version_store

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel
    from tools.registry.backend import ModelVersionInfo
    from tools.registry.service import RegistryService


@version_store
class VariantStore:
    """The registry as `tools.training.optimizing` sees it.

    Args:
        kernel: the platform's kernel.
    """

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    @property
    def _registry(self) -> RegistryService:
        from tools.registry.service import RegistryService

        return self._kernel.get(RegistryService)

    def parent(self, model: str, version: int | None, tenant: str) -> ParentVersion:
        """See `VersionStore.parent`."""
        registry = self._registry
        found = (
            registry.latest(model, tenant)
            if version is None
            else registry.version(model, version, tenant)
        )
        return ParentVersion(
            model=found.model,
            version=found.version,
            folder=registry.artifact(model, found.version, tenant),
            content_sha256=found.content_hash,
            run_id=found.run_id,
            dataset=str(found.dataset),
            labels=found.labels,
        )

    def register(self, new: NewVariant, tenant: str) -> int:
        """See `VersionStore.register`."""
        from tools.training.export import folder_sha256

        of = self._registry.version(new.parent.model, new.parent.version, tenant)
        lineage = Lineage(
            job=new.job,
            run_id=new.run_id,
            content_hash=folder_sha256(new.folder),
            size_bytes=sum(f.stat().st_size for f in new.folder.rglob("*") if f.is_file()),
            dataset=of.dataset,
            dataset_hash=of.lineage.dataset_hash,
            base_model=of.base_model,
            method=of.lineage.method,
            labels=of.labels,
            metrics=new.metrics,
            code_version=of.lineage.code_version,
            registered_by=new.by,
            variant=new.variant,
            parent=of.version,
            trained_by=of.lineage.trained_by or of.job,
        )
        found, _ = self._registry.backend.add(tenant, new.parent.model, new.folder, lineage)
        self._kernel.catalogue.changed()
        return found.version

    def unregister(self, model: str, version: int, tenant: str) -> None:
        """See `VersionStore.unregister`."""
        if self._found(model, version, tenant) is not None:
            self._registry.unregister(model, version, tenant)

    def facts(self, model: str, version: int, tenant: str) -> dict[str, Any]:
        """See `VersionStore.facts`."""
        found = self._found(model, version, tenant)
        if found is None:
            return {"state": "unregistered"}
        return {
            "state": "archived" if found.archived else "ready",
            "content": found.content_hash,
            "variant": found.lineage.variant,
            "parent": found.lineage.parent,
        }

    def _found(self, model: str, version: int, tenant: str) -> ModelVersionInfo | None:
        try:
            return self._registry.version(model, version, tenant)
        except NotFound:
            return None
