"""What an evaluation keeps can be looked into: slices, errors, calibration; and changes made."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from tools.evaluation.store import ResultStore
from tools.evaluation.tables import EvaluationRow
from tools.evaluation.types import EvaluationResult
from tools.kernel.errors import InvalidInput, NotFound


@pytest.fixture
def evaluated(call, finished, train) -> dict:
    call("registry.register", job=train(240))
    return finished("evaluation.run", model="mail-sorter")


def test_slices_errors_and_calibration_agree_with_the_evaluation(kernel, call, evaluated, finished):
    _slices_add_up(call, evaluated)
    _errors_are_shown(call, evaluated)
    calibration = call("evaluation.calibration", model="mail-sorter")
    _the_evaluation_shown_is_named(kernel, call, calibration.receipt.says, evaluated)
    found = calibration.result
    assert found.calibration.ece == pytest.approx(evaluated["ece"])
    assert found.calibration.accuracy == pytest.approx(evaluated["accuracy"])
    assert sum(b.rows for b in found.calibration.bins) == 120
    assert Path(found.plot).read_bytes().startswith(b"\x89PNG")
    assert evaluated["macro_f1_low"] < evaluated["macro_f1"] < evaluated["macro_f1_high"]
    assert evaluated["memory_mb"] > 50
    assert evaluated["cost_per_1000"] > 0
    _changes_cost_something(finished("evaluation.robustness", model="mail-sorter"), evaluated)


def _the_evaluation_shown_is_named(kernel, call, says: str, evaluated: dict) -> None:
    told = f"Shown is evaluation {evaluated['id']}, the newest of mail-sorter."
    assert told in says
    assert told in call("evaluation.slices", model="mail-sorter").receipt.says
    assert told in call("evaluation.errors", model="mail-sorter").receipt.says
    named = call("evaluation.slices", model="mail-sorter", dataset="mails").receipt.says
    assert "Shown is" not in named
    elsewhere = EvaluationResult.model_validate({**evaluated, "dataset": "letters@1"})
    ResultStore(kernel).add_result(9000, "default", elsewhere)
    with pytest.raises(InvalidInput) as refused:
        call("evaluation.slices", model="mail-sorter", column="colour")
    assert "the newest evaluation of mail-sorter; name a dataset for one on mails@1" in str(
        refused.value.hint
    )
    with kernel.database.session() as session:
        session.delete(session.scalars(select(EvaluationRow).filter_by(measured_by=9000)).one())


def test_rows_needed_are_told_with_the_accuracy_that_they_are_for(call):
    assumed = call("evaluation.sample_size", points=2)
    assert assumed.result.accuracy == 0.85
    assert "beside a model that gets 85.0% right (assumed where no" in assumed.receipt.says
    named = call("evaluation.sample_size", points=2, accuracy=0.9)
    assert "beside a model that gets 90.0% right, " in named.receipt.says
    assert named.result.rows < assumed.result.rows


def test_models_that_are_alike_need_fewer_rows_than_those_that_err_independently(call):
    near = call("evaluation.sample_size", points=2, accuracy=0.94)
    assert (near.result.rows, near.result.alike) == (1866, pytest.approx(0.0476))
    assert near.result.rows_alike < near.result.rows
    assert f"{near.result.rows_alike} if they differ on 4.8% of the rows" in near.receipt.says
    usual = call("evaluation.sample_size", points=2).result
    assert (usual.alike, usual.rows_alike) == (0.1, 1960)


def _slices_add_up(call, evaluated) -> None:
    outcome = call("evaluation.slices", model="mail-sorter", min_rows=1)
    shown = outcome.result
    assert {"label", "length", "channel"} <= set(shown.columns)
    for column in shown.columns:
        members = [s for s in shown.slices if s.column == column]
        right = sum(s.accuracy * s.rows for s in members)
        assert right == pytest.approx(evaluated["accuracy"] * 120)
        assert all(s.low <= s.accuracy <= s.high for s in members)
    assert [s.accuracy for s in shown.slices] == sorted(s.accuracy for s in shown.slices)
    assert call("evaluation.slices", model="mail-sorter", min_rows=121).result.slices == []
    with pytest.raises(InvalidInput, match="label, length, channel"):
        call("evaluation.slices", model="mail-sorter", column="colour")


def _errors_are_shown(call, evaluated) -> None:
    found = call("evaluation.errors", model="mail-sorter", limit=3).result
    assert found.wrong == round((1 - evaluated["accuracy"]) * 120)
    assert len(found.examples) == 3
    assert all(e.label != e.predicted for e in found.examples)
    sure = [e.confidence for e in found.examples]
    assert sure == sorted(sure, reverse=True)
    confused = {(c.label, c.predicted): c.rows for c in found.confused}
    labels = evaluated["labels"]
    for (label, predicted), rows in confused.items():
        row = evaluated["confusion"][labels.index(label)]
        assert row[labels.index(predicted)] == rows
    with pytest.raises(InvalidInput, match="classes are billing"):
        call("evaluation.errors", model="mail-sorter", label="parking")


def _changes_cost_something(result: dict, evaluated: dict) -> None:
    assert all(k["drop_low"] < k["drop_high"] for k in result["kinds"])
    assert result["accuracy"] == pytest.approx(evaluated["accuracy"])
    kinds = {k["kind"]: k for k in result["kinds"]}
    assert set(kinds) == {"typos", "paraphrase", "case", "punctuation"}
    assert kinds["typos"]["drop"] > 0.05
    assert kinds["typos"]["drop_low"] <= kinds["typos"]["drop"] <= kinds["typos"]["drop_high"]
    assert kinds["typos"]["changed"] != kinds["typos"]["example"]
    assert kinds["punctuation"]["flipped"] == 0
    assert result["kinds"][0]["drop"] == max(k["drop"] for k in result["kinds"])


def test_what_was_not_evaluated_cannot_be_looked_into(call, train):
    call("registry.register", job=train(240))
    with pytest.raises(NotFound, match="mail-sorter was not evaluated yet"):
        call("evaluation.errors", model="mail-sorter")
