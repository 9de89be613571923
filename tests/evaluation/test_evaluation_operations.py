"""Measuring and comparing through the gate, with a real classifier in a real child process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.evaluation import tiny
from tests.registry.trained import classifier_folder
from tools.evaluation.service import EvaluationService
from tools.kernel.errors import Conflict, InvalidInput, NotFound
from tools.kernel.gate import Outcome
from tools.kernel.kernel import Kernel

Calls = Callable[..., Outcome]


def test_a_trained_model_is_measured_before_it_is_registered(kernel, call, finished, train):
    job = train(240)
    result = finished("evaluation.run", job=job)
    assert (result["model"], result["version"], result["job"]) == ("mail-sorter", None, job)
    assert (result["dataset"], result["split"]) == ("mails@1", "test")
    assert (result["rows"], result["overlap"]) == (120, tiny.LEAKED)
    assert result["accuracy_low"] < result["accuracy"] < result["accuracy_high"]
    assert result["accuracy"] > 0.6 > result["baseline_untrained"]
    assert result["baseline_majority"] == pytest.approx(1 / 3, abs=0.01)
    assert sum(map(sum, result["confusion"])) == 120
    assert 0 < result["p50_ms"] <= result["p95_ms"]
    assert Path(result["plot"]).read_bytes().startswith(b"\x89PNG")
    _assert_proven(kernel, result)
    call("registry.register", job=job)
    shown = call("evaluation.results", model="mail-sorter").result.results
    assert [(r.id, r.version) for r in shown] == [(result["id"], 1)]
    described = call("registry.describe", model="mail-sorter").result.versions[0]
    assert described.metrics["evaluation/mails-1/test/accuracy"] == result["accuracy"]


def _assert_proven(kernel: Kernel, result: dict[str, Any]) -> None:
    receipt = kernel.receipts.list("default")[0]
    assert (receipt.operation, receipt.status) == ("evaluation.run", "done")
    assert f"{result['accuracy']:.1%} right on 120 test rows of mails@1" in receipt.says
    facts = {e.fact: e.value for e in receipt.evidence}
    assert facts[f"accuracy of evaluation {result['id']}"] == result["accuracy"]
    assert facts["metric evaluation/mails-1/test/accuracy"] == result["accuracy"]


def test_the_result_is_what_the_classifier_says(kernel, finished, train):
    from tools.training.export import load_classifier, untrained_classifier

    job = train(240)
    result = finished("evaluation.run", job=job)
    test = tiny.sentences(120, start=1000)
    classifier = load_classifier(classifier_folder(kernel, job))
    right = [
        p == a for p, (_, a) in zip(classifier.predict([t for t, _ in test]), test, strict=True)
    ]
    assert result["accuracy"] == pytest.approx(sum(right) / 120)
    parameters = {"seed": 5, "max_length": 16}
    base = kernel.jobs.get(job, "default").result["base_model"]
    untrained = untrained_classifier(base, tiny.LABELS, parameters).predict([t for t, _ in test])
    expected = sum(p == a for p, (_, a) in zip(untrained, test, strict=True)) / 120
    assert result["baseline_untrained"] == pytest.approx(expected)


def test_the_better_of_two_versions_is_found(call, finished, approved, train):
    for rows in (240, 9):
        call("registry.register", job=train(rows))
    approved("registry.promote", model="mail-sorter", version=1, alias="champion")
    result = finished("evaluation.compare", model="mail-sorter", version=2)
    assert (result["other_model"], result["other_version"]) == ("mail-sorter", 1)
    assert result["rows"] == 120
    assert result["difference"] < 0
    assert result["better"] == "second"
    assert "mail-sorter v1 is better, and the difference is real" in result["verdict"]
    assert call("evaluation.results", model="mail-sorter").result.comparisons[0].id == result["id"]


class TestRefusals:
    @pytest.fixture
    def registered(self, call: Calls, train: Callable[[int], int]) -> int:
        job = train(240)
        call("registry.register", job=job)
        return job

    def test_neither_model_nor_job(self, call):
        with pytest.raises(InvalidInput, match="number of a training job"):
            call("evaluation.run")

    def test_a_version_without_a_model(self, call):
        with pytest.raises(InvalidInput, match="'champion' is the version of a model, but no mod"):
            call("evaluation.run", job=1, version="champion")

    def test_a_number_that_is_none(self, call, registered):
        with pytest.raises(InvalidInput, match="min_rows: 'many' is no whole number"):
            call("evaluation.slices", model="mail-sorter", min_rows="many")

    def test_an_alias_that_no_version_has(self, call, registered):
        with pytest.raises(NotFound, match="mail-sorter has no 'champion'") as refused:
            call("evaluation.run", model="mail-sorter", version="champion")
        assert refused.value.hint == "Its versions: v1."

    def test_a_job_that_the_model_does_not_come_from(self, call, registered, train):
        with pytest.raises(InvalidInput, match="No version of mail-sorter comes from job"):
            call("evaluation.run", model="mail-sorter", job=train(9))

    def test_a_damaged_artifact(self, kernel, call, registered):
        (classifier_folder(kernel, registered) / "labels.json").write_text("[]")
        with pytest.raises(Conflict, match="hash differs"):
            call("evaluation.run", model="mail-sorter")

    def test_a_dataset_that_the_model_was_trained_on(self, call, registered, tmp_path):
        rows = [{"text": t, "label": a, "split": "test"} for t, a in tiny.sentences(30)]
        rows += [{"text": f"x {t}", "label": a, "split": "train"} for t, a in tiny.sentences(30)]
        path = tmp_path / "seen.jsonl"
        path.write_text("\n".join(json.dumps(row) for row in rows))
        call("datasets.add", path=str(path))
        with pytest.raises(Conflict, match="30 of 30 test rows of seen@1 were trained on"):
            call("evaluation.run", model="mail-sorter", dataset="seen")

    def test_a_comparison_with_nothing_to_compare_with(self, call, registered):
        with pytest.raises(NotFound, match="mail-sorter has no champion"):
            call("evaluation.compare", model="mail-sorter", version=1)

    def test_a_comparison_with_itself(self, call, registered):
        with pytest.raises(InvalidInput, match="itself"):
            call("evaluation.compare", model="mail-sorter", version=1, other_version=1)

    def test_nothing_is_started_by_a_refused_call(self, kernel, call, registered):
        with pytest.raises(NotFound):
            call("evaluation.run", model="mail-sorter", dataset="nothing")
        assert kernel.jobs.list("default", operation="evaluation.run") == []


def test_a_result_is_stored_once_for_its_job(kernel, finished, train):
    result = finished("evaluation.run", job=train(240))
    service = kernel.get(EvaluationService)
    stored = service.store.result(result["id"], "default")
    again = service.store.add_result(_measured_by(kernel), "default", stored)
    assert again.id == stored.id
    assert len(service.store.results("default", "mail-sorter", {})) == 1
    with pytest.raises(NotFound):
        service.store.result(result["id"], "acme")


def _measured_by(kernel: Kernel) -> int:
    return kernel.jobs.list("default", operation="evaluation.run")[0].id


def test_both_model_and_job_pin_the_version(kernel, call, train):
    job = train(240)
    call("registry.register", job=job)
    outcome = call("evaluation.run", model="mail-sorter", job=job)
    assert outcome.receipt.arguments["version"] == 1
    assert outcome.receipt.arguments["dataset"] == "mails@1"
    assert outcome.job is not None
    assert kernel.jobs.wait(outcome.job, timeout=110).status == "done"
