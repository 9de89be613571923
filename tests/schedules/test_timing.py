"""Wall clocks, nights in which they jump, and times in words."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from zoneinfo import ZoneInfo

import pytest
from pydantic import ValidationError

from tools.schedules.timing import Timing, in_words, next_due, upcoming

BERLIN = ZoneInfo("Europe/Berlin")


def due(cron: str, after: datetime, count: int = 3, zone: str = "Europe/Berlin") -> list[str]:
    ticks = upcoming(Timing(every=cron, zone=zone), after)
    return [f"{at:%d %b %H:%M %z}" for at in islice(ticks, count)]


def test_a_time_is_read_on_the_wall_of_its_zone():
    after = datetime(2026, 7, 1, 12, tzinfo=ZoneInfo("UTC"))
    assert due("0 9 * * *", after, 1) == ["02 Jul 09:00 +0200"]
    assert due("0 9 * * *", after, 1, "America/New_York") == ["01 Jul 09:00 -0400"]


def test_a_time_that_a_jump_forward_leaves_out_is_due_at_the_end_of_the_hour():
    assert due("30 2 * * *", datetime(2026, 3, 28, 12, tzinfo=BERLIN)) == [
        "29 Mar 03:00 +0200", "30 Mar 02:30 +0200", "31 Mar 02:30 +0200",
    ]  # fmt: skip


def test_a_time_that_comes_twice_in_a_night_is_due_once():
    assert due("30 2 * * *", datetime(2026, 10, 24, 12, tzinfo=BERLIN)) == [
        "25 Oct 02:30 +0200", "26 Oct 02:30 +0100", "27 Oct 02:30 +0100",
    ]  # fmt: skip


def test_every_hour_goes_on_through_a_night_of_twenty_five():
    assert due("0 * * * *", datetime(2026, 10, 25, 1, 30, tzinfo=BERLIN)) == [
        "25 Oct 02:00 +0200", "25 Oct 02:00 +0100", "25 Oct 03:00 +0100",
    ]  # fmt: skip


def test_a_clock_of_every_other_week_keeps_its_weeks_over_the_turn_of_the_year_and_of_the_clock():
    timing = Timing(
        every="0 7 * * 1", weeks=2, start="2026-12-07T00:00:00+01:00", zone="Europe/Berlin"
    )
    ticks = list(islice(upcoming(timing, datetime(2026, 11, 25, tzinfo=BERLIN)), 9))
    assert [f"{at:%d %b %H:%M}" for at in ticks[:3]] == [
        "07 Dec 07:00", "21 Dec 07:00", "04 Jan 07:00",
    ]  # fmt: skip
    assert f"{ticks[-1]:%d %b %H:%M %z}" == "29 Mar 07:00 +0200"
    later = datetime(2026, 12, 22, tzinfo=BERLIN)
    assert f"{next(upcoming(timing, later)):%d %b %H:%M}" == "04 Jan 07:00"


def test_weeks_are_counted_from_a_start_only():
    with pytest.raises(ValidationError, match="counted from a start"):
        Timing(every="0 7 * * 1", weeks=2)


def test_a_moment_is_due_once_and_never_again():
    timing = Timing(at="2026-11-26T08:00:00+01:00", zone="Europe/Berlin")
    assert next_due(timing, datetime(2026, 11, 25, tzinfo=BERLIN)) is not None
    assert next_due(timing, datetime(2026, 11, 27, tzinfo=BERLIN)) is None


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"every": "0 2 * * *"}, "every day at 02:00 (Europe/Berlin)"),
        ({"every": "30 7 * * 1-5"}, "from Monday to Friday at 07:30 (Europe/Berlin)"),
        ({"every": "0 9 * * 1,4"}, "every Monday and Thursday at 09:00 (Europe/Berlin)"),
        (
            {"every": "0 7 * * 1", "weeks": 2, "start": "2026-11-30T00:00:00+01:00"},
            "in every second week, every Monday at 07:00 (Europe/Berlin), from Mon 30 Nov 2026 on",
        ),
        ({"every": "0 */6 * * *"}, "every 6 hours from midnight on (Europe/Berlin)"),
        ({"every": "0 8 l * *"}, "every month on the last day at 08:00 (Europe/Berlin)"),
        ({"every": "5 4 1 1 *"}, "on the clock 5 4 1 1 * (Europe/Berlin)"),
        (
            {"at": "2026-11-26T07:00:00+00:00"},
            "once, on Thu 26 Nov 2026 08:00 (Europe/Berlin)",
        ),
    ],
)
def test_it_is_told_in_words(given, told):
    assert in_words(Timing(**given, zone="Europe/Berlin")) == told


def test_a_jobs_end_is_told_in_words():
    assert in_words(Timing(after_job=7, on="failure")) == "when job 7 has failed"


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"every": "0 2 * * *", "after_job": 7},
        {"every": "every night"},
        {"every": "0 2 * *"},
        {"every": "61 2 * * *"},
        {"at": "2026-11-26T08:00:00"},
        {"at": "tomorrow"},
        {"every": "0 2 * * *", "zone": "Europe/Atlantis"},
        {"every": "0 2 * * *", "on": "failure"},
        {"after_job": 0},
    ],
)
def test_what_is_no_time_is_refused(wrong):
    with pytest.raises(ValidationError):
        Timing(**wrong)


def test_nothing_is_due_before_its_start_nor_after_its_end():
    timing = Timing(
        every="0 0 * * *",
        start="2026-12-01T00:00:00+01:00",
        until="2026-12-02T23:59:59+01:00",
        zone="Europe/Berlin",
    )
    ticks = list(upcoming(timing, datetime(2026, 11, 25, tzinfo=BERLIN)))
    assert [f"{at:%d %b %H:%M}" for at in ticks] == ["01 Dec 00:00", "02 Dec 00:00"]
    assert next_due(timing, ticks[-1]) is None


@pytest.mark.parametrize(
    ("bounds", "told"),
    [
        ({"start": "2026-11-30T00:00:00+01:00"}, "from Mon 30 Nov 2026 on"),
        ({"until": "2026-12-25T23:59:59+01:00"}, "up to and including Fri 25 Dec 2026"),
        ({"until": "2026-12-09T14:09:59+01:00"}, "until Wed 09 Dec 2026 14:09"),
    ],
)
def test_its_first_and_its_last_day_are_told(bounds, told):
    said = in_words(Timing(every="0 2 * * *", zone="Europe/Berlin", **bounds))
    assert said == f"every day at 02:00 (Europe/Berlin), {told}"


@pytest.mark.parametrize(
    "given",
    [
        {"at": "2026-11-26T08:00:00+01:00", "until": "2026-12-25T23:59:59+01:00"},
        {"every": "0 2 * * *", "start": "2026-12-01"},
        {
            "every": "0 2 * * *",
            "start": "2026-12-02T00:00:00+01:00",
            "until": "2026-12-01T00:00:00+01:00",
        },
    ],
)
def test_bounds_belong_to_a_clock_and_are_in_order(given):
    with pytest.raises(ValidationError):
        Timing(**given)
