"""What a trained model takes where it is deployed: its files, and the base that they rest on."""

from __future__ import annotations

from pathlib import Path

from tools.kernel.errors import Unavailable
from tools.training import base_models

MIB = 2**20
_WHOLE = ("model.safetensors", "model")
"""What an artifact holds that rests on no base: all weights, or the whole language model."""
_WEIGHTS = ("*.safetensors", "pytorch_model*.bin")


def rests_on_base(folder: Path, method: str | None) -> bool:
    """True of an adapter, virtual tokens or a head alone, which answer nothing by themselves.

    Args:
        folder: the trained model's files.
        method: how it was trained; None if it was not trained here.
    """
    whole = any((folder / name).exists() for name in _WHOLE)
    return method not in (None, "full") and not whole


def weights_mb(base: str) -> float | None:
    """Megabytes (2^20 bytes) of a base model's weights; None if they are not here."""
    try:
        folder = base_models.folder(base)
    except Unavailable:
        return None
    found = next((files for kind in _WEIGHTS if (files := list(folder.glob(kind)))), None)
    return None if found is None else sum(file.stat().st_size for file in found) / MIB


def deployed_mb(folder: Path, base: str, method: str) -> float:
    """Megabytes (2^20 bytes) of a model that was trained just now, its base included.

    Args:
        folder: its files.
        base: the base model's name.
        method: how it was trained.
    """
    own = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / MIB
    return own + ((weights_mb(base) or 0.0) if rests_on_base(folder, method) else 0.0)
