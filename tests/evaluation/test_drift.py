"""Drift is found where there is some, rarely where there is none, and raises an alarm."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pytest

from benchmarks.simulated import SimulatedDevice
from edge.counters import Counters
from edge.profiles import PROFILES
from edge.runtime import LoadedModel, Prediction
from edge.verify import BundleFile, Manifest
from edge.wire import Assignment
from tests.evaluation import tiny
from tools.deployment import building, bundles
from tools.devices.messages import EnrolmentRequest
from tools.devices.protocol import DeviceProtocol
from tools.evaluation.drift_statistics import (
    accuracy_shift,
    counts_shift,
    embedding_shift,
    psi,
)
from tools.kernel.errors import Conflict, NotFound
from tools.registry.service import RegistryService

if TYPE_CHECKING:
    from tools.kernel.jobs import JobContext


def test_the_same_distribution_rarely_raises_anything():
    rng = np.random.default_rng(21)
    shares = np.array([0.5, 0.3, 0.15, 0.05])
    raised = 0
    for _ in range(200):
        before, after = rng.multinomial(300, shares), rng.multinomial(60, shares)
        found = counts_shift(
            "predictions",
            dict(zip("abcd", before, strict=True)),
            dict(zip("abcd", after, strict=True)),
        )
        raised += found.level != "none"
    assert raised <= 8  # 2 expected at 1 %


def test_psi_is_zero_for_equal_shares_and_large_for_other_ones():
    assert psi([100, 200], [10, 20]) < 0.01
    assert psi([100, 200], [200, 100]) == pytest.approx(2 * (1 / 3) * np.log(2), abs=0.01)


def test_embeddings_of_one_source_rarely_differ_and_of_two_do():
    rng = np.random.default_rng(22)
    raised = sum(
        embedding_shift(rng.normal(size=(80, 16)), rng.normal(size=(40, 16))).p_value < 0.05
        for _ in range(60)
    )
    assert raised <= 9  # 3 expected
    moved = embedding_shift(rng.normal(size=(80, 16)), rng.normal(0.7, 1, size=(40, 16)))
    assert moved.level == "alarm"
    assert accuracy_shift((90, 100), (60, 100)).level == "alarm"
    assert accuracy_shift((90, 100), (89, 100)).level == "none"


@pytest.fixture
def add(tmp_path, call):
    def make(name: str, rows: list[tuple[str, str]]) -> None:
        path = tmp_path / f"{name}.jsonl"
        path.write_text("\n".join(json.dumps({"text": t, "label": a}) for t, a in rows))
        call("datasets.add", path=str(path))

    return make


@pytest.mark.slow
def test_live_rows_of_another_kind_raise_an_alarm_and_the_same_kind_does_not(
    kernel, call, finished, train, add
):
    call("registry.register", job=train(240))
    call("registry.promote", model="mail-sorter", version=1, alias="staging")
    add("alike", tiny.sentences(90, start=3000))
    shipping = [
        (f"{t} container freight customs harbour delay {i}", "shipping")
        for i, (t, a) in enumerate(tiny.sentences(270, start=5000))
        if a == "shipping"
    ]
    add("harbour", shipping)
    calm = finished("evaluation.drift", model="mail-sorter", dataset="alike")
    assert calm["level"] == "none", calm["shifts"]
    assert kernel.events.read("drift:mail-sorter") == []
    alarm = finished("evaluation.drift", model="mail-sorter", dataset="harbour")
    levels = {s["what"]: s["level"] for s in alarm["shifts"]}
    assert alarm["level"] == "alarm"
    assert levels["embeddings"] == "alarm"
    assert levels["lengths"] == "alarm"
    events = kernel.events.read("drift:mail-sorter")
    assert [(e.kind, e.data["report"]) for e in events] == [("drift.alarm", alarm["id"])]
    shown = call("evaluation.drift_reports", model="mail-sorter").result.reports
    assert [r.level for r in shown] == ["alarm", "none"]
    risks = call("reporting.risks").result.risks
    assert any("drifted" in risk.title for risk in risks)
    with pytest.raises(NotFound, match="Devices reported only 0 answers"):
        call("evaluation.drift", model="mail-sorter")
    add("few", tiny.sentences(12, start=9000))
    with pytest.raises(Conflict, match="only 12 rows"):
        call("evaluation.drift", model="mail-sorter", dataset="few")


@dataclass
class Building:
    """The job that builds a bundle, without a process of its own."""

    workdir: Path

    def child(self, module: str, spec: dict[str, Any]) -> dict[str, Any]:
        assert module == building.__name__
        return building.build(spec)


@pytest.fixture
def bundle(kernel, tmp_path) -> Callable[[], LoadedModel]:
    """Build the bundle of the newest version; as devices load it."""

    def build() -> LoadedModel:
        version = kernel.get(RegistryService).latest("mail-sorter", "default")
        made = kernel.get(bundles.Bundles)
        folder = made.folder(made.ensure(version, cast("JobContext", Building(tmp_path / "job"))))
        keys = json.loads((folder / "manifest.json").read_bytes())
        files = {n: BundleFile(f["sha256"], f["size"]) for n, f in keys["files"].items()}
        known = {n: keys[n] for n in ("model", "version", "runtime", "max_length", "memory_mb")}
        told = Manifest(
            **known, files=files, golden=(), labels=tuple(keys["labels"]), centre=keys["centre"]
        )
        return LoadedModel(folder, told, PROFILES["laptop"])

    return build


@pytest.fixture
def answered(call, kernel):
    """A device that answers texts with a version, and reports it as real ones do."""
    protocol = kernel.get(DeviceProtocol)
    enrolled = call("devices.enroll", name="desk-1", group="desks", profile="laptop").result
    device = SimulatedDevice("desk-1")
    request = device.enrolment(enrolled.token.get_secret_value())
    device.credential = protocol.enroll(EnrolmentRequest.model_validate(request)).credential

    def answer(rows: list[tuple[str, str]], inputs: bool, model: LoadedModel | None = None) -> None:
        counters = Counters(inputs)
        served = Assignment("a" * 64, "mail-sorter", 1, 100)
        found = [Prediction(label, 0.9) for _, label in rows]
        if model is not None:
            found = model.predict([text for text, _ in rows])
        counters.answered(served, found, 5.0)
        counters.asked(served, [text for text, _ in rows], found)
        device.restart()
        (device.totals["a"],) = counters.traffic()
        body = device.report()
        row = protocol.authenticate(f"Bearer {device.credential}")
        assert protocol.hand_in(row, body, device.sign(body)).result(20)

    return answer


@pytest.mark.slow
def test_inputs_of_devices_are_compared_where_devices_count_them(
    kernel, call, finished, train, answered
):
    call("registry.register", job=train(240))
    usual = tiny.sentences(120, start=3000)

    answered(usual, inputs=False)
    unseen = finished("evaluation.drift", model="mail-sorter")
    assert {s["what"] for s in unseen["shifts"]} == {"predictions"}
    assert "--input-counts" in unseen["warnings"][0]

    answered(usual, inputs=True)
    calm = finished("evaluation.drift", model="mail-sorter")
    levels = {s["what"]: s["level"] for s in calm["shifts"]}
    assert levels["lengths"] == levels["words"] == "none"
    assert "embeddings" not in levels
    assert calm["warnings"][0] == "Lengths and words of 120 inputs were counted on devices."
    assert "no bundle of this version" in calm["warnings"][1]

    strange = [(f"{text} container freight customs harbour {text}", a) for text, a in usual]
    answered(strange * 3, inputs=True)
    moved = finished("evaluation.drift", model="mail-sorter")
    levels = {s["what"]: s["level"] for s in moved["shifts"]}
    assert moved["level"] == levels["lengths"] == levels["words"] == "alarm"
    events = kernel.events.read("drift:mail-sorter")
    assert [e.data["report"] for e in events] == [moved["id"]]


@pytest.mark.slow
def test_inputs_that_mean_something_else_are_told_by_where_their_embeddings_lie(
    call, finished, train, answered, bundle
):
    call("registry.register", job=train(240))
    model = bundle()
    usual = tiny.sentences(200, start=3000)
    answered(usual, inputs=True, model=model)
    calm = finished("evaluation.drift", model="mail-sorter")
    levels = {s["what"]: s["level"] for s in calm["shifts"]}
    assert levels["embeddings"] == levels["lengths"] == levels["predictions"] == "none"
    assert calm["warnings"] == ["Lengths and words of 200 inputs were counted on devices."]

    only = [pair for pair in tiny.sentences(900, start=5000) if pair[1] == "shipping"]
    answered(only, inputs=True, model=model)
    moved = finished("evaluation.drift", model="mail-sorter")
    assert {s["what"]: s["level"] for s in moved["shifts"]}["embeddings"] == "alarm"
