"""What a version takes on a device: its own files, and the base model where they rest on one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.training.deployed_size import MIB, rests_on_base, weights_mb

if TYPE_CHECKING:
    from tools.registry.backend import ModelVersionInfo


def device_size_mb(version: ModelVersionInfo) -> tuple[float, str]:
    """Megabytes (2^20 bytes) that a device needs for a version, and what of them is its base.

    An adapter, virtual tokens or a head alone answer nothing: the base model's weights are counted,
    too. What an optimisation wrote holds all that it needs.
    """
    own = version.lineage.size_bytes / MIB
    base = _base(version)
    if base is None:
        return own, ""
    size = weights_mb(base)
    if size is None:
        return own, f" (without its base {base}, which is not here)"
    return own + size, f" ({own:.4g} of its own, {size:.4g} of its base {base})"


def _base(version: ModelVersionInfo) -> str | None:
    """The base model that a version's files rest on; None if they are a whole model."""
    lineage = version.lineage
    if lineage.variant is not None or not rests_on_base(version.artifact, lineage.method):
        return None
    return lineage.base_model
