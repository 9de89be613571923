"""Which steps of a plan are ready, what they are called with, and when they are not run."""

from __future__ import annotations

import pytest

from graphs.plan import Condition, Plan, Step, StepRef
from graphs.steps import StepState, arguments_for, blocked, holds, look_up, ready
from tools.kernel.errors import InvalidInput

TRAIN = Step(id="s1", operation="training.start", arguments={"dataset": "tickets"})
EVALUATE = Step(
    id="s2",
    operation="evaluation.run",
    arguments={"job": {"step": "s1", "field": "job"}, "split": "test"},
)
DEPLOY = Step(
    id="s3",
    operation="deployment.start",
    arguments={"group": "laptops"},
    depends_on=["s1"],
    condition=Condition(left=StepRef(step="s2", field="accuracy"), op=">", right=0.8, margin=0.02),
)
PLAN = Plan(steps=[TRAIN, EVALUATE, DEPLOY])


def done(**result: object) -> StepState:
    return StepState(status="done", result=dict(result))


def test_only_steps_whose_needs_have_ended_are_ready() -> None:
    assert [s.id for s in ready(PLAN, {})] == ["s1"]
    assert [s.id for s in ready(PLAN, {"s1": done(job=7)})] == ["s2"]
    assert [s.id for s in ready(PLAN, {"s1": done(job=7), "s2": done(accuracy=0.9)})] == ["s3"]


def test_independent_steps_are_ready_together() -> None:
    plan = Plan(steps=[TRAIN, TRAIN.model_copy(update={"id": "s2"})])
    assert [s.id for s in ready(plan, {})] == ["s1", "s2"]


def test_a_waiting_step_holds_back_what_needs_it() -> None:
    assert ready(PLAN, {"s1": StepState(status="waiting", approval="A1")}) == []


def test_references_become_the_real_values() -> None:
    assert arguments_for(EVALUATE, {"s1": done(job=7)}) == {"job": 7, "split": "test"}


def test_a_reference_to_a_missing_field_is_an_error_that_names_it() -> None:
    with pytest.raises(InvalidInput, match="'job'"):
        arguments_for(EVALUATE, {"s1": done()})


def test_dots_reach_into_nested_results() -> None:
    found = look_up(StepRef(step="s1", field="best.value"), {"s1": done(best={"value": 3})})
    assert found == 3


@pytest.mark.parametrize(("accuracy", "expected"), [(0.83, True), (0.82, False), (0.81, False)])
def test_a_margin_counts_on_the_right_side(accuracy: float, expected: bool) -> None:
    assert DEPLOY.condition is not None
    held, figures = holds(DEPLOY.condition, {"s2": done(accuracy=accuracy)})
    assert held is expected
    assert "0.82" in figures


def test_otherwise_is_the_other_branch_of_the_same_condition() -> None:
    assert DEPLOY.condition is not None
    other = DEPLOY.condition.model_copy(update={"otherwise": True})
    states = {"s2": done(accuracy=0.5)}
    assert holds(DEPLOY.condition, states)[0] is not holds(other, states)[0]


def test_a_step_whose_condition_fails_says_on_which_figures() -> None:
    reason = blocked(DEPLOY, {"s1": done(job=7), "s2": done(accuracy=0.5)})
    assert reason is not None
    assert "0.5" in reason


@pytest.mark.parametrize("status", ["failed", "skipped", "cancelled"])
def test_a_step_is_not_run_when_one_that_it_needs_did_not_succeed(status: str) -> None:
    reason = blocked(EVALUATE, {"s1": StepState(status=status)})  # pyright: ignore
    assert reason is not None
    assert "s1" in reason
