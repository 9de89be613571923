"""Variants of a tiny classifier: made, run in their own runtimes, registered through the gate."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.evaluation import tiny
from tests.registry.trained import add_training
from tools.kernel.errors import InvalidInput
from tools.kernel.gate import Outcome
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.kernel.mlflow_store import client
from tools.kernel.undo import undo
from tools.training.export import load_classifier
from tools.training.optimizing import manifest
from tools.training.optimizing.build import build
from tools.training.optimizing.chart import table
from tools.training.optimizing.choosing import parent_result, variant_result
from tools.training.optimizing.comparing import Loss, cost_ratio, paired_loss
from tools.training.optimizing.recommending import Candidate, Constraint, choose
from tools.training.optimizing.recording import told_of_others
from tools.training.optimizing.runners import open_variant

Caller = Callable[..., Outcome]
Finisher = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A base model and a classifier on it."""
    folder = tmp_path_factory.mktemp("tiny")
    base = tiny.write_base(folder / "base")
    return base, tiny.write_classifier(folder / "classifier", base, tiny.sentences(240))


def spec_of(parent: Path, target: str, folder: Path, **options: Any) -> dict[str, Any]:
    """What the child that makes a variant is told."""
    train = folder / "train.jsonl"
    rows = [{"text": t, "label": a} for t, a in tiny.sentences(96)]
    train.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return {
        "target": target,
        "folder": str(parent),
        "out": str(folder / target),
        "parent": {"model": "mails", "version": 1, "content_sha256": "ab"},
        "train": str(train),
        "threads": 1,
        "options": options,
    }


def assert_like_its_parent(parent: Path, variant: Path, least: float) -> None:
    """Both label fresh texts alike; where they may differ, chance would be a third."""
    texts = [text for text, _ in tiny.sentences(60, start=2000)]
    before, after = load_classifier(parent), open_variant(variant)
    agreement = np.mean(before.logits(texts).argmax(1) == after.logits(texts).argmax(1))
    assert agreement >= least
    assert load_classifier(variant).predict(texts[:4]) == after.predict(texts[:4])


@pytest.mark.parametrize(("target", "runtime"), [("onnx", "onnx"), ("onnx-int8", "onnx")])
def test_a_variant_answers_in_its_own_runtime_as_its_parent_does(made, tmp_path, target, runtime):
    _, parent = made
    build(spec_of(parent, target, tmp_path))
    told = manifest.read(tmp_path / target)
    assert (told.variant, told.runtime, told.labels) == (target, runtime, list(tiny.LABELS))
    assert told.size_bytes == (tmp_path / target / told.entry).stat().st_size
    assert_like_its_parent(parent, tmp_path / target, 0.95)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["onnx-static-int8", "openvino-int8", "executorch-int8"])
def test_an_int8_variant_of_another_toolchain_answers_as_its_parent_does(made, tmp_path, target):
    _, parent = made
    build(spec_of(parent, target, tmp_path))
    # The head of a random encoder reads differences that int8 blurs; a trained one's are larger.
    assert_like_its_parent(parent, tmp_path / target, 0.75)


