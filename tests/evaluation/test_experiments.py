"""Experiments are declared first, looked at as often as one likes, and concluded on record."""

from __future__ import annotations

import json

import pytest

from tools.evaluation.experiment_rows import what_is_left
from tools.evaluation.experiments import advice
from tools.evaluation.sequential import paired_difference
from tools.kernel.errors import Conflict, InvalidInput, NotFound
from tools.kernel.mlflow_store import client
from tools.kernel.undo import undo
from tools.registry.service import RegistryService


@pytest.mark.slow
def test_an_experiment_is_declared_looked_at_and_concluded(kernel, call, finished, train):
    for rows in (240, 9):
        call("registry.register", job=train(rows))
    declared = call(
        "evaluation.declare_experiment",
        model="mail-sorter",
        version=1,
        other_version=2,
        minimum_effect=2,
    )
    assert declared.result.hypothesis == "mail-sorter v1 is more accurate than mail-sorter v2"
    assert declared.result.expected_rows > 100
    number = declared.result.id
    first = finished("evaluation.look_at_experiment", experiment=number, rows=20)
    second = finished("evaluation.look_at_experiment", experiment=number, rows=0)
    assert [look["rows"] for look in second["looks"]] == [20, 120]
    assert [look["left"] for look in second["looks"]] == [100, 0]
    assert "2 rows were left out: the training saw" in second["looks"][-1]["left_out"][0]
    last = second["looks"][-1]
    assert last["low"] > 0
    assert last["advice"] == "stop: better"
    found = paired_difference(
        last["only_first"], last["only_second"], 120 - last["only_first"] - last["only_second"]
    )
    assert (last["low"], last["high"]) == pytest.approx((found.low, found.high))
    assert last["only_first"] >= first["looks"][0]["only_first"]
    with pytest.raises(Conflict, match="no new test rows in mails: all 120 were seen"):
        call("evaluation.look_at_experiment", experiment=number)
    _conclude(kernel, call, number)


def _conclude(kernel, call, number) -> None:
    done = call("evaluation.conclude_experiment", experiment=number)
    assert "the first is better" in done.result.decision
    run = kernel.get(RegistryService).version("mail-sorter", 1, "default").run_id
    tags = client(kernel.settings).get_run(run).data.tags
    told = json.loads(tags[f"pilothouse.experiment.{number}"])
    assert told["decision"] == done.result.decision
    facts = {e.fact: e.value for e in done.receipt.evidence}
    assert facts[f"decision of experiment {number}"] == done.result.decision
    files = client(kernel.settings).list_artifacts(run, "experiments")
    assert [f.path for f in files] == [f"experiments/{number}.json"]
    with pytest.raises(Conflict, match="was concluded"):
        call("evaluation.conclude_experiment", experiment=number)
    listed = call("evaluation.experiments", model="mail-sorter").result.experiments
    assert [(e.id, e.status, len(e.looks)) for e in listed] == [(number, "concluded", 2)]


def test_a_declaration_can_be_taken_back_until_somebody_looks(kernel, context, call, train):
    for rows in (240, 9):
        call("registry.register", job=train(rows))
    made = call("evaluation.declare_experiment", model="mail-sorter", version=2, other_version=1)
    undo(kernel, made.receipt, context)
    assert call("evaluation.experiments").result.experiments == []
    with pytest.raises(NotFound, match="no experiment 1"):
        call("evaluation.conclude_experiment", experiment=1)


def test_a_declaration_promises_no_more_than_the_data_can_give(kernel, context, call, train):
    for rows in (240, 9):
        call("registry.register", job=train(rows))
    wanted = {"model": "mail-sorter", "version": 2, "other_version": 1, "minimum_effect": 1}
    shown = kernel.gate.preview("evaluation.declare_experiment", wanted, context)
    made = call("evaluation.declare_experiment", **wanted).result
    assert made.available_rows == 120 < made.expected_rows
    assert "mails has 120 test rows for it now" in made.warnings[-1]
    assert "were left out: the training saw their text" in made.warnings[0]
    assert shown.warnings == made.warnings


def test_a_metric_that_cannot_be_looked_at_early_is_refused_with_the_one_that_can(
    kernel, context, call, train
):
    for rows in (240, 9):
        call("registry.register", job=train(rows))
    wanted = {"model": "mail-sorter", "version": 2, "other_version": 1, "metric": "macro_f1"}
    with pytest.raises(InvalidInput, match="macro-F1 is none") as refused:
        kernel.gate.preview("evaluation.declare_experiment", wanted, context)
    assert "Declare it by accuracy" in str(refused.value.hint)
    made = call("evaluation.declare_experiment", **{**wanted, "metric": "accuracy"}).result
    assert made.metric == "accuracy"


def test_after_the_last_row_nobody_is_told_to_look_again():
    assert "100 are left" in what_is_left(100, "mails", 3)
    assert "add data to it, or conclude experiment 3" in what_is_left(0, "mails", 3)


@pytest.mark.parametrize(
    ("counts", "used_up", "said"),
    [
        ((90, 30, 880), False, "stop: better"),
        ((30, 90, 880), False, "stop: worse"),
        ((20, 18, 100), False, "go on"),
        ((20, 18, 100), True, "stop"),
        ((20, 20, 6000), False, "stop: no difference that matters"),
    ],
)
def test_the_declared_rule_says_when_to_stop(counts, used_up, said):
    assert advice(paired_difference(*counts), 0.02, used_up) == said
