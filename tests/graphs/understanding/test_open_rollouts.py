"""`the rollout` is the one that is open; which of several is asked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from evals.parse_eval import DATASETS
from graphs.understanding import Understanding
from graphs.understanding.parse_lines import FileNames


def _with_open(*groups: str) -> FileNames:
    catalogue = json.loads(Path(DATASETS / "ops_catalogue.json").read_text())
    ended = [{"name": "1"}]
    opened = [{"name": str(n), "of": group} for n, group in enumerate(groups, start=2)]
    return FileNames({**catalogue, "rollout": [*ended, *opened]})


@pytest.mark.parametrize(
    ("said", "operation"),
    [
        ("pause the rollout", "deployment.pause"),
        ("let the canary go on", "deployment.resume"),
        ("promote the canary to everyone", "deployment.promote"),
        ("roll the deployment back", "deployment.rollback"),
        ("how is the rollout going?", "deployment.status"),
    ],
)
def test_the_rollout_is_the_one_that_is_open(
    understanding: Understanding, said: str, operation: str
) -> None:
    (step,) = understanding.parse(said, _with_open("kiosks")).steps
    assert (step.operation, step.arguments.get("group", "kiosks")) == (operation, "kiosks")


def test_which_of_several_open_rollouts_is_meant_is_asked_among_them(
    understanding: Understanding,
) -> None:
    plan = understanding.parse("pause the rollout", _with_open("kiosks", "thinkpads"))
    assert plan.question is not None and not plan.steps
    assert plan.question.candidates == ["kiosks", "thinkpads"]
    assert "2 rollouts are open" in plan.question.text


@pytest.mark.parametrize("said", ["roll back", "pause", "promote it"])
def test_an_act_that_points_at_no_rollout_is_not_done_to_the_open_one(
    understanding: Understanding, said: str
) -> None:
    assert not understanding.parse(said, _with_open("kiosks")).steps


def test_a_group_that_is_named_goes_before_the_open_rollout(understanding: Understanding) -> None:
    (step,) = understanding.parse("pause the rollout on thinkpads", _with_open("kiosks")).steps
    assert step.arguments == {"group": "thinkpads"}


def test_without_an_open_rollout_the_group_is_asked(understanding: Understanding) -> None:
    plan = understanding.parse("pause the rollout", _with_open())
    assert plan.question is not None and plan.question.slot == "group"
