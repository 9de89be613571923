"""A dataset that is only for judging: all of it is measured on; what was seen before is told."""

from __future__ import annotations

import json

import pytest

from tests.evaluation import tiny
from tools.kernel.errors import InvalidInput, NotFound

NEAR = 3


@pytest.fixture
def gold(call, train, tmp_path) -> str:
    """A registered model, and 95 rows to judge on: 2 were trained on, 3 nearly so."""
    call("registry.register", job=train(240))
    trained, unlike = tiny.sentences(240), tiny.sentences(90, start=2000)
    texts = [
        *((f"{text} on page {i}", label) for i, (text, label) in enumerate(unlike)),
        *trained[:2],
        *((f"{text} soon", label) for text, label in trained[50 : 50 + NEAR]),
    ]
    rows = [
        {"text": t, "label": a, "region": "eu", "ticket": f"T-{i}", "shift": "dn"[i % 2]}
        for i, (t, a) in enumerate(texts)
    ]
    path = tmp_path / "gold.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    call("datasets.add", path=str(path), splits="test-only")
    return "gold"


def test_all_rows_that_no_training_saw_are_measured_and_near_ones_are_counted(
    kernel, call, context, finished, gold
):
    result = finished("evaluation.run", model="mail-sorter", dataset=gold)
    assert (result["rows"], result["overlap"], result["nearly_seen"]) == (93, 2, NEAR)
    told = "3 rows nearly repeat a row that the training saw in another dataset"
    assert any(told in warning for warning in result["warnings"])
    _columns_that_do_not_vary_say_so(call, gold)
    asked = {"model": "mail-sorter", "dataset": gold, "split": "validation"}
    with pytest.raises(NotFound, match="gold v1 has no validation split"):
        kernel.gate.preview("evaluation.run", asked, context)


def _columns_that_do_not_vary_say_so(call, gold: str) -> None:
    def refused(column: str) -> InvalidInput:
        with pytest.raises(InvalidInput) as caught:
            call("evaluation.slices", model="mail-sorter", dataset=gold, column=column)
        assert str(caught.value.hint).startswith("They can be by label, length, shift.")
        return caught.value

    assert "'region' has one value in all 93 rows: 'eu'" in str(refused("region"))
    assert "'ticket' has 93 values, more than 50" in str(refused("ticket"))
    assert "have no column 'colour'" in str(refused("colour"))


def test_a_comparison_tells_of_near_repeats_as_well(kernel, call, context, train, gold):
    call("registry.register", job=train(9))
    asked = {"model": "mail-sorter", "version": 2, "other_version": 1, "dataset": gold}
    preview = kernel.gate.preview("evaluation.compare", asked, context)
    assert any("3 rows nearly repeat a row" in warning for warning in preview.warnings)


def test_drift_on_rows_of_the_training_is_warned_of_with_their_number(
    kernel, call, context, finished, gold
):
    asked = {"model": "mail-sorter", "dataset": gold}
    told = "2 of the 95 rows were in the training of mail-sorter v1 (mails@1)"
    preview = kernel.gate.preview("evaluation.drift", asked, context)
    assert told in preview.warnings[0]
    report = finished("evaluation.drift", **asked)
    assert told in report["warnings"][0]
