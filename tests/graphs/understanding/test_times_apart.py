"""A time of day that stands at the end belongs to the `nightly` at the beginning."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from graphs.understanding import Understanding
from graphs.understanding.parse_lines import FileNames, parse_turns

NOW = datetime(2026, 11, 25, 14, 10, tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(
    ("text", "operation", "cron"),
    [
        (
            "set up a nightly retrain of ticket-router on tickets at 3",
            "training.start",
            "0 3 * * *",
        ),
        ("schedule a daily evaluation of ticket-router at 7:30", "evaluation.run", "30 7 * * *"),
        ("i want a weekly drift check of ticket-router at 9pm", "evaluation.drift", "0 21 * * 1"),
        ("set up a daily report for the board at 8am", "reporting.summary", "0 8 * * *"),
        ("daily summary for the board at seven please", "reporting.summary", "0 7 * * *"),
    ],
)
def test_it_is_kept_together_with_what_comes_again(
    understanding: Understanding, names: FileNames, text: str, operation: str, cron: str
) -> None:
    (step,) = parse_turns([text], understanding, names, NOW).steps
    assert step.operation == operation
    assert step.schedule is not None and step.schedule.every == cron


def test_a_daily_report_without_a_time_is_written_now(
    understanding: Understanding, names: FileNames
) -> None:
    (step,) = parse_turns(["write the daily report for the board"], understanding, names, NOW).steps
    assert (step.operation, step.schedule) == ("reporting.summary", None)
