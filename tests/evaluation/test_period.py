"""A measurement on the rows of a certain time takes those alone, and decides no promotion."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.evaluation import tiny
from tools.evaluation.measurements import evaluations_of
from tools.kernel.errors import InvalidInput
from tools.kernel.gate import Outcome
from tools.kernel.identity import RequestContext
from tools.kernel.kernel import Kernel
from tools.registry.service import RegistryService

Calls = Callable[..., Outcome]
SINCE = "since 2026-02-01"
SORTER = {"model": "mail-sorter", "version": 1, "dataset": "dated"}


@pytest.fixture
def dated(call: Calls, train: Callable[[int], int], tmp_path: Path) -> None:
    """A registered model, and 120 test rows of which every third is from February."""
    call("registry.register", job=train(240))
    rows = [
        {"text": t, "label": a, "split": "test", "created_at": f"2026-0{1 + (n % 3 == 0)}-10"}
        for n, (t, a) in enumerate(tiny.sentences(120, start=5000))
    ]
    path = tmp_path / "dated.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    call("datasets.add", path=str(path))


def previewed(kernel: Kernel, context: RequestContext, **more: Any) -> str:
    return kernel.gate.preview("evaluation.run", {**SORTER, **more}, context).summary


def test_only_rows_of_the_period_are_measured_and_the_answer_says_so(
    dated: None, kernel: Kernel, context: RequestContext
) -> None:
    assert "on 120 test rows" in previewed(kernel, context)
    assert "on 40 test rows" in previewed(kernel, context, period=SINCE)
    told = kernel.gate.preview("evaluation.run", {**SORTER, "period": SINCE}, context)
    assert f"Only rows from {SINCE} were taken: 40." in told.warnings


@pytest.mark.slow
def test_what_was_measured_on_a_period_decides_no_promotion(
    dated: None, kernel: Kernel, finished: Callable[..., dict[str, Any]]
) -> None:
    version = kernel.get(RegistryService).version("mail-sorter", 1, "default")
    part = finished("evaluation.run", **SORTER, period=SINCE)
    assert (part["rows"], part["period"]) == (40, SINCE)
    assert evaluations_of(kernel, version) == []
    finished("evaluation.run", **SORTER)
    assert [m.values["rows"] for m in evaluations_of(kernel, version)] == [120]


@pytest.mark.parametrize(
    ("period", "told"),
    [("2025-03", "None of the 120 test rows"), ("whenever", "whenever")],
)
def test_a_period_without_rows_is_refused_with_what_there_is(
    dated: None, kernel: Kernel, context: RequestContext, period: str, told: str
) -> None:
    with pytest.raises(InvalidInput, match=told):
        previewed(kernel, context, period=period)


def test_rows_that_do_not_say_when_they_are_from_are_refused(
    dated: None, kernel: Kernel, context: RequestContext
) -> None:
    with pytest.raises(InvalidInput, match="no column that says when"):
        previewed(kernel, context, dataset="mails", period=SINCE)
