"""How a training ends, how what runs is asked after, and which job or trial is meant."""

from __future__ import annotations

import json
from typing import Any

import pytest

from graphs.understanding import Understanding
from graphs.understanding.parse_lines import FileNames, parse_turns
from tests.graphs.understanding.conftest import CATALOGUE

_DONE = {"name": "61", "of": "training.start", "state": "done"}
_TUNED = {"name": "64", "of": "training.tune", "state": "done"}
_LATER = {"name": "67", "of": "training.start", "state": "done"}
_CANCELLED = {"name": "70", "of": "training.start", "state": "cancelled"}
_RUNNING = {"name": "71", "of": "training.start", "state": "running"}
_MEASURING = {"name": "72", "of": "evaluation.run", "state": "running"}


def with_jobs(*jobs: dict[str, str]) -> FileNames:
    """The usual catalogue with these jobs."""
    return FileNames({**json.loads(CATALOGUE.read_text()), "job": [*jobs]})


JOBS = (_DONE, _TUNED, _LATER, _CANCELLED)


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("train on tickets for at most 5 minutes", {"max_minutes": 5}),
        ("train on tickets, at most 5 minutes", {"max_minutes": 5}),
        ("train on tickets with a time limit of 10 minutes", {"max_minutes": 10}),
        ("train on tickets and stop after half an hour", {"max_minutes": 30}),
        ("train on tickets for 3 epochs but no longer than an hour",
         {"epochs": 3, "max_minutes": 60}),
        ("train on tickets, stop after 3 epochs without improvement", {"patience": 3}),
        ("train on tickets for 3 epochs, evaluate every epoch", {"epochs": 3}),
        ("train on tickets, evaluate after every epoch", {}),
        ("train on tickets for 5 epochs and keep the last checkpoint, not the best",
         {"epochs": 5, "keep": "last"}),
        ("train on tickets and keep the last weights instead of the best", {"keep": "last"}),
        ("train on tickets, keep the best checkpoint", {"keep": "best"}),
        ("train on tickets and keep the best", {"keep": "best"}),
    ],
)  # fmt: skip
def test_how_a_training_ends_is_a_setting_of_it_and_no_step_of_its_own(
    understanding: Understanding, names: FileNames, said: str, arguments: dict[str, Any]
) -> None:
    (step,) = understanding.parse(said, names).steps
    assert step.operation == "training.start"
    assert step.arguments == {"dataset": "tickets", **arguments}


@pytest.mark.parametrize(
    "said",
    [
        "tune on tickets with 4 trials and keep the best",
        "run a hyperparameter search on tickets with 4 trials, keep the best one",
    ],
)
def test_a_search_keeps_its_best_anyway(
    understanding: Understanding, names: FileNames, said: str
) -> None:
    (step,) = understanding.parse(said, names).steps
    assert (step.operation, step.arguments) == (
        "training.tune",
        {"dataset": "tickets", "trials": 4},
    )


def test_an_evaluation_between_two_epochs_is_refused_by_name(
    understanding: Understanding, names: FileNames
) -> None:
    plan = understanding.parse("train on tickets, evaluate every 50 steps", names)
    assert not plan.steps
    assert "after every epoch, and at no other step" in (plan.reply or "")


def test_a_training_and_an_evaluation_of_it_are_still_two_steps(
    understanding: Understanding, names: FileNames
) -> None:
    plan = understanding.parse("train on tickets and evaluate it", names)
    assert [s.operation for s in plan.steps] == ["training.start", "evaluation.run"]


def test_what_was_not_understood_is_answered_with_words_of_that_act(
    understanding: Understanding, names: FileNames
) -> None:
    shrunk = understanding.parse("shrink ticket-router 4 by 30 percent", names).reply or ""
    assert "at most 1 point worse" in shrunk
    assert "rank" not in shrunk
    trained = understanding.parse("train on tickets sideways 12", names).reply or ""
    assert "rank 16" in trained
    assert "group NAME" not in trained


def test_a_metric_and_a_share_as_smallest_effect_of_an_experiment_are_taken_in(
    understanding: Understanding, names: FileNames
) -> None:
    said = "declare an experiment ticket-router 4 against 3, by macro-F1, minimum effect 0.02"
    (step,) = understanding.parse(said, names).steps
    assert (step.arguments["metric"], step.arguments["minimum_effect"]) == ("macro_f1", 2)
    said = "declare an experiment ticket-router 4 against 3, minimum effect 0.5"
    (step,) = understanding.parse(said, names).steps
    assert step.arguments["minimum_effect"] == 0.5


@pytest.mark.parametrize(
    ("turns", "operation", "arguments"),
    [
        (["how is it going?"], "training.status", {"job": 71}),
        (["how's it going with the training?"], "training.status", {"job": 71}),
        (["list the datasets", "how is it going?"], "training.status", {"job": 71}),
    ],
)
def test_what_runs_is_what_goes(
    understanding: Understanding, turns: list[str], operation: str, arguments: dict[str, Any]
) -> None:
    (step,) = parse_turns(turns, understanding, with_jobs(*JOBS, _RUNNING)).steps
    assert (step.operation, step.arguments) == (operation, arguments)


def test_of_several_jobs_that_run_all_are_listed(understanding: Understanding) -> None:
    plan = understanding.parse("how is it going?", with_jobs(*JOBS, _RUNNING, _MEASURING))
    assert [(s.operation, s.arguments) for s in plan.steps] == [
        ("platform.jobs", {"status": "running"})
    ]


def test_what_the_conversation_was_about_is_what_goes(understanding: Understanding) -> None:
    names = with_jobs(*JOBS, _RUNNING)
    rollout = parse_turns(
        ["deploy ticket-router 4 to the kiosks", "how is it going?"], understanding, names
    )
    assert [s.operation for s in rollout.steps] == ["deployment.status"]
    training = parse_turns(["train on tickets", "how is it going?"], understanding, names)
    (step,) = training.steps
    assert step.operation == "training.status"
    assert step.arguments["job"] == {"step": "t1.s1", "field": "job"}


def test_where_nothing_runs_it_is_small_talk(understanding: Understanding) -> None:
    plan = understanding.parse("how's it going?", with_jobs(*JOBS))
    assert plan.abstained
    assert not plan.steps


@pytest.mark.parametrize(
    ("turns", "arguments"),
    [
        (["tune on tickets with 3 trials", "train on mails", "register the best trial"],
         {"job": {"step": "t1.s1", "field": "job"}}),
        (["tune on tickets with 3 trials", "register trial 2"],
         {"job": {"step": "t1.s1", "field": "job"}, "trial": 2}),
        (["how is job 64 doing?", "register the best trial as mail-tuned"],
         {"job": 64, "model": "mail-tuned"}),
        (["register trial 3 of job 64"], {"job": 64, "trial": 3}),
        (["register the newest training"], {"job": 67}),
        (["how is job 70 doing?", "register the newest training"], {"job": 67}),
        (["register job 70"], {"job": 70}),
    ],
)  # fmt: skip
def test_the_tuning_of_a_trial_and_the_newest_training_that_made_a_model_are_meant(
    understanding: Understanding, turns: list[str], arguments: dict[str, Any]
) -> None:
    (step,) = parse_turns(turns, understanding, with_jobs(*JOBS)).steps
    assert (step.operation, step.arguments) == ("registry.register", arguments)


def test_a_trial_of_nothing_spoken_of_is_asked_about_among_the_tunings(
    understanding: Understanding,
) -> None:
    question = understanding.parse("register the best trial", with_jobs(*JOBS)).question
    assert question is not None
    assert question.candidates == ["64"]
