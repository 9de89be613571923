"""What a step's figures lead to: pure, without devices."""

from __future__ import annotations

import random
from datetime import UTC, datetime

import pytest

from tools.deployment.judging import BREACH, GOOD, HOLD, Former, Judged, Seen, Told, judge
from tools.deployment.sequential import evidence_above, mean_interval
from tools.deployment.times import moment_said, opens_in
from tools.evaluation.sequential import Counted
from tools.kernel.errors import InvalidInput

MANY = 100
GOOD_FORMER = Former(requests=2000, errors=4, confidence=1800.0)


def seen(count: int, **more: object) -> list[Seen]:
    return [Seen(f"d{n}", there=True, **more) for n in range(count)]  # type: ignore[arg-type]


def names(judged: Judged) -> list[str]:
    return [m.name for m in judged.metrics if m.verdict == BREACH]


def test_one_failure_among_few_is_a_breach_and_among_many_is_not() -> None:
    few = judge([*seen(2), Seen("bad", failed="it refused")], Former(), 0)
    assert few.verdict == BREACH and few.reasons == {"bad": "it refused"}
    many = judge([*seen(MANY), Seen("bad", failed="it refused")], Former(), 0)
    assert many.verdict == GOOD
    broken = [Seen(f"bad{n}", failed="it refused") for n in range(8)]
    assert judge([*seen(MANY), *broken], Former(), 0).verdict == BREACH


def test_too_little_data_holds_and_says_how_little() -> None:
    judged = judge(seen(3, requests=5, confidence=4.5), GOOD_FORMER, 30)
    assert (judged.verdict, judged.says) == (HOLD, "too little data: 15 of 30 answers")


def test_failing_answers_are_compared_with_what_the_former_model_fails() -> None:
    failing = seen(10, requests=100, errors=6, confidence=84.0)
    assert names(judge(failing, GOOD_FORMER, 30)) == ["failed answers"]
    usual = Former(requests=2000, errors=120, confidence=1700.0)
    assert judge(failing, usual, 30).verdict == GOOD


def test_a_model_that_has_become_unsure_or_slow_is_a_breach() -> None:
    unsure = judge(seen(10, requests=200, confidence=120.0), GOOD_FORMER, 30)
    assert names(unsure) == ["confidence"] and "confidence" in unsure.reasons
    slow = judge(seen(10, requests=200, confidence=180.0, slower=True), GOOD_FORMER, 30)
    assert names(slow) == ["slower devices"]


def test_delayed_labels_that_are_surely_worse_are_a_breach_and_a_few_bad_ones_are_not() -> None:
    healthy = seen(10, requests=200, confidence=180.0)
    worse = Told(Counted(180, 200), Counted(110, 200))
    judged = judge(healthy, GOOD_FORMER, 30, told=worse)
    assert names(judged) == ["wrong outcomes"]
    assert "wrong outcomes 45.0%, above the limit of 15.0% (200 outcomes)" in judged.says
    for told in (
        Told(Counted(180, 200), Counted(172, 200)),
        Told(Counted(19, 20), Counted(1, 3)),
        Told(new=Counted(0, 40)),
    ):
        assert judge(healthy, GOOD_FORMER, 30, told=told).verdict == GOOD


def test_a_shadow_is_judged_by_how_often_it_agrees() -> None:
    agreeing = judge(seen(3, compared=100, agreed=95), GOOD_FORMER, 30, shadow=True)
    assert agreeing.verdict == GOOD
    other = judge(seen(3, compared=100, agreed=40), GOOD_FORMER, 30, shadow=True)
    assert names(other) == ["disagreement"]
    assert judge(seen(3), GOOD_FORMER, 30, shadow=True).verdict == HOLD


def test_looking_after_every_trial_alarms_no_more_often_than_was_promised() -> None:
    drawn = random.Random(5)
    alarms = 0
    for _ in range(300):
        events = 0
        for trial in range(1, 301):
            events += drawn.random() < 0.05
            if evidence_above(events, trial, 0.05) >= 20:
                alarms += 1
                break
    assert alarms <= 24  # 5 % are 15; more than 24 happen by chance once in 100 times


def test_an_interval_narrows_and_keeps_its_mean() -> None:
    wide, narrow = mean_interval(40.0, 50), mean_interval(4000.0, 5000)
    assert wide.low < 0.8 < wide.high and narrow.high - narrow.low < wide.high - wide.low
    assert (mean_interval(0.0, 0).low, mean_interval(0.0, 0).high) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("window", "hour", "seconds"),
    [
        (None, 12, 0),
        ("22:00-06:00", 23, 0),
        ("22:00-06:00", 3, 0),
        ("22:00-06:00", 12, 36_000),
        ("09:00-17:00", 18, 54_000),
        ("9:00-17:00", 8, 3600),
    ],
)
def test_a_window_opens_when_it_says(window: str | None, hour: int, seconds: int) -> None:
    assert opens_in(window, datetime(2031, 5, 7, hour, tzinfo=UTC)) == seconds


@pytest.mark.parametrize(
    ("said", "day", "hour"),
    [
        ("monday", 12, 0),
        ("until Friday 18:00", 9, 18),
        ("tomorrow 9:00", 8, 9),
        ("18:30", 7, 18),
        ("3 days", 10, 12),
        ("2031-06-01", 1, 0),
        ("wednesday", 14, 0),
    ],
)
def test_a_moment_is_read_as_people_say_it(said: str, day: int, hour: int) -> None:
    found = moment_said(said, datetime(2031, 5, 7, 12, tzinfo=UTC))  # a Wednesday
    assert (found.day, found.hour) == (day, hour)


@pytest.mark.parametrize("said", ["whenever", "2020-01-01", "25:00", ""])
def test_a_moment_that_is_none_or_over_is_refused(said: str) -> None:
    with pytest.raises(InvalidInput):
        moment_said(said, datetime(2031, 5, 7, 12, tzinfo=UTC))
