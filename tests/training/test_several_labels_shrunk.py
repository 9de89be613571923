"""A model that gives several labels to a text is shrunk, and a device serves all of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch

from edge.profiles import PROFILES
from edge.runtime import LoadedModel
from edge.verify import BundleFile, Manifest
from tests.training.conftest import rows
from tools.deployment.building import build
from tools.kernel.gate import Outcome
from tools.training.export import Classifier
from tools.training.objectives import objective
from tools.training.optimizing.sources import Source

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
    shrunk = finished(
        "training.optimize",
        model=model.model,
        targets="onnx,onnx-int8,pruned,student",
        max_loss_points=100,
    )
    plain, small, *taught = shrunk["variants"]
    assert plain["error"] is None
    assert plain["agreement"] == 1.0
    assert small["error"] is None
    assert small["agreement"] > 0.8
    for one in taught:
        assert one["error"] is None
        assert one["size_ratio"] < 1, one
    pruned, student = taught
    assert pruned["accuracy"] > shrunk["parent"]["accuracy"] - 0.1
    # Guessing one of the 24 sets of labels is right 4 % of the time.
    assert student["accuracy"] > 0.3
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


def test_a_student_that_says_what_its_teacher_says_has_nothing_to_learn():
    several = objective(3, 0.0, several=True)
    teacher = torch.tensor([[2.0, -1.0, 0.5], [-3.0, 4.0, 0.0]])
    assert several.softened(teacher, teacher, 2.0).item() == pytest.approx(0, abs=1e-6)
    assert several.softened(-teacher, teacher, 2.0).item() > 0.5


def test_rows_are_learnt_with_all_their_labels_or_left_out(tmp_path: Path):
    parent = SimpleNamespace(labels=["red", "slow"], multilabel=True)
    rows = [("a", ["slow", "red"]), ("b", []), ("c", ["red", "unheard"])]
    source = Source(cast("Classifier", parent), tmp_path, [], rows)
    assert source.learnable() == [("a", [1, 0]), ("b", [])]
