"""How the registry's operations reach its service, its previews and its evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.kernel.operations import Call

if TYPE_CHECKING:
    from tools.registry.evidence import RegistryEvidence
    from tools.registry.previews import Previews
    from tools.registry.service import RegistryService


def service_of(call: Call) -> RegistryService:
    """The registry."""
    from tools.registry.service import RegistryService

    return call.get(RegistryService)


def previews_of(call: Call) -> Previews:
    """The registry's dry runs."""
    from tools.registry.previews import Previews

    return Previews(service_of(call))


def evidence_of(call: Call) -> RegistryEvidence:
    """What the registry reads back."""
    from tools.registry.evidence import RegistryEvidence

    return RegistryEvidence(service_of(call).backend)
