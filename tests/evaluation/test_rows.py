"""No row that a model was trained on counts, whatever its case and spacing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import pytest

from tools.datasets.columns import Row
from tools.evaluation.rows import HeldOut, held_out
from tools.evaluation.seen import text_hash
from tools.evaluation.subjects import Subject
from tools.kernel.errors import Conflict

LABELS = ("billing", "login")


class Datasets:
    """Rows by dataset; a double of the dataset service."""

    def __init__(self, **rows: list[Row]) -> None:
        self._rows = rows

    def rows(self, tenant: str, reference: str, split: str | None = None) -> list[Row]:
        return [r for r in self._rows[reference] if split in (None, r.split)]


def subject(dataset: str = "tickets", labels: tuple[str, ...] = LABELS) -> Subject:
    return Subject("router", 1, 7, "r", Path("x"), "h", dataset, labels, "minilm", {})


def row(text: str, label: str = "billing", split: str = "test") -> Row:
    return Row(text, label, split)


def measured_on(*subjects: Subject, split: str = "test", **rows: list[Row]) -> HeldOut:
    datasets = cast("Any", Datasets(**rows))
    return held_out(datasets, "default", "tickets", split, subjects or (subject(),))


TRAIN = [row(f"trained {i}", split="train") for i in range(5)]


def test_rows_of_the_training_split_are_left_out_and_counted() -> None:
    found = measured_on(tickets=[*TRAIN, row("new one"), row("TRAINED   3\n"), row("other")])
    assert [r.text for r in found.rows] == ["new one", "other"]
    assert found.overlap == 1
    assert "1 rows were left out" in found.warnings[0]


def test_a_split_that_was_mostly_trained_on_is_refused() -> None:
    with pytest.raises(Conflict, match="2 of 3 test rows"):
        measured_on(tickets=[*TRAIN, row("trained 1"), row("trained 2"), row("new")])


def test_the_training_split_of_every_compared_model_counts() -> None:
    found = measured_on(
        subject(),
        subject(dataset="older"),
        tickets=[*TRAIN, row("a"), row("b"), row("c")],
        older=[row("b", split="train")],
    )
    assert [r.text for r in found.rows] == ["a", "c"]


def test_rows_with_a_label_the_model_does_not_know_are_skipped() -> None:
    found = measured_on(tickets=[*TRAIN, row("a"), row("b", "refunds")])
    assert (len(found.rows), found.skipped) == (1, 1)
    assert any("does not know their label" in w for w in found.warnings)


def test_a_dataset_without_a_known_label_is_refused() -> None:
    with pytest.raises(Conflict, match="has a label that router v1 knows"):
        measured_on(tickets=[*TRAIN, row("a", "refunds")])


def test_the_majority_class_is_that_of_the_training_split() -> None:
    train = [row("1", "login", "train"), row("2", "login", "train"), row("3", "billing", "train")]
    found = measured_on(tickets=[*train, row("a"), row("b"), row("c"), row("d", "login")])
    assert found.majority == "login"
    assert found.majority_accuracy() == 0.25


def test_written_rows_come_back_one_a_line(tmp_path: Path) -> None:
    from tools.evaluation.worker import read_rows

    text = 'two\nlines, "quotes", a \u2028 separator and ü'
    HeldOut([row(text), row("b", "login")], 0, 0, "billing").write(tmp_path / "rows")
    found = [(r["text"], r["label"]) for r in read_rows(tmp_path / "rows")]
    assert found == [(text, "billing"), ("b", "login")]
    assert len([json.loads(line) for line in (tmp_path / "rows").open()]) == 2


def test_text_hashes_bridge_case_and_spaces_only() -> None:
    assert text_hash(" Hello  World\n") == text_hash("hello world")
    assert text_hash("hello world") != text_hash("hello, world")


def test_rows_that_chose_the_weights_are_not_held_out_from_a_test() -> None:
    tickets = [*TRAIN, row("a", split="validation"), row("A"), row("b"), row("c")]
    found = measured_on(tickets=tickets)
    assert [r.text for r in found.rows] == ["b", "c"]
    assert not any("validation" in warning for warning in found.warnings)


def test_measuring_on_the_validation_split_is_called_unfair() -> None:
    tickets = [*TRAIN, row("a", split="validation"), row("b")]
    found = measured_on(split="validation", tickets=tickets)
    assert [r.text for r in found.rows] == ["a"]
    assert any("test split is the fair one" in warning for warning in found.warnings)
