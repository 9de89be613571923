"""What a version takes on a device: its own files, and the base model where they rest on one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.kernel.errors import Unavailable

if TYPE_CHECKING:
    from tools.registry.backend import ModelVersionInfo

_MIB = 2**20
_WHOLE = ("model.safetensors", "model")
"""What an artifact holds that rests on no base: all weights, or the whole language model."""
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")


def device_size_mb(version: ModelVersionInfo) -> tuple[float, str]:
    """Megabytes (2^20 bytes) that a device needs for a version, and what of them is its base.

    An adapter, virtual tokens or a head alone answer nothing: the base model's weights are counted,
    too. What an optimisation wrote holds all that it needs.
    """
    own = version.lineage.size_bytes / _MIB
    base = _base(version)
    if base is None:
        return own, ""
    size = _weights_mb(base)
    if size is None:
        return own, f" (without its base {base}, which is not here)"
    return own + size, f" ({own:.4g} of its own, {size:.4g} of its base {base})"


def _base(version: ModelVersionInfo) -> str | None:
    """The base model that a version's files rest on; None if they are a whole model."""
    lineage = version.lineage
    whole = any((version.artifact / name).exists() for name in _WHOLE)
    if lineage.variant is not None or lineage.method in (None, "full") or whole:
        return None
    return lineage.base_model


def _weights_mb(base: str) -> float | None:
    from tools.training import base_models

    try:
        folder = base_models.folder(base)
    except Unavailable:
        return None
    found = next((files for kind in _WEIGHTS if (files := list(folder.glob(kind)))), None)
    return None if found is None else sum(file.stat().st_size for file in found) / _MIB
