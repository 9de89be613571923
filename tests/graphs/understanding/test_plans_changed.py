"""What is said next changes a plan that waits: conditions, an order, values, fewer steps."""

from __future__ import annotations

import pytest

from graphs.understanding import Understanding
from graphs.understanding.parse_lines import as_line
from tests.graphs.understanding.conftest import Says
from tools.kernel.operations import Effect

DEPLOY = "deploy ticket-router v4 to the kiosks"
DEPLOYED = {"model": "ticket-router", "version": 4, "group": "kiosks"}
MEASURED = "evaluate ticket-router v4, then promote it to staging"


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ("only 10 percent, and blue-green please", {"percent": 10, "strategy": "blue_green"}),
        ("make that version 3, but on the thinkpads", {"version": 3, "group": "thinkpads"}),
        ("25 percent will do", {"percent": 25}),
        ("actually blue-green is safer", {"strategy": "blue_green"}),
        ("make it a shadow rollout", {"strategy": "shadow"}),
        ("only the ones on wifi that have 8 GB or more", {"network": "wifi", "min_memory_gb": 8}),
        ("hm no, the champion", {"version": 2}),
    ],
)
def test_each_change_of_a_sentence_is_put_in(
    says: Says, change: str, expected: dict[str, object]
) -> None:
    [step] = says(DEPLOY, change).steps
    assert step.operation == "deployment.start"
    assert step.arguments == {**DEPLOYED, **expected}


@pytest.mark.parametrize(
    ("turns", "kept"),
    [
        (("deploy ticket-router v4 to the kiosks and the thinkpads", "leave the kiosks out"), 1),
        (("archive ticket-router 1 and 3", "keep v3 as it is for now"), 1),
        (("train on tickets, register it as sorter", "skip the registration, i do it by hand"), 1),
    ],
)
def test_what_is_left_out_is_not_done_and_the_rest_is(
    says: Says, turns: tuple[str, str], kept: int
) -> None:
    whole, fewer = says(turns[0]), says(*turns)
    assert len(fewer.steps) == kept < len(whole.steps)
    assert all(step in whole.steps for step in fewer.steps)


def test_a_limit_is_dropped_and_nothing_else(says: Says) -> None:
    limited = "deploy ticket-router v4 to the kiosks with 6 GB or more"
    assert says(limited).steps[0].arguments == {**DEPLOYED, "min_memory_gb": 6}
    assert says(limited, "drop the memory limit").steps[0].arguments == DEPLOYED


@pytest.mark.parametrize(
    ("condition", "field", "right"),
    [
        ("only if the accuracy is above 0.9", "accuracy", 0.9),
        ("but just if it gets at least 85 percent, otherwise don't", "accuracy", 0.85),
    ],
)
def test_a_plan_that_waits_takes_a_condition(
    says: Says, condition: str, field: str, right: float
) -> None:
    measure, act = says(MEASURED, condition).steps
    assert (measure.operation, act.operation) == ("evaluation.run", "registry.promote")
    assert act.condition is not None and measure.condition is None
    assert (act.condition.left.field, act.condition.right) == (field, right)


@pytest.mark.parametrize(
    ("turns", "measure", "act"),
    [
        (
            ("make ticket-router v3 champion", "as long as its better than v2"),
            "evaluation.compare",
            "registry.promote",
        ),
        (
            ("roll back the kiosks", "only if the thinkpads are fine"),
            "devices.health",
            "deployment.rollback",
        ),
    ],
)
def test_what_a_condition_speaks_of_is_measured_before_the_act(
    says: Says, turns: tuple[str, str], measure: str, act: str
) -> None:
    first, then = says(*turns).steps
    assert (first.operation, then.operation) == (measure, act)
    assert then.condition is not None and then.condition.left.step == first.id


def test_the_bound_of_a_condition_can_be_corrected(says: Says) -> None:
    plan = says("evaluate ticket-router v4 and if accuracy is over 0.85 promote it to staging",
                "make that 0.88")  # fmt: skip
    assert [s.condition.right for s in plan.steps if s.condition] == [0.88]


