"""What words point at: `the last run` is the newest training, `are there` is no place."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from graphs.understanding import Understanding
from graphs.understanding.conversation import ConversationState, Focus
from graphs.understanding.names import NameView
from tools.kernel.entities import EntityKind, EntityName

JOBS = [
    EntityName("9", (), "datasets.profile"),
    EntityName("8", (), "training.start"),
    EntityName("7", (), "evaluation.run"),
    EntityName("3", (), "training.start"),
]


class Names:
    """Two trainings, and other jobs around them."""

    def names(self, kind: EntityKind) -> Sequence[EntityName]:
        known = {
            EntityKind.JOB: JOBS,
            EntityKind.DATASET: [EntityName("tickets")],
            EntityKind.DEVICE_GROUP: [EntityName("laptops")],
        }
        return known.get(kind, [])


@pytest.fixture
def names() -> NameView:
    return Names()


@pytest.mark.parametrize(
    "text",
    [
        "register the last run as support-router",
        "register latest training as support-router",
        "put the most recent run into the registry as support-router",
    ],
)
def test_the_last_run_is_the_newest_training(
    understanding: Understanding, names: NameView, text: str
) -> None:
    (step,) = understanding.parse(text, names).steps
    assert step.operation == "registry.register"
    assert step.arguments == {"job": 8, "model": "support-router"}


def test_the_last_run_is_evaluated_where_no_model_is_named(
    understanding: Understanding, names: NameView
) -> None:
    (step,) = understanding.parse("evaluate the last run on tickets", names).steps
    assert (step.operation, step.arguments) == (
        "evaluation.run",
        {"job": 8, "dataset": "tickets"},
    )


def test_what_is_about_the_running_job_names_no_job_that_may_have_ended(
    understanding: Understanding, names: NameView
) -> None:
    (step,) = understanding.parse("cancel the last run", names).steps
    assert (step.operation, step.arguments) == ("platform.cancel_job", {})


def test_a_question_for_a_training_offers_trainings_alone(
    understanding: Understanding, names: NameView
) -> None:
    question = understanding.parse("register a training as support-router", names).question
    assert question is not None and question.candidates == ["8", "3"]


def test_nothing_is_registered_only_to_be_read_of(
    understanding: Understanding, names: NameView
) -> None:
    plan = understanding.parse("show the evaluation results of the last run", names)
    assert all(step.operation != "registry.register" for step in plan.steps)


def test_there_is_a_place_only_where_it_is_one(
    understanding: Understanding, names: NameView
) -> None:
    group = Focus(kind=EntityKind.DEVICE_GROUP, value="laptops", via="devices.enroll", made=True)
    state = ConversationState(focus=[group])
    (listed,) = understanding.parse("which devices are there?", names, state).steps
    (asked,) = understanding.parse("how are the devices there?", names, state).steps
    assert (listed.arguments, asked.arguments) == ({}, {"group": "laptops"})
