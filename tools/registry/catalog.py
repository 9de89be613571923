"""The names of models and their versions, for the live catalogue."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tools.kernel.entities import EntityKind, EntityName, entity_source
from tools.kernel.mlflow_store import is_laid

if TYPE_CHECKING:
    from tools.kernel.kernel import Kernel


@entity_source(EntityKind.MODEL)
def model_names(kernel: Kernel, tenant: str) -> Sequence[EntityName]:
    """The models of a tenant; a home without MLflow's tables has none, and stays without them."""
    if not is_laid(kernel):
        return ()
    from tools.registry.service import RegistryService

    return kernel.get(RegistryService).model_names(tenant)


@entity_source(EntityKind.MODEL_VERSION)
def version_names(kernel: Kernel, tenant: str) -> Sequence[EntityName]:
    """The versions of every model of a tenant, with `v3` and the aliases as other spellings."""
    if not is_laid(kernel):
        return ()
    from tools.registry.service import RegistryService

    return kernel.get(RegistryService).version_names(tenant)
