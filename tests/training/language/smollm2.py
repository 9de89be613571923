"""The real language model of the slow tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.kernel.assets import AssetMissing, asset_path


def fetched() -> Path:
    """SmolLM2's folder; the test is skipped where nobody has fetched it."""
    try:
        return asset_path("smollm2")
    except AssetMissing:
        pytest.skip("scripts/bootstrap.sh smollm2 fetches the model")
