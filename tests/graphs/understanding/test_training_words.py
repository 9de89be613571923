"""Every setting of a training can be said, and none is dropped or taken for another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from graphs.understanding import Understanding
from graphs.understanding.parse_lines import FileNames
from tools.kernel.entities import EntityKind, EntityName


@pytest.mark.parametrize(
    ("said", "arguments"),
    [
        ("train on tickets with rank 16 and lora alpha 32", {"rank": 16, "lora_alpha": 32}),
        ("fine-tune minilm on tickets, rank 16, alpha 32", {"rank": 16, "lora_alpha": 32}),
        ("train on tickets with dropout 0.1", {"dropout": 0.1}),
        ("train on tickets with a dropout of 10%", {"dropout": 0.1}),
        ("train on tickets with lora dropout 0.05", {"lora_dropout": 0.05}),
        ("train on tickets with head dropout 0.2", {"head_dropout": 0.2}),
        ("train on tickets with label smoothing 0.1", {"label_smoothing": 0.1}),
        ("train on tickets, head learning rate 0.01", {"head_learning_rate": 0.01}),
        (
            "train on tickets, head learning rate 0.01 and learning rate 1e-3",
            {"head_learning_rate": 0.01, "learning_rate": 0.001},
        ),
        (
            "train only the head on tickets, learning rate 0.01",
            {"method": "head", "learning_rate": 0.01},
        ),
        ("train on tickets with trained share 0.5", {"trained_share": 0.5}),
        ("train on tickets, seed 3, without early stopping", {"seed": 3, "patience": 0}),
        ("train on tickets, no early stopping", {"patience": 0}),
        ("train on tickets with 10% warmup", {"warmup": 0.1}),
        ("train on tickets with packing", {"packing": True}),
        ("train on tickets, 2 epochs, without packing", {"epochs": 2, "packing": False}),
        ("train on tickets without gradient checkpointing", {"gradient_checkpointing": False}),
        ("train on tickets, without early stopping, rank 16", {"patience": 0, "rank": 16}),
        (
            "train on tickets with lora on the attention only, rank 16",
            {"target_modules": "attention", "rank": 16, "method": "lora"},
        ),
        (
            "train on tickets, target modules query and value, 2 epochs",
            {"target_modules": "query, value", "epochs": 2},
        ),
        (
            "train on tickets with target modules q_proj, v_proj and o_proj and rank 8",
            {"target_modules": "q_proj, v_proj, o_proj", "rank": 8},
        ),
        (
            "train on tickets with rank 4 on all linear layers",
            {"rank": 4, "target_modules": "all-linear"},
        ),
    ],
)
def test_a_setting_that_is_said_is_planned(
    understanding: Understanding, names: FileNames, said: str, arguments: dict[str, Any]
):
    [step] = understanding.parse(said, names).steps
    assert step.operation == "training.start"
    found = {k: v for k, v in step.arguments.items() if k not in ("dataset", "base_model")}
    assert found == arguments


def test_early_stopping_of_trials_is_pruning(understanding: Understanding, names: FileNames):
    [step] = understanding.parse("tune on tickets, no early stopping of trials", names).steps
    assert step.arguments == {"dataset": "tickets", "pruning": False}


def test_a_question_for_a_job_says_what_each_has_made(understanding: Understanding):
    class Jobs(FileNames):
        def names(self, kind: EntityKind) -> Sequence[EntityName]:
            if kind is not EntityKind.JOB:
                return super().names(kind)
            made = (("7", "mail-sorter"), ("4", "triage"), ("2", ""))
            return [EntityName(number, (), "training.tune", name) for number, name in made]

    question = understanding.parse("register the tuned model", Jobs({})).question
    assert question is not None
    assert question.candidates == ["7", "4", "2"]
    assert question.text.endswith("be registered? 7 is mail-sorter, 4 is triage.")


def test_no_setting_of_a_search_is_lost_in_a_list(understanding: Understanding, names: FileNames):
    said = "tune on tickets with 3 trials, rank 4 or 8, one epoch, without pruning, two in parallel"
    [step] = understanding.parse(said, names).steps
    assert step.arguments == {
        "dataset": "tickets",
        "trials": 3,
        "space": "rank 4|8",
        "epochs": 1,
        "pruning": False,
        "parallel": 2,
    }


def test_a_second_objective_is_not_lost_beside_quality(
    understanding: Understanding, names: FileNames
):
    [step] = understanding.parse("tune tickets for quality against size, 3 trials", names).steps
    assert step.arguments == {"dataset": "tickets", "trials": 3, "objective": "size"}


def test_random_search_is_how_trials_are_chosen(understanding: Understanding, names: FileNames):
    [step] = understanding.parse("tune on tickets with 3 trials using random search", names).steps
    assert step.arguments == {"dataset": "tickets", "trials": 3, "sampler": "random"}


@pytest.mark.parametrize(
    "said",
    [
        "train on tickets with 1.5 epochs",
        "train on tickets for half an epoch",
        "train on tickets for one and a half epochs",
        "train on tickets with alpha 16.5",
    ],
)
def test_a_part_of_what_is_counted_is_asked_about(
    understanding: Understanding, names: FileNames, said: str
):
    plan = understanding.parse(said, names)
    assert plan.question is not None
    assert "must be a whole number" in plan.question.text
    assert not plan.steps or plan.steps[0].arguments.get("epochs") is None


@pytest.mark.parametrize(
    "said",
    [
        "add /tmp/two.csv, the text is in body and the label in queue",
        "add /tmp/two.csv with text from body and labels from the queue column",
    ],
)
def test_both_columns_of_a_file_are_read(understanding: Understanding, names: FileNames, said: str):
    [step] = understanding.parse(said, names).steps
    assert (step.arguments["text_column"], step.arguments["label_column"]) == ("body", "queue")
