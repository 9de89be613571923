"""Times in sentences, on a fixed clock: a Wednesday afternoon in Berlin."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from graphs.understanding import ParsedPlan, Understanding
from graphs.understanding.parse_lines import FileNames, parse_turns

NOW = datetime(2026, 11, 25, 14, 10, tzinfo=ZoneInfo("Europe/Berlin"))


@pytest.fixture
def planned(understanding: Understanding, names: FileNames) -> Any:
    def parse(*turns: str) -> ParsedPlan:
        return parse_turns(turns, understanding, names, NOW)

    return parse


def schedule(plan: ParsedPlan) -> dict[str, Any]:
    """The one time of all steps, without words and zone."""
    assert plan.steps, plan
    first, *others = [s.schedule.model_dump() if s.schedule else {} for s in plan.steps]
    assert all(other == first for other in others)
    return {k: v for k, v in first.items() if k not in ("said", "zone")}


@pytest.mark.parametrize(
    ("said", "cron"),
    [
        ("every night at two", "0 2 * * *"),
        ("each night", "0 2 * * *"),
        ("nightly", "0 2 * * *"),
        ("every evening at eight", "0 20 * * *"),
        ("every afternoon at 3", "0 15 * * *"),
        ("daily at 6am", "0 6 * * *"),
        ("every day at noon", "0 12 * * *"),
        ("hourly", "0 * * * *"),
        ("every 6 hours", "0 */6 * * *"),
        ("every half hour", "*/30 * * * *"),
        ("every monday at 9", "0 9 * * 1"),
        ("on mondays and fridays at quarter to ten", "45 9 * * 1,5"),
        ("on weekdays at 7:30", "30 7 * * 1-5"),
        ("from monday to friday at 22:00", "0 22 * * 1-5"),
        ("weekly on tuesday at 5 pm", "0 17 * * 2"),
        ("on the first of every month", "0 8 1 * *"),
        ("every month on the 15th at noon", "0 12 15 * *"),
        ("on the last day of every month at 23:30", "30 23 l * *"),
        ("twice a day", "0 0,12 * * *"),
        ("once a day at 5 am", "0 5 * * *"),
        ("once a week", "0 8 * * 1"),
        ("once a month", "0 8 1 * *"),
        ("every year", "0 8 1 1 *"),
        ("evry nite at 3", "0 3 * * *"),
    ],
)
def test_a_clock_before_and_after_the_act(planned: Any, said: str, cron: str):
    for sentence in (f"{said}, train on tickets", f"train on tickets {said}"):
        plan = planned(sentence)
        assert schedule(plan) == {"every": cron}, sentence
        assert plan.steps[0].arguments == {"dataset": "tickets"}


@pytest.mark.parametrize(
    ("said", "cron", "weeks", "start"),
    [
        ("every other monday at 07:00", "0 7 * * 1", 2, "2026-11-30"),
        ("every second friday at 6 pm", "0 18 * * 5", 2, "2026-11-27"),
        ("every two weeks on thursday at 9", "0 9 * * 4", 2, "2026-11-26"),
        ("every other tuesday and friday at 9", "0 9 * * 2,5", 2, "2026-11-27"),
        ("every 3 weeks", "0 8 * * 1", 3, "2026-11-30"),
        ("fortnightly on wednesdays at 15:00", "0 15 * * 3", 2, "2026-11-25"),
        ("every other week", "0 8 * * 1", 2, "2026-11-30"),
    ],
)
def test_every_other_week_is_counted_from_its_first_day(
    planned: Any, said: str, cron: str, weeks: int, start: str
):
    for sentence in (f"{said} train on tickets", f"train on tickets {said}"):
        plan = planned(sentence)
        wanted = {"every": cron, "weeks": weeks, "start": f"{start}T00:00:00+01:00"}
        assert schedule(plan) == wanted, sentence
        assert plan.steps[0].arguments == {"dataset": "tickets"}


@pytest.mark.parametrize(
    ("said", "at"),
    [
        ("tomorrow morning", "2026-11-26T08:00"),
        ("tomorrow at noon", "2026-11-26T12:00"),
        ("tonight", "2026-11-25T22:00"),
        ("tonight at 11", "2026-11-25T23:00"),
        ("tonight at 2", "2026-11-26T02:00"),
        ("this evening at 7", "2026-11-25T19:00"),
        ("in two hours", "2026-11-25T16:10"),
        ("in half an hour", "2026-11-25T14:40"),
        ("in 90 minutes", "2026-11-25T15:40"),
        ("next friday", "2026-11-27T08:00"),
        ("on friday at 5 pm", "2026-11-27T17:00"),
        ("at 2", "2026-11-26T02:00"),
        ("at 3", "2026-11-25T15:00"),
        ("at midnight", "2026-11-26T00:00"),
        ("on 2026-12-01 at 09:00", "2026-12-01T09:00"),
        ("on december 3rd", "2026-12-03T08:00"),
        ("the day after tomorrow at half past ten", "2026-11-27T10:30"),
        ("next week", "2026-11-30T08:00"),
        ("after 5pm", "2026-11-25T17:00"),
        ("after lunch tomorrow", "2026-11-26T13:00"),
    ],
)
def test_a_moment_before_and_after_the_act(planned: Any, said: str, at: str):
    for sentence in (f"{said} train on tickets", f"train on tickets {said}"):
        plan = planned(sentence)
        assert schedule(plan) == {"at": f"{at}:00+01:00"}, sentence
        assert plan.steps[0].arguments == {"dataset": "tickets"}


@pytest.mark.parametrize(
    ("said", "trigger"),
    [
        ("when job 31 has finished, evaluate it on tickets", {"after_job": 31}),
        ("evaluate it on tickets once job 31 is done", {"after_job": 31}),
        ("after job 31 evaluate it on tickets", {"after_job": 31}),
        (
            "if job 31 succeeds, evaluate it on tickets",
            {"after_job": 31, "on": "success"},
        ),
    ],
)
def test_it_is_the_job_that_is_waited_for(planned: Any, said: str, trigger: dict[str, Any]):
    plan = planned(said)
    assert schedule(plan) == trigger
    assert plan.steps[0].arguments == {"dataset": "tickets", "job": 31}


def test_why_a_job_failed_is_asked_when_it_fails(planned: Any):
    plan = planned("when job 31 fails, tell me why")
    assert schedule(plan) == {"after_job": 31, "on": "failure"}
    assert [(s.operation, s.arguments) for s in plan.steps] == [("training.status", {"job": 31})]


def test_a_step_of_the_same_sentence_is_waited_for_without_a_schedule(planned: Any):
    plan = planned("train on tickets and when it has finished evaluate it on chat-turns")
    assert [s.operation for s in plan.steps] == ["training.start", "evaluation.run"]
    assert plan.steps[1].depends_on == ["s1"]
    assert schedule(plan) == {}


def test_a_plan_of_several_steps_with_a_condition_is_for_then_as_a_whole(planned: Any):
    plan = planned(
        "every night at two train on tickets, evaluate it and if it beats the champion "
        "make it the challenger"
    )
    assert schedule(plan) == {"every": "0 2 * * *"}
    assert plan.steps[-1].operation == "registry.promote" and plan.steps[-1].condition


@pytest.mark.parametrize(
    ("said", "every", "start", "until"),
    [
        ("every night at two starting monday train on tickets", "0 2 * * *", "2026-11-30", ""),
        ("from tomorrow on train on tickets every night", "0 2 * * *", "2026-11-26", ""),
        ("beginning next month, train on tickets every monday", "0 8 * * 1", "2026-12-01", ""),
        ("daily as of 4 jan train on tickets", "0 8 * * *", "2027-01-04", ""),
        ("train on tickets daily, not before friday", "0 8 * * *", "2026-11-27", ""),
        ("every day starting 2026-12-01 at 9 train on tickets", "0 9 * * *", "2026-12-01", ""),
        ("every night until friday train on tickets", "0 2 * * *", "", "2026-11-27"),
        ("train on tickets every friday until christmas", "0 8 * * 5", "", "2026-12-25"),
        ("every friday train on tickets till 1 March", "0 8 * * 5", "", "2027-03-01"),
        ("evry nite at 3 untill end of january train on tickets", "0 3 * * *", "", "2027-01-31"),
        ("train on tickets weekdays at 7 through dec 18th", "0 7 * * 1-5", "", "2026-12-18"),
        ("train on tickets hourly before sunday", "0 * * * *", "", "2026-11-28"),
        ("train daily from 1 dec to 24 dec on tickets", "0 8 * * *", "2026-12-01", "2026-12-24"),
        (
            "train on tickets every night, starting on the 15th and ending on the 20th",
            "0 2 * * *",
            "2026-12-15",
            "2026-12-20",
        ),
    ],
)
def test_a_first_and_a_last_day_are_kept(
    planned: Any, said: str, every: str, start: str, until: str
):
    bounds = {"start": f"{start}T00:00:00+01:00"} if start else {}
    bounds |= {"until": f"{until}T23:59:59+01:00"} if until else {}
    assert schedule(planned(said)) == {"every": every, **bounds}


@pytest.mark.parametrize(
    "said",
    [
        "write a report for the board about last week",
        "engineering report since monday",
        "write the weekly report for legal",
        "deploy ticket-router v3 to the kiosks as a canary at 10 percent",
        "what is the status of job 31",
        "is the rollout on the kiosks done?",
    ],
)
def test_what_is_no_time_of_the_act_stays_an_argument(planned: Any, said: str):
    assert schedule(planned(said)) == {}


@pytest.mark.parametrize(
    "said",
    [
        "train on tickets every other day",
        "train on tickets every second monday of the month",
        "train on tickets every 60 weeks",
        "train on tickets every 45 minutes",
        "every night until noon train on tickets",
        "every friday until easter train on tickets",
        "every friday train on tickets until next week",
        "every night train on tickets except on sundays",
        "every monday freeze the kiosks until friday",
        "every night until 1 march 2026 train on tickets",
        "train on tickets every day until it is good enough",
        "pause the rollout on the kiosks until tomorrow",
        "train on tickets tomorrow and evaluate it on friday",
        "train on tickets, then deploy it to the kiosks tomorrow at 9",
        "train on tickets whenever new data arrives",
        "every day at 25:00 train on tickets",
        "train on tickets tomorrow at 7:75",
        "when the canary looks healthy, roll out ticket-router v4 to the kiosks",
        "remind me to check the canary tomorrow",
        "tell me when job 31 is done",
    ],
)
def test_what_cannot_be_kept_is_refused_and_never_done_now(planned: Any, said: str):
    plan = planned(said)
    assert plan.steps == [] and plan.abstained and plan.final and plan.reply


def test_what_is_missing_is_asked_first_and_the_time_is_kept(planned: Any):
    asked = planned("deploy ticket-router v3 tonight")
    assert asked.question is not None and asked.question.slot == "group"
    answered = planned("deploy ticket-router v3 tonight", "kiosks")
    assert schedule(answered) == {"at": "2026-11-25T22:00:00+01:00"}


def test_the_time_itself_is_asked_for(planned: Any):
    asked = planned("schedule a training on tickets")
    assert (asked.question.operation, asked.question.slot) == ("schedules.create", "timing")
    answered = planned("schedule a training on tickets", "every night at two")
    assert schedule(answered) == {"every": "0 2 * * *"}


def test_an_unknown_job_is_asked_for(planned: Any):
    asked = planned("when job 99 is done list the models")
    assert asked.question is not None and "31" in asked.question.candidates
    answered = planned("when job 99 is done list the models", "job 32")
    assert schedule(answered) == {"after_job": 32}


def test_the_last_plan_is_moved_in_words(planned: Any):
    assert schedule(planned("train on tickets", "do that every night at 3 instead")) == {
        "every": "0 3 * * *"
    }
    assert schedule(planned("train on tickets every monday", "no, at 6 pm")) == {
        "every": "0 18 * * 1"
    }


def test_a_schedule_that_exists_is_managed_and_not_made(planned: Any):
    for said, operation in (
        ("cancel the nightly training", "schedules.cancel"),
        ("pause the weekly report", "schedules.pause"),
        ("cancel schedule 1", "schedules.cancel"),
        ("what is scheduled?", "schedules.list"),
        ("anything scheduled for tomorrow?", "schedules.list"),
    ):
        plan = planned(said)
        assert [s.operation for s in plan.steps] == [operation], said
        assert schedule(plan) == {}


def test_not_to_run_it_tonight_says_what_stays_scheduled(planned: Any):
    plan = planned("don't run that tonight")
    assert plan.steps == [] and "pause nightly-training" in plan.reply


def test_a_dry_run_keeps_its_time(planned: Any):
    plan = planned("what would happen if I deployed ticket-router v4 to the kiosks every night?")
    assert plan.dry_run and schedule(plan) == {"every": "0 2 * * *"}


@pytest.mark.parametrize(
    ("said", "until"),
    [
        ("train on tickets every night for two weeks", "2026-12-09T23:59:59+01:00"),
        ("every day at 16:00 for 3 days train on tickets", "2026-11-27T23:59:59+01:00"),
        ("for the next month, every friday, train on tickets", "2026-12-25T23:59:59+01:00"),
        ("every hour for 6 hours train on tickets", "2026-11-25T20:09:59+01:00"),
    ],
)
def test_a_length_beside_a_clock_is_its_end(planned: Any, said: str, until: str):
    assert schedule(planned(said))["until"] == until


def test_a_length_and_an_end_are_one_too_many(planned: Any):
    plan = planned("every night for two weeks until friday train on tickets")
    assert plan.abstained and "twice" in plan.reply


@pytest.mark.parametrize(
    "said",
    [
        "skip tomorrow's run of nightly-training",
        "skip nightly-training tomorrow",
        "don't run nightly-training tonight",
        "please skip the next run",
    ],
)
def test_a_single_run_is_not_left_out_and_the_way_round_is_told(planned: Any, said: str):
    plan = planned(said)
    assert plan.steps == [] and plan.final and "resume" in plan.reply


def test_a_limit_in_time_is_told_to_be_none_that_can_be_kept(planned: Any):
    plan = planned("deploy ticket-router v3 to the kiosks by tomorrow")
    assert plan.steps == [] and "limit in time" in plan.reply