@pytest.mark.parametrize(
    ("said", "first"),
    [
        ("before that, evaluate it", "evaluation.run"),
        ("but check its drift before you do that", "evaluation.drift"),
        ("freeze the thinkpads first", "deployment.freeze"),
    ],
)
def test_a_step_is_put_before_what_waits(says: Says, said: str, first: str) -> None:
    before, act = says(DEPLOY, said).steps
    assert before.operation == first
    assert (act.operation, act.arguments) == ("deployment.start", DEPLOYED)
    assert act.depends_on == [before.id]


def test_a_look_that_is_wanted_first_does_not_carry_the_act_along(says: Says) -> None:
    plan = says("roll back the kiosks", "wait, failed jobs first")
    assert [s.operation for s in plan.steps] == ["platform.jobs"]


def test_a_version_that_is_not_there_is_asked_about(says: Says) -> None:
    plan = says(DEPLOY, "no, v9")
    assert plan.question is not None and plan.question.slot == "version" and not plan.steps
    assert "no version 9" in plan.question.text


@pytest.mark.parametrize(
    ("turns", "slot"),
    [
        ((DEPLOY, "and to the trams as well"), "group"),
        (("train a new model", "on weather-logs"), "dataset"),
    ],
)
def test_a_name_that_nobody_knows_is_asked_about(
    says: Says, turns: tuple[str, ...], slot: str
) -> None:
    plan = says(*turns)
    assert plan.question is not None and plan.question.slot == slot
    assert "I know no" in plan.question.text


def test_what_is_called_wrong_is_dropped_and_a_yes_does_nothing(says: Says) -> None:
    told, then = says(DEPLOY, "wrong group"), says(DEPLOY, "wrong group", "yes")
    assert not told.steps and "Which group is right?" in (told.reply or "")
    assert not then.steps
    assert says(DEPLOY, "wrong group", "the thinkpads").steps[0].arguments["group"] == "thinkpads"


def test_a_training_that_waits_is_estimated_where_its_time_is_asked_for(says: Says) -> None:
    [step] = says("train on tickets for 4 epochs", "how long would that take?").steps
    assert (step.operation, step.arguments) == (
        "training.estimate",
        {"dataset": "tickets", "epochs": 4},
    )


def test_what_was_estimated_is_what_is_started(says: Says) -> None:
    plan = says("estimate a full fine-tune on tickets with 5 epochs, and if it takes less than "
                "two hours, start it")  # fmt: skip
    estimate, start = plan.steps
    assert start.arguments == estimate.arguments and start.arguments["method"] == "full"
    assert start.condition is not None
    assert (start.condition.left.field, start.condition.right) == ("seconds", 7200)


@pytest.mark.parametrize(
    "said", ["tp-14 got stolen on monday, retire it", "retire tp-14, it broke over the weekend"]
)
def test_when_something_happened_is_not_when_it_is_acted_on(says: Says, said: str) -> None:
    [step] = says(said).steps
    assert (step.operation, step.schedule) == ("devices.retire", None)


@pytest.mark.parametrize(
    "said",
    ["cancel the shrinking of ticket-router", "stop the evaluation", "stop the tuning of tickets"],
)
def test_stopping_work_never_begins_it_nor_stops_other_work(
    says: Says, understanding: Understanding, said: str
) -> None:
    plan = says(said)
    assert not plan.steps or all(
        understanding.operations.get(s.operation).effect is Effect.READ for s in plan.steps
    )


@pytest.mark.parametrize("said", ["don't roll back the kiosks yet", "thanks", "order a pizza"])
def test_the_format_says_abstained_where_nothing_is_planned_or_asked(says: Says, said: str) -> None:
    line = as_line(says(said))
    assert line["abstained"] and not line["steps"] and line["question"] is None


def test_the_same_for_another_with_another_amount(says: Says) -> None:
    [step] = says("show me the errors of ticket-router v3", "same for 2, but twenty of them").steps
    assert step.arguments == {"model": "ticket-router", "version": 2, "limit": 20}


def test_a_question_to_the_documents_goes_on(says: Says) -> None:
    [step] = says("what do the docs say about retention?", "and about backups?").steps
    assert step.operation == "knowledge.ask"
    assert step.arguments["question"] == "what do the docs say about backups?"


def test_a_plan_on_named_devices_is_taken_up_by_their_name(says: Says) -> None:
    [step] = says(DEPLOY, "which approvals are pending?", "ok back to the kiosks, take v3").steps
    assert step.arguments == {**DEPLOYED, "version": 3}
