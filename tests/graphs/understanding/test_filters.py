"""What lists are narrowed to, and what they cannot be narrowed to."""

from __future__ import annotations

from typing import Any

import pytest

from graphs.understanding import Understanding
from graphs.understanding.parse_lines import FileNames


@pytest.mark.parametrize(
    ("said", "operation", "arguments"),
    [
        ("failed jobs of yesterday", "platform.jobs", {"status": "failed", "period": "yesterday"}),
        ("jobs since monday", "platform.jobs", {"period": "since monday"}),
        ("receipts that failed", "platform.receipts", {"status": "failed"}),
        ("receipts of today", "platform.receipts", {"period": "today"}),
        ("trainings of last week", "training.list", {"period": "last week"}),
        ("which trainings failed", "training.list", {"status": "failed"}),
        ("audit of yesterday", "platform.audit", {"period": "yesterday"}),
        ("what have you done so far", "platform.receipts", {}),
    ],
)
def test_jobs_and_receipts_are_narrowed_to_what_was_said(
    understanding: Understanding,
    names: FileNames,
    said: str,
    operation: str,
    arguments: dict[str, Any],
) -> None:
    (step,) = understanding.parse(said, names).steps
    assert (step.operation, step.arguments) == (operation, arguments)


@pytest.mark.parametrize(
    "said", ["approvals of today", "approvals of last week", "approvals since monday"]
)
def test_a_list_that_takes_no_time_says_so(
    understanding: Understanding, names: FileNames, said: str
) -> None:
    plan = understanding.parse(said, names)
    assert plan.abstained and plan.final
    assert "takes no time" in (plan.reply or "")
