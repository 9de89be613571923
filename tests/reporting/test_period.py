"""Periods are read as people say them."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tools.kernel.errors import InvalidInput
from tools.kernel.periods import parse_period

NOW = datetime(2026, 5, 14, 9, 30, tzinfo=UTC)  # a Thursday


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        (None, None, None),
        ("everything", None, None),
        ("today", "2026-05-14", None),
        ("yesterday", "2026-05-13", "2026-05-14"),
        ("this week", "2026-05-11", None),
        ("Last Week", "2026-05-04", "2026-05-11"),
        ("the last quarter", "2026-01-01", "2026-04-01"),
        ("for last month", "2026-04-01", "2026-05-01"),
        ("this year", "2026-01-01", None),
        ("last 7 days", "2026-05-07T09:30", None),
        ("the past three hours", "2026-05-14T06:30", None),
        ("last 2 months", "2026-03-14T09:30", None),
        ("past week", "2026-05-07T09:30", None),
        ("March", "2026-03-01", "2026-04-01"),
        ("in december", "2025-12-01", "2026-01-01"),
        ("March 2025", "2025-03-01", "2025-04-01"),
        ("2026-02", "2026-02-01", "2026-03-01"),
        ("Q1", "2026-01-01", "2026-04-01"),
        ("q4", "2025-10-01", "2026-01-01"),
        ("Q2 2025", "2025-04-01", "2025-07-01"),
        ("2025", "2025-01-01", "2026-01-01"),
        ("since 2026-01-15", "2026-01-15", None),
        ("since january", "2026-01-01", None),
        ("since monday", "2026-05-11", None),
        ("from 2026-01-01 to 2026-01-31", "2026-01-01", "2026-02-01"),
        ("between 2026-01-01 and 2026-01-02", "2026-01-01", "2026-01-03"),
        ("2026-05-01", "2026-05-01", "2026-05-02"),
    ],
)
def test_periods(text: str | None, start: str | None, end: str | None) -> None:
    span = parse_period(text, NOW)
    assert span.start == (_at(start) if start else None)
    assert span.end == (_at(end) if end else None)


@pytest.mark.parametrize(
    "text", ["whenever", "last fortnight of joy", "2026-13-40", "from 2026-02-01 to 2026-01-01"]
)
def test_what_is_not_understood_is_said(text: str) -> None:
    with pytest.raises(InvalidInput):
        parse_period(text, NOW)


def test_a_period_holds_its_start_and_not_its_end() -> None:
    span = parse_period("yesterday", NOW)
    assert span.holds(_at("2026-05-13"))
    assert not span.holds(_at("2026-05-14"))
