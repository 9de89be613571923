"""What the computing process counts, with classifiers whose answers are known."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from tools.evaluation import worker
from tools.evaluation.predictions import Predicted, read_predictions, write_predictions
from tools.kernel.errors import Conflict, InvalidInput, OperationFailed
from tools.training import export

LABELS = ("billing", "login", "shipping")


class ByKeyword:
    """Answers the label that stands first in the text, surely; else the one it is told."""

    labels = LABELS

    def __init__(self, otherwise: str = "billing") -> None:
        self.otherwise = otherwise
        self.batches: list[int] = []

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        self.batches.append(len(texts))
        found = np.full((len(texts), 3), 0.05)
        for place, text in enumerate(texts):
            word = text.split()[0]
            found[place, LABELS.index(word if word in LABELS else self.otherwise)] = 0.9
        return found


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    lines = [("billing is wrong", "billing"), ("login fails", "login"), ("shipping", "shipping")]
    lines = [*lines * 10, ("where is my parcel", "shipping"), ("my card", "billing")]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps({"text": t, "label": a}) for t, a in lines))
    return path


def test_a_measured_classifier_gets_every_figure(rows, tmp_path, monkeypatch, capsys):
    asked: list[Any] = []

    def untrained(*arguments: Any) -> ByKeyword:
        asked.append(arguments)
        return ByKeyword()

    trained = ByKeyword()
    monkeypatch.setattr(export, "load_classifier", lambda folder: trained)
    monkeypatch.setattr(export, "untrained_classifier", untrained)
    spec = {
        "folder": "x",
        "rows": str(rows),
        "plot": str(tmp_path / "confusion.png"),
        "reliability_plot": str(tmp_path / "reliability.png"),
        "predictions": str(tmp_path / "predictions.jsonl"),
        "hourly_rate": 0.4,
        "title": "router v1",
        "base_model": "minilm",
        "parameters": {"seed": 3},
    }
    result = worker.measure(spec)
    assert result["rows"] == 32
    assert result["accuracy"] == pytest.approx(31 / 32)
    assert result["baseline_untrained"] == pytest.approx(31 / 32)
    assert result["confusion"] == [[11, 0, 0], [0, 10, 0], [1, 0, 10]]
    assert result["worst"] == ["billing", "shipping"] or result["worst"] == ["shipping", "billing"]
    assert result["ece"] == pytest.approx(abs(31 / 32 - 0.9))
    assert 0 < result["p50_ms"] <= result["p95_ms"]
    assert (tmp_path / "confusion.png").read_bytes().startswith(b"\x89PNG")
    assert asked == [("minilm", [*LABELS], {"seed": 3})]
    told = [json.loads(line) for line in capsys.readouterr().out.split("\n") if line]
    shares = [event["progress"] for event in told]
    assert shares == sorted(shares)
    assert 0 < shares[0] < shares[-1] < 1


def test_two_classifiers_are_counted_row_by_row(rows, monkeypatch):
    by_folder = {"a": ByKeyword("shipping"), "b": ByKeyword("login")}
    monkeypatch.setattr(export, "load_classifier", lambda folder: by_folder[str(folder)])
    counted = worker.compare({"folders": ["a", "b"], "rows": str(rows)})
    assert counted == {"first": 31, "second": 30, "only_first": 1, "only_second": 0}


def test_batches_of_like_length_come_back_in_the_order_of_the_texts():
    texts = [f"{LABELS[i % 3]} {'x ' * (97 - i)}" for i in range(97)]
    classifier = ByKeyword()
    found = worker.predict(cast("Any", classifier), texts, 0, 1, "")
    assert found.argmax(axis=1).tolist() == [i % 3 for i in range(97)]
    assert max(classifier.batches) == worker.BATCH


def test_a_label_that_the_model_does_not_know_is_named(rows, monkeypatch):
    monkeypatch.setattr(export, "load_classifier", lambda folder: ByKeyword())
    rows.write_text(json.dumps({"text": "x", "label": "refunds"}))
    with pytest.raises(InvalidInput, match="refunds"):
        worker.carry_out({"task": "compare", "folders": ["a", "b"], "rows": str(rows)})


class ByNothing(ByKeyword):
    """A model whose weights are no numbers any more."""

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        return np.full((len(texts), 3), np.nan)


@pytest.mark.parametrize("task", ["measure", "compare", "label", "perturb"])
def test_a_model_that_gives_no_numbers_is_not_measured(rows, monkeypatch, task):
    monkeypatch.setattr(export, "load_classifier", lambda folder: ByNothing())
    spec = {"task": task, "folder": "a", "folders": ["a", "b"], "rows": str(rows)}
    with pytest.raises(OperationFailed, match="no finite probabilities for 32 of 32 texts") as no:
        worker.carry_out(spec)
    assert "lower learning rate" in str(no.value.hint)


def test_kept_predictions_that_are_no_numbers_are_not_looked_into(tmp_path):
    path = tmp_path / "predictions.jsonl"
    write_predictions(path, [Predicted("a", "x", "x", 0.9), Predicted("b", "x", "x", float("nan"))])
    with pytest.raises(Conflict, match="router on tickets are no numbers"):
        read_predictions(path, "router on tickets")


class ByWords:
    """Gives every label whose name is in the text."""

    labels = LABELS
    multilabel = True

    def probabilities(self, texts: Sequence[str]) -> np.ndarray:
        return np.array([[0.9 if label in text else 0.1 for label in LABELS] for text in texts])


def test_a_classifier_of_several_labels_is_measured_by_sets(tmp_path, monkeypatch, capsys):
    lines = [
        ("billing and login", ["billing", "login"]),
        ("shipping", ["shipping"]),
        ("nothing of it", []),
        ("login is late", ["login", "shipping"]),
    ] * 10
    path = tmp_path / "several.jsonl"
    path.write_text("\n".join(json.dumps({"text": t, "label": "", "labels": a}) for t, a in lines))
    monkeypatch.setattr(export, "load_classifier", lambda folder: ByWords())
    monkeypatch.setattr(export, "untrained_classifier", lambda *a: ByWords())
    spec = {
        "folder": "x",
        "rows": str(path),
        "plot": str(tmp_path / "confusion.png"),
        "reliability_plot": str(tmp_path / "reliability.png"),
        "predictions": str(tmp_path / "predictions.jsonl"),
        "hourly_rate": 0.4,
        "title": "router v1",
        "base_model": "minilm",
        "parameters": {},
    }
    result = worker.measure(spec)
    assert result["accuracy"] == pytest.approx(0.75)
    assert result["micro_f1"] == pytest.approx(2 * 40 / (40 + 50))
    assert {c["label"]: c["recall"] for c in result["classes"]}["shipping"] == pytest.approx(0.5)
    kept = [json.loads(line) for line in (tmp_path / "predictions.jsonl").read_text().splitlines()]
    assert (kept[3]["label"], kept[3]["predicted"]) == ("login | shipping", "login")
    assert kept[2]["predicted"] == "none"