@pytest.fixture(scope="module")
def deep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A classifier of two layers, whose second is what a student can do without."""
    from tests.training.conftest import make_base_model

    folder = tmp_path_factory.mktemp("deep")
    base = make_base_model(folder / "base")
    parent = tiny.write_classifier(folder / "classifier", base, tiny.sentences(120))
    sizes = json.loads((base / "config.json").read_text())
    told = json.loads((parent / "config.json").read_text())
    (parent / "config.json").write_text(json.dumps({**told, **sizes}))
    return parent


@pytest.mark.parametrize(
    ("target", "sizes"),
    [
        ("student", {"num_hidden_layers": 1}),
        ("pruned", {"num_attention_heads": 2, "intermediate_size": 32}),
    ],
)
def test_a_smaller_model_is_a_trained_classifier_of_smaller_sizes(deep, tmp_path, target, sizes):
    size = build(spec_of(deep, target, tmp_path, epochs=1))["size_bytes"]
    config = json.loads((tmp_path / target / "config.json").read_text())
    assert {name: config[name] for name in sizes} == sizes
    assert size < sum((deep / n).stat().st_size for n in ("model.safetensors", "head.safetensors"))
    found = load_classifier(tmp_path / target).probabilities(["my invoice is late"])
    assert found.sum() == pytest.approx(1)


@pytest.mark.parametrize("target", ["student", "pruned"])
def test_plain_transformers_loads_a_smaller_model_and_sees_what_it_sees(deep, tmp_path, target):
    from transformers import AutoModel

    build(spec_of(deep, target, tmp_path, epochs=1))
    plain: Any = AutoModel.from_pretrained(tmp_path / target).eval()
    ours = load_classifier(tmp_path / target)
    ids = torch.tensor(ours.encode(["my invoice is late"]))
    with torch.inference_mode():
        seen = plain(ids, attention_mask=torch.ones_like(ids)).last_hidden_state
        expected = ours.model.encoder(ids, torch.ones_like(ids))
    assert torch.allclose(seen, expected, atol=1e-5)


def test_a_student_as_large_as_its_teacher_is_refused(made, tmp_path):
    with pytest.raises(InvalidInput, match="no smaller than its teacher of 1"):
        build(spec_of(made[1], "student", tmp_path))
    assert not (tmp_path / "student").exists()


def test_a_variant_with_a_file_cut_off_is_refused(made, tmp_path):
    build(spec_of(made[1], "onnx", tmp_path))
    with (tmp_path / "onnx" / "model.onnx").open("r+b") as file:
        file.truncate(100)
    with pytest.raises(InvalidInput, match="missing or cut off"):
        open_variant(tmp_path / "onnx")


def test_the_loss_is_paired_and_its_interval_holds_it():
    truth, parent = [0] * 200, [0] * 180 + [1] * 20
    same = paired_loss(truth, parent, parent)
    assert (same.points, same.agreement) == (0, 1)
    assert -same.low == same.high == pytest.approx(1.88, abs=0.01)
    worse = paired_loss(truth, parent, [1] * 4 + parent[4:])
    assert worse.points == pytest.approx(2)
    assert -1 < worse.low < 2 < worse.high < 5.1
    assert worse.agreement == pytest.approx(0.98)
    half = {"p50_ms": 5, "memory_mb": 50}
    assert cost_ratio(half, {"p50_ms": 10, "memory_mb": 100}) == pytest.approx(0.25)


def test_few_rows_without_a_loss_prove_nothing_and_many_do():
    def proven(rows: int, limit: float) -> bool:
        loss = paired_loss([0] * rows, [0] * rows, [0] * rows)
        figures = dict.fromkeys(("load_ms", "p50_ms", "p95_ms", "memory_mb", "peak_mb"), 1.0)
        measured = {"score": rows, "rows": rows, **figures}
        sizes = (1, 2)
        return variant_result(
            "onnx-int8", measured, measured, loss, sizes, Constraint(limit)
        ).proven

    assert not proven(89, 1.0)
    assert proven(89, 5.0)
    assert proven(500, 1.0)


def test_a_table_says_which_latencies_were_measured_beside_other_jobs():
    assert told_of_others({"beside": 0}, {"onnx": 0, "pruned": 0}) == []
    (told,) = told_of_others({"beside": 1}, {"onnx": 0, "pruned": 2})
    assert "of the parent, pruned were measured beside up to 2 other jobs" in told


def test_no_figure_of_a_variant_is_a_negative_zero():
    figures = dict.fromkeys(("load_ms", "p50_ms", "p95_ms", "memory_mb", "peak_mb"), 1.0)
    measured = {"score": 80, "rows": 89, **figures}
    loss = Loss(-0.00001, -0.00002, 4.0, 1.0)
    found = variant_result("onnx", measured, measured, loss, (1, 2), Constraint())
    found.version = 2
    shown = table(parent_result(measured, 2), [found])
    assert "+0.0 (+0.0 to +4.0)" in shown
    assert str(found.loss_points) == "0.0"


def test_each_kind_of_device_gets_what_suits_it_within_the_constraint():
    def candidate(name: str, runtime: str, loss: float, p95: float, cost: float) -> Candidate:
        return Candidate(name, runtime, loss, p95, 30, cost, 20_000_000)

    every = [
        candidate("onnx-int8", "onnx", 0.2, 9, 0.10),
        candidate("openvino-int8", "openvino", 0.5, 8, 0.105),
        candidate("executorch-int8", "executorch", 0.4, 12, 0.12),
    ]
    names = {p: getattr(choose(p, every), "variant", None) for p in ("phone", "laptop", "server")}
    assert names == {"phone": "onnx-int8", "laptop": "openvino-int8", "server": "openvino-int8"}
    strict = Constraint(max_loss_points=0.3)
    assert getattr(choose("laptop", every, strict), "variant", None) == "onnx-int8"
    assert choose("laptop", every, Constraint(max_latency_ms=5)) is None
    assert choose("laptop", [every[2]]) is None


@pytest.fixture
def mails(tmp_path: Path, call: Caller, kernel: Kernel, made: tuple[Path, Path]) -> str:
    """A registered model with a dataset that has a test split."""
    rows = [{"text": t, "label": a, "split": "train"} for t, a in tiny.sentences(240)]
    rows += [{"text": t, "label": a, "split": "test"} for t, a in tiny.sentences(120, start=1000)]
    path = tmp_path / "mails.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    call("datasets.add", path=str(path))
    base, files = made
    job = add_training(
        kernel,
        files=files,
        name="mail-sorter",
        dataset="mails",
        base_model=str(base),
        parameters={"seed": 5, "max_length": 16},
    )
    call("registry.register", job=job)
    return "mail-sorter"


@pytest.mark.slow
def test_what_passes_is_registered_with_its_parent_and_can_be_undone(
    kernel: Kernel, context: RequestContext, call: Caller, finished: Finisher, mails: str
):
    preview = kernel.gate.preview(
        "training.optimize", {"model": mails, "targets": "onnx, onnx-int8"}, context
    )
    assert "at most 1 point worse" in preview.summary
    result = finished("training.optimize", model=mails, targets=["onnx", "onnx-int8"])
    assert (result["version"], result["rows"], result["split"]) == (1, 120, "test")
    by_name = {v["variant"]: v for v in result["variants"]}
    exact = by_name["onnx"]
    assert (exact["loss_points"], exact["agreement"]) == (0, 1)
    assert exact["accuracy"] == result["parent"]["accuracy"]
    assert all(exact[n] > 0 for n in ("load_ms", "p50_ms", "p95_ms", "memory_mb", "cost_ratio"))
    assert Path(result["plot"]).read_bytes().startswith(b"\x89PNG")
    assert "onnx-int8" in result["table"]
    assert {r["profile"] for r in result["recommendations"]} == {"phone", "laptop", "server"}

    known = call("registry.describe", model=mails).result.model_dump()["versions"]
    details = {v["version"]: v for v in known}[exact["version"]]
    assert (details["variant"], details["parent"]) == ("onnx", 1)
    run = client(kernel.settings).get_run(details["run_id"])
    assert run.data.metrics["agreement"] == 1
    assert run.data.params["parent"] == f"{mails} v1"
    assert run.data.params["runtime"] == "onnx"
    names = {f.path for f in client(kernel.settings).list_artifacts(details["run_id"])}
    assert {"environment.json", "variant"} <= names
    found = {f.path for f in client(kernel.settings).list_artifacts(details["run_id"], "variant")}
    assert "variant/README.md" in found
    judged = call("registry.check_promotion", model=mails, version=exact["version"]).result
    told = {rule.measure: rule for rule in judged.rules}
    assert told["gain_over_majority"].value == pytest.approx(
        exact["accuracy"] - run.data.metrics["baseline_majority"]
    )
    assert "on mails@1" in told["worst_slice"].told
    assert not any(rule.unmeasured for rule in judged.rules)
    receipt = kernel.receipts.for_job(result["job"])
    assert receipt is not None
    facts = {e.fact: e.value for e in receipt.evidence}
    assert facts[f"variant of {mails} v{exact['version']}"] == "onnx"
    assert "Recommended for" in receipt.says

    measured = finished("evaluation.run", model=mails, version=exact["version"])
    assert measured["accuracy"] == pytest.approx(exact["accuracy"])
    undo(kernel, receipt, context)
    left = call("registry.describe", model=mails).result.model_dump()["versions"]
    assert [v["version"] for v in left] == [1]


@pytest.mark.slow
@pytest.mark.parametrize("limit", [{"max_latency_ms": 0.0001}, {"max_size_ratio": 0.0001}])
def test_a_variant_that_is_slower_or_larger_than_asked_is_made_but_not_registered(
    kernel: Kernel,
    context: RequestContext,
    call: Caller,
    finished: Finisher,
    mails: str,
    limit: dict[str, float],
):
    told = {"model": mails, "targets": "onnx", **limit}
    preview = kernel.gate.preview("training.optimize", told, context)
    result = finished("training.optimize", model=mails, targets=["onnx"], **limit)
    (variant,) = result["variants"]
    assert variant["version"] is None
    most, unit = limit.get("max_latency_ms"), "ms"
    if most is None:
        most, unit = limit["max_size_ratio"] * result["parent"]["size_bytes"] / 1e6, "MB"
    assert f"at most {most:.4g} was asked" in variant["reasons"][0]
    assert f"{most:.3g} {unit}" in preview.summary
    assert all(r["variant"] is None for r in result["recommendations"])
    versions = call("registry.describe", model=mails).result.model_dump()["versions"]
    assert [v["version"] for v in versions] == [1]


@pytest.mark.slow
def test_a_target_that_fails_is_a_line_in_the_table_and_the_others_go_on(
    finished: Finisher, mails: str
):
    result = finished("training.optimize", model=mails, targets=["student", "onnx"])
    student, onnx = result["variants"]
    assert "no smaller than its teacher" in student["error"]
    assert onnx["version"] == 2


def test_what_cannot_be_shrunk_is_refused_before_there_is_a_job(
    kernel: Kernel, context: RequestContext, call: Caller, mails: str
):
    for arguments, message in (
        ({"model": "mail-sorte"}, "Did you mean mail-sorter"),
        ({"version": 9}, "no version 9|9"),
        ({"targets": ["onyx"]}, "targets"),
        ({"max_loss_points": -1}, "max_loss_points"),
    ):
        with pytest.raises(Exception, match=message):
            kernel.gate.call("training.optimize", {"model": mails, **arguments}, context)
    assert kernel.jobs.list("default", operation="training.optimize") == []
    shutil.rmtree(kernel.settings.home / "optimizations", ignore_errors=True)
