"""Many models on the same rows: one table, and only differences that are real are called so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import pytest

from tests.evaluation import tiny
from tests.support.openai_server import Say, openai_server
from tools.evaluation.contenders import Said, contenders, crowned, differences, read_label
from tools.kernel.errors import Conflict
from tools.kernel.kernel import Kernel
from tools.kernel.settings import Settings
from tools.registry.service import RegistryService

LABELS = ("billing", "login", "log in", "card_lost", "shipping")


@pytest.mark.parametrize(
    ("answer", "label"),
    [
        ("billing", "billing"),
        (" Billing.\n", "billing"),
        ("Card lost", "card_lost"),
        ("The label is: shipping", "shipping"),
        ("log in", "log in"),
        ("billing or shipping", ""),
        ("I do not know", ""),
        ("", ""),
        ("rebilling", ""),
    ],
)
def test_a_label_is_read_from_what_a_language_model_says(answer, label):
    assert read_label(answer, LABELS) == label


def _said(name: str, truth: list[str], right: float, rng: np.random.Generator) -> Said:
    labels = [label if rng.random() < right else "wrong" for label in truth]
    return Said(name, "registered", labels, [0.001, 0.002], 0.1)


def test_equal_models_are_all_best_and_a_worse_one_is_not():
    rng = np.random.default_rng(31)
    truth = [tiny.LABELS[i % 3] for i in range(600)]
    said = [_said("a", truth, 0.9, rng), _said("b", truth, 0.89, rng), _said("c", truth, 0.6, rng)]
    pairs = differences(truth, said)
    assert {(d.first, d.second) for d in pairs if d.real} == {("a", "c"), ("b", "c")}
    table = crowned(contenders(truth, said), pairs)
    assert {c.name: c.best for c in table} == {"a": True, "b": True, "c": False}
    assert [c.accuracy for c in table] == sorted((c.accuracy for c in table), reverse=True)
    assert all(c.low < c.accuracy < c.high for c in table)


def test_of_many_equal_models_hardly_any_pair_is_called_different():
    rng = np.random.default_rng(32)
    truth = ["a", "b"] * 100
    alarms = 0
    for _ in range(60):
        said = [_said(str(i), truth, 0.8, rng) for i in range(6)]
        alarms += any(d.real for d in differences(truth, said))
    assert alarms <= 8  # 3 expected at 5 % for all fifteen pairs together


@pytest.fixture
def kernel(home) -> Iterator[Kernel]:
    """A home whose language model is a double that always says "billing"."""
    with openai_server(*[Say("billing")] * 30) as script:
        opened = Kernel(
            Settings(home=home, model="double-1", model_url=script.url, model_input_price=1.0)
        )
        opened.start()
        yield opened
        opened.stop()


def test_the_newest_version_that_takes_part_is_no_variant(
    kernel: Kernel, context, call, train: Callable[[int], int]
):
    for rows in (240, 9):
        call("registry.register", job=train(rows))
    registry = kernel.get(RegistryService)
    parent = registry.version("mail-sorter", 2, "default")
    lineage = replace(parent.lineage, job=99, variant="onnx", parent=2, trained_by=parent.job)
    registry.backend.add("default", "mail-sorter", parent.artifact, lineage)
    arguments = {"dataset": "mails", "external": True}
    told = kernel.gate.preview("evaluation.frontier", arguments, context).summary
    assert told.startswith("Compare mail-sorter v2, double-1 on")


@pytest.mark.slow
def test_registered_models_and_a_language_model_are_measured_alike(
    kernel: Kernel, call, finished, train: Callable[[int], int]
):
    for rows in (240, 9):
        call("registry.register", job=train(rows))
    result = finished("evaluation.frontier", dataset="mails", model="mail-sorter", rows=30)
    table = {c["name"]: c for c in result["contenders"]}
    assert set(table) == {"mail-sorter v1", "mail-sorter v2", "double-1"}
    assert result["rows"] == 30
    double = table["double-1"]
    assert double["kind"] == "external"
    assert double["accuracy"] == pytest.approx(1 / 3, abs=0.1)
    assert double["unreadable"] == 0
    assert double["cost_per_1000"] > 0
    assert 0 < double["p50_ms"] <= double["p95_ms"]
    assert table["mail-sorter v1"]["memory_mb"] > 50
    assert result["contenders"][0]["name"] == "mail-sorter v1"
    assert ("mail-sorter v1", "double-1") in {
        (d["first"], d["second"]) for d in result["differences"] if d["real"]
    }
    receipt = kernel.receipts.list("default")[0]
    assert "On 30 rows of mails@1: mail-sorter v1" in receipt.says


def test_a_model_that_knows_few_of_the_labels_is_left_out_and_the_rows_stay(
    kernel: Kernel, context, call, train: Callable[[int], int]
):
    for rows in (240, 120):
        call("registry.register", job=train(rows))
    registry = kernel.get(RegistryService)
    sorter = registry.version("mail-sorter", 1, "default")
    before = kernel.gate.preview("evaluation.frontier", {"dataset": "mails"}, context)
    stranger = replace(sorter.lineage, job=98, labels=(sorter.labels[0], "something else"))
    registry.backend.add("default", "tagger", sorter.artifact, stranger)
    after = kernel.gate.preview("evaluation.frontier", {"dataset": "mails"}, context)
    assert after.summary == before.summary
    known = f"tagger v1 knows 1 of the {len(sorter.labels)} labels and is left out."
    assert known in after.warnings
    assert known not in before.warnings


def test_one_model_alone_is_no_comparison(kernel, call, train):
    call("registry.register", job=train(240))
    with pytest.raises(Conflict, match="fewer than two models"):
        call("evaluation.frontier", dataset="mails", external=False)


def test_a_named_language_model_needs_one_that_is_configured(kernel, call, train, monkeypatch):
    call("registry.register", job=train(240))
    monkeypatch.setattr(kernel.settings, "model", None)
    with pytest.raises(Conflict, match="so gpt-4o-mini cannot take part"):
        call("evaluation.frontier", dataset="mails", external_models=["gpt-4o-mini"])
