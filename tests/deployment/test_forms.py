"""Each class of device gets the form of a version that suits it, and its own former one back."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.classifier import LABELS, write_classifier
from tests.support.fleet import FleetUnderTest
from tools.kernel.gate import Outcome
from tools.kernel.kernel import Kernel
from tools.training.optimizing import manifest
from tools.training.optimizing.versions import NewVariant, versions

Approved = Callable[..., Outcome]
ROUTER = {"model": "ticket-router", "group": "thinkpads"}


def openvino_variant(
    kernel: Kernel,
    of: int,
    folder: Path,
    *,
    shift: int = 0,
    metrics: dict[str, float] | None = None,
) -> int:
    """Register a real OpenVINO model as a variant of a version, as shrinking does."""
    import openvino

    plain = write_classifier(folder / "plain", shift=shift)
    out = folder / "variant"
    out.mkdir()
    openvino.save_model(openvino.convert_model(plain / "model.onnx"), out / "model.xml")
    for name in ("tokenizer.json", "config.json"):
        shutil.copyfile(plain / name, out / name)
    made = manifest.Manifest(
        variant="openvino-int8",
        kind="classifier",
        runtime="openvino",
        entry="model.xml",
        labels=list(LABELS),
        max_length=64,
        parent={},
        memory_mb=8,
        inputs=[],
        outputs=[],
    )
    manifest.write(out, made)
    store = versions(kernel)
    parent = store.parent("ticket-router", of, "default")
    told = metrics or {}
    new = NewVariant(parent, "openvino-int8", out, 4711, parent.run_id, "user:test", told)
    return store.register(new, "default")


@pytest.fixture
def mixed(fleet: FleetUnderTest, finished: Any) -> int:
    """A laptop and a server in one group, both of which serve version 1; returns version 2."""
    for name, profile in (("laptop-1", "laptop"), ("server-1", "server")):
        fleet.enroll(name, profile=profile)
    first, second = fleet.register(), fleet.register(shift=1)
    finished("deployment.start", **ROUTER, version=first, strategy="all")
    return second


def bundles(fleet: FleetUnderTest) -> dict[str, str]:
    return {name: fleet.device(name).serving[0].bundle for name in fleet.devices}


@pytest.mark.slow
def test_a_laptop_gets_the_openvino_variant_beside_a_server_and_each_its_own_bundle_back(
    fleet: FleetUnderTest, mixed: int, kernel: Kernel, finished: Any, call: Any, tmp_path: Path
) -> None:
    former = bundles(fleet)
    openvino_variant(kernel, mixed, tmp_path, shift=1)
    asked = kernel.gate.preview(
        "deployment.start", {**ROUTER, "version": mixed, "strategy": "all"}, fleet.context
    )
    assert "laptops get openvino-int8 (1), servers get onnx-int8 (1)" in asked.summary
    assert [c.after for c in asked.changes] == [
        f"ticket-router v{mixed} as openvino-int8",
        f"ticket-router v{mixed}",
    ]

    done = finished("deployment.start", **ROUTER, version=mixed, strategy="all")
    assert {d["device"]: d["form"] for d in done["devices"]} == {
        "laptop-1": "openvino-int8",
        "server-1": "onnx-int8",
    }
    served = bundles(fleet)
    assert served["laptop-1"] != served["server-1"] == done["bundle"]
    for name, device in fleet.devices.items():
        assert fleet.serving(name) == [("ticket-router", mixed)]
        assert device.predict("my password")["label"] == "shipping"

    finished("deployment.rollback", group="thinkpads")
    assert bundles(fleet) == former
    for device in fleet.devices.values():
        assert device.predict("my password")["label"] == "login"


def test_a_canary_that_goes_on_brings_what_was_judged_not_a_variant_made_since(
    fleet: FleetUnderTest, mixed: int, kernel: Kernel, finished: Any, tmp_path: Path
) -> None:
    finished("deployment.start", **ROUTER, version=mixed, strategy="canary", percent=50)
    openvino_variant(kernel, mixed, tmp_path, shift=1)
    done = finished("deployment.start", **ROUTER, version=mixed, strategy="all")
    assert {d["form"] for d in done["devices"]} == {"onnx-int8"}


@pytest.mark.slow
def test_a_device_that_joins_later_gets_the_form_that_the_rollout_brought_to_its_like(
    fleet: FleetUnderTest, mixed: int, kernel: Kernel, finished: Any, tmp_path: Path
) -> None:
    openvino_variant(kernel, mixed, tmp_path, shift=1)
    finished("deployment.start", **ROUTER, version=mixed, strategy="all")
    served = bundles(fleet)
    plain = tmp_path / "devices" / "laptop-3"
    plain.mkdir(parents=True)
    (plain / "machine.json").write_text('{"runtimes": ["onnx"]}')
    for name, profile in (("laptop-2", "laptop"), ("laptop-3", "laptop"), ("server-2", "server")):
        fleet.enroll(name, profile=profile)
    joined = ("laptop-2", "laptop-3", "server-2")
    fleet.until(lambda: all(fleet.device(n).serving for n in joined), "those that joined serve", 60)
    alike = {"laptop-2": "laptop-1", "laptop-3": "server-1", "server-2": "server-1"}
    assert {n: fleet.device(n).serving[0].bundle for n in joined} == {
        name: served[like] for name, like in alike.items()
    }

    finished("deployment.rollback", group="thinkpads")
    first = fleet.device("server-1").serving
    fleet.until(lambda: all(fleet.device(n).serving == first for n in joined), "they went back", 60)


@pytest.mark.slow
def test_a_device_that_joins_later_gets_no_variant_made_since_the_rollout(
    fleet: FleetUnderTest, mixed: int, kernel: Kernel, tmp_path: Path
) -> None:
    openvino_variant(kernel, 1, tmp_path)
    fleet.enroll("laptop-2")
    fleet.until(lambda: bool(fleet.device("laptop-2").serving), "it serves")
    assert fleet.device("laptop-2").serving == fleet.device("laptop-1").serving


@pytest.mark.slow
def test_a_variant_rolled_out_by_its_own_number_goes_to_every_device(
    fleet: FleetUnderTest, mixed: int, kernel: Kernel, finished: Any, tmp_path: Path
) -> None:
    variant = openvino_variant(kernel, mixed, tmp_path, shift=1)
    done = finished("deployment.start", **ROUTER, version=variant, strategy="all")
    assert {d["form"] for d in done["devices"]} == {"openvino-int8"}
    assert {fleet.serving(name)[0] for name in fleet.devices} == {("ticket-router", variant)}


@pytest.mark.parametrize(
    ("rows", "due"), [pytest.param(20, 64, marks=pytest.mark.slow), (2000, 87)]
)
def test_a_variant_is_held_to_as_many_rows_as_it_was_measured_on(
    fleet: FleetUnderTest,
    mixed: int,
    kernel: Kernel,
    approved: Approved,
    tmp_path: Path,
    rows: int,
    due: int,
) -> None:
    metrics = {"accuracy": 0.97, "held_out_rows": float(rows)}
    variant = openvino_variant(kernel, mixed, tmp_path, shift=1, metrics=metrics)
    outcome = approved("deployment.start", **ROUTER, version=variant, strategy="all")
    assert outcome.job is not None
    row = kernel.jobs.wait(outcome.job, timeout=60)
    assert row.error is not None
    assert f"at least {due}% is due" in row.error["message"]


def test_a_bundle_that_answers_worse_than_was_registered_is_refused_and_no_device_changes(
    fleet: FleetUnderTest, mixed: int, kernel: Kernel, approved: Approved
) -> None:
    former = bundles(fleet)
    flattered = fleet.register(shift=2, accuracy=0.97)
    outcome = approved("deployment.start", **ROUTER, version=flattered, strategy="all")
    assert outcome.job is not None
    row = kernel.jobs.wait(outcome.job, timeout=60)
    assert row.status == "failed" and row.error is not None
    assert "97% was registered of it" in row.error["message"]
    assert bundles(fleet) == former and fleet.latest()["state"] == "failed"
