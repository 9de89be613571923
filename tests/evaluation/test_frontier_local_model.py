"""A real language model on the same table as a classifier: SmolLM2 on llama.cpp's own server."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tools.kernel.assets import AssetMissing, asset_path
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The address of a served SmolLM2."""
    try:
        asset_path("smollm2")
    except AssetMissing:
        if os.environ.get("CI"):
            raise
        pytest.skip("scripts/bootstrap.sh smollm2 fetches the model")
    command = [sys.executable, "-m", "ui.cli", "models", "serve", "smollm2", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0


@pytest.fixture
def kernel(home: Path, server: str) -> Iterator[Kernel]:
    opened = Kernel(Settings(home=home, model="smollm2", model_url=server, model_timeout=120))
    opened.start()
    yield opened
    opened.stop()


def test_a_classifier_beats_the_smallest_language_model_and_the_difference_is_real(
    kernel: Kernel, call, finished, train
):
    call("registry.register", job=train(240))
    result = finished("evaluation.frontier", dataset="mails", rows=24)
    table = {c["name"]: c for c in result["contenders"]}
    assert set(table) == {"mail-sorter v1", "smollm2"}
    told = table["smollm2"]
    assert 0 <= told["low"] <= told["accuracy"] <= told["high"] < 1
    assert told["p50_ms"] > table["mail-sorter v1"]["p50_ms"]
    (pair,) = result["differences"]
    assert (pair["first"], pair["second"]) == ("mail-sorter v1", "smollm2")
    assert pair["low"] < pair["difference"] < pair["high"]
