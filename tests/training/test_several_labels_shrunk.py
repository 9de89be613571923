"""A model that gives several labels to a text is shrunk, and a device serves all of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge.profiles import PROFILES
from edge.runtime import LoadedModel
from edge.verify import BundleFile, Manifest
from tests.training.conftest import rows
from tools.deployment.bundles import build
from tools.kernel.errors import InvalidInput
from tools.kernel.gate import Outcome

Caller = Callable[..., Outcome]
Finisher = Callable[..., dict[str, Any]]
_SEVERAL = ("printer", "invoice", "slow")


@pytest.fixture
def tagged(tmp_path: Path) -> Path:
    """Texts with the colour that is in them and what else they are about."""
    lines = [
        json.dumps(
            {
                "text": row["text"],
                "labels": [row["label"], *(w for w in _SEVERAL if w in row["text"].split())],
            }
        )
        for row in rows(240)
    ]
    path = tmp_path / "tagged.jsonl"
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_all_labels_survive_quantising_and_reach_the_device(
    call: Caller, finished: Finisher, tagged: Path, base: Path, tmp_path: Path
):
    call("datasets.add", path=str(tagged))
    trained = finished(
        "training.start",
        dataset="tagged",
        base_model=str(base),
        method="full",
        epochs=20,
        patience=20,
        precision="fp32",
        learning_rate=0.01,
    )
    model = call("registry.register", job=trained["job"]).result
    with pytest.raises(InvalidInput, match="student"):
        call("training.optimize", model=model.model, targets="student")
    shrunk = finished(
        "training.optimize", model=model.model, targets="onnx,onnx-int8", max_loss_points=100
    )
    plain, small = shrunk["variants"]
    assert plain["error"] is None
    assert plain["agreement"] == 1.0
    assert small["error"] is None
    assert small["agreement"] > 0.8
    assert shrunk["parent"]["accuracy"] > 0.3, trained
    served = tmp_path / "bundle"
    build(
        {
            "source": trained["artifact_path"],
            "out": str(served),
            "model": model.model,
            "version": 1,
            "labels": [],
            "created": "2026-01-01T00:00:00",
        }
    )
    told = json.loads((served / "manifest.json").read_text())
    manifest = Manifest(
        model=told["model"],
        version=1,
        runtime=told["runtime"],
        files={n: BundleFile(f["sha256"], f["size"]) for n, f in told["files"].items()},
        labels=tuple(told["labels"]),
        max_length=told["max_length"],
        golden=(),
        memory_mb=told["memory_mb"],
        task=told["task"],
    )
    device = LoadedModel(served, manifest, PROFILES["server"])
    (answer,) = device.predict(["my red printer is slow"])
    assert answer.labels is not None
    assert answer.label == ", ".join(answer.labels)
    assert "red" in answer.labels
    assert len(answer.labels) >= 2
