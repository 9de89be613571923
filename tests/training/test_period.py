"""A training on the rows of a certain time uses those alone, and says so when it cannot."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.training.conftest import rows, write_rows
from tools.kernel.errors import InvalidInput
from tools.kernel.gate import Outcome
from tools.training.types import TrainingEstimate

Caller = Callable[..., Outcome]


def dated(path: Path, count: int, day: Callable[[int], Any], column: str = "created_at") -> str:
    """A file of rows with a column of dates; returns its path."""
    found: list[dict[str, Any]] = [
        {**row, column: day(number)} for number, row in enumerate(rows(count))
    ]
    return str(write_rows(path, found))


def ago(days: float) -> str:
    return (datetime.now(UTC) - timedelta(days=days)).isoformat()


def estimated(call: Caller, **arguments: Any) -> TrainingEstimate:
    told = call("training.estimate", method="full", **arguments).result
    assert isinstance(told, TrainingEstimate)
    return told


@pytest.mark.slow
def test_only_rows_of_the_period_are_learnt_from_and_the_receipt_says_which(
    call: Caller, finished: Callable[..., dict[str, Any]], base: Path, tmp_path: Path
) -> None:
    path = dated(tmp_path / "colours.jsonl", 240, lambda n: ago(2 if n % 2 else 90))
    call("datasets.add", path=path)
    arguments = {"dataset": "colours", "base_model": str(base)}
    half = estimated(call, **arguments, period="last 30 days").rows
    assert half < estimated(call, **arguments).rows * 0.7
    done = finished("training.start", **arguments, method="full", epochs=1, period="last 30 days")
    assert done["parameters"]["rows"].startswith(f"{half} training rows from ")
    assert done["parameters"]["rows"].endswith(" to now UTC")


@pytest.mark.parametrize(
    ("column", "day"),
    [("date", lambda n: 1_700_000_000 + n), ("Timestamp", lambda n: 1_700_000_000_000 + n)],
)
def test_seconds_and_milliseconds_are_dates_too(
    call: Caller, base: Path, tmp_path: Path, column: str, day: Callable[[int], Any]
) -> None:
    call("datasets.add", path=dated(tmp_path / "colours.jsonl", 240, day, column))
    arguments = {"dataset": "colours", "base_model": str(base)}
    told = estimated(call, **arguments, period="november 2023")
    assert told.rows == estimated(call, **arguments).rows


@pytest.mark.parametrize(
    ("period", "reason"),
    [("yesterday", "0 training rows of colours v1"), ("last fortnight", "is not understood")],
)
def test_a_period_without_rows_or_sense_is_refused_before_anything_starts(
    call: Caller, base: Path, tmp_path: Path, period: str, reason: str
) -> None:
    call("datasets.add", path=dated(tmp_path / "colours.jsonl", 240, lambda _: ago(90)))
    with pytest.raises(InvalidInput, match=reason):
        call("training.start", dataset="colours", base_model=str(base), period=period)


def test_rows_without_dates_are_all_used_with_a_warning(
    call: Caller, base: Path, colours: Path
) -> None:
    call("datasets.add", path=str(colours))
    arguments = {"dataset": "colours", "base_model": str(base)}
    told = estimated(call, **arguments, period="last week")
    assert told.rows == estimated(call, **arguments).rows
    assert any("no column that says when" in warning for warning in told.warnings)
