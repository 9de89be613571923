"""A language model's plan is never carried out now when the sentence said a time."""

from __future__ import annotations

from graphs.arranging import arranged, timed_as
from graphs.plan import Plan, Step
from graphs.understanding import ParsedPlan
from tools.schedules.timing import Timing

NIGHTLY = Timing(every="0 2 * * *", zone="UTC", said="every night at two")


def test_a_drafted_plan_gets_the_time_that_was_said():
    drafted = Plan(text="x", steps=[Step(id="s1", operation="datasets.list")])
    timed = timed_as(ParsedPlan(abstained=True, when=NIGHTLY), drafted)
    assert [s.schedule for s in timed.steps] == [NIGHTLY]
    (step,) = arranged(timed).steps
    assert step.operation == "schedules.create"
    assert step.arguments["steps"][0]["operation"] == "datasets.list"


def test_an_open_task_is_refused_for_later():
    drafted = Plan(text="x", steps=[Step(id="s1", operation="agent.trainer")])
    timed = timed_as(ParsedPlan(abstained=True, when=NIGHTLY), drafted)
    assert timed.steps == [] and timed.abstained and timed.reply


def test_a_plan_without_a_time_stays_as_it_is():
    drafted = Plan(text="x", steps=[Step(id="s1", operation="datasets.list")])
    assert timed_as(ParsedPlan(abstained=True), drafted) == drafted
    assert arranged(drafted) == drafted
