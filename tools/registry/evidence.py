"""What the registry says after an act: the facts on its receipts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import JsonValue

from tools.kernel.errors import NotFound
from tools.kernel.operations import Evidence

if TYPE_CHECKING:
    from tools.registry.backend import RegistryBackend
    from tools.registry.types import Alias

SOURCE = "mlflow registry"


class RegistryEvidence:
    """Pure reads of the live registry.

    Args:
        backend: where versions are kept.
    """

    def __init__(self, backend: RegistryBackend) -> None:
        self._backend = backend

    def version(self, model: str, version: int, tenant: str) -> list[Evidence]:
        """State, content, lineage and aliases of a version.

        Raises:
            NotFound: if it is not registered any more.
        """
        found = self._backend.version(tenant, model, version)
        facts: dict[str, JsonValue] = {
            f"state of {found}": "archived" if found.archived else "ready",
            f"content of {found}": found.content_hash,
            f"training job of {found}": found.job,
            f"dataset of {found}": found.dataset,
            f"aliases of {found}": [*found.aliases],
        }
        return [Evidence(fact=f, value=v, source=SOURCE) for f, v in facts.items()]

    def alias(self, model: str, alias: Alias, tenant: str) -> list[Evidence]:
        """The version that an alias points at."""
        value = self._backend.alias(tenant, model, alias)
        return [Evidence(fact=f"alias {alias} of {model}", value=value, source=SOURCE)]

    def state(self, model: str, version: int, tenant: str) -> list[Evidence]:
        """Whether a version is ready, archived or not registered."""
        try:
            archived = self._backend.version(tenant, model, version).archived
            state = "archived" if archived else "ready"
        except NotFound:
            state = "unregistered"
        return [Evidence(fact=f"state of {model} v{version}", value=state, source=SOURCE)]
