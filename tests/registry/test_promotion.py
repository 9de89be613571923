"""The promotion gate: rules are data, refusals name the rule, and going back is always possible."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.registry.trained import add_training
from tools.evaluation.report_types import SliceScore
from tools.evaluation.store import ResultStore
from tools.evaluation.types import EvaluationResult
from tools.kernel.errors import ApprovalInvalid, InvalidInput, NeedsApproval, PolicyDenied
from tools.kernel.gate import Outcome
from tools.kernel.identity import Principal
from tools.kernel.kernel import Kernel
from tools.kernel.roles import ROLES
from tools.kernel.undo import undo
from tools.registry.promotion_policy import SHIPPED, rules_of

Calls = Callable[..., Outcome]


@pytest.fixture
def write_rules(home: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = home / "policies" / "promotion.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return path

    return write


@pytest.fixture
def evaluated(kernel: Kernel, call: Calls) -> Callable[..., int]:
    """Register a model and store an evaluation of it; answers with its version."""

    def make(accuracy: float, slices: Sequence[dict] = (), **figures: float) -> int:
        job = add_training(kernel)
        details = call("registry.register", job=job).result.details
        version = details.version
        values: dict = {"macro_f1": accuracy, "baseline_majority": 0.4, "ece": 0.02, "p50_ms": 4}
        values |= {"p95_ms": 9, **figures}
        result = EvaluationResult(
            model="ticket-router",
            version=version,
            job=job,
            run_id=details.run_id,
            dataset="tickets@1",
            split="test",
            rows=500,
            accuracy=accuracy,
            accuracy_low=accuracy - 0.03,
            accuracy_high=min(accuracy + 0.03, 1),
            labels=["a"],
            confusion=[[500]],
            worst_slices=[SliceScore(**s) for s in slices],
            **values,
        )
        ResultStore(kernel).add_result(1000 + job, "default", result)
        return version

    return make


def test_what_ships_can_be_read_and_lets_a_good_model_through(approved, evaluated):
    assert len(rules_of(SHIPPED)) >= 4
    version = evaluated(0.9)
    made = approved("registry.promote", model="ticket-router", version=version, alias="champion")
    assert made.result.version == version


def test_a_model_worse_than_guessing_is_refused_as_champion_only(call, evaluated):
    version = evaluated(0.3)
    with pytest.raises(PolicyDenied, match="better than always answering the commonest") as no:
        call("registry.promote", model="ticket-router", version=version, alias="champion")
    assert "gain_over_majority is -0.1 on tickets@1" in no.value.message
    assert "gain_over_majority at least 0" in str(no.value.hint)
    call("registry.promote", model="ticket-router", version=version, alias="challenger")


RULES = """
rules:
  - {name: good enough, alias: champion, measure: accuracy_low, at_least: 0.85}
  - {name: no language left behind, measure: worst_slice, column: language, at_least: 0.7,
     min_rows: 30, alias: [champion, challenger]}
  - {name: fast, measure: p95_ms, at_most: 20}
  - {name: small, measure: size_mb, at_most: 1}
  - {name: trained well, measure: validation_accuracy, at_least: 0.5, model: "ticket-*"}
  - {name: not for this one, measure: accuracy, at_least: 1.0, model: "other-*"}
"""
FEW = {"column": "language", "value": "fi", "rows": 9, "accuracy": 0.1, "low": 0, "high": 1}
POOR = {"column": "language", "value": "de", "rows": 60, "accuracy": 0.5, "low": 0.4, "high": 0.6}
FAIR = {"column": "language", "value": "en", "rows": 60, "accuracy": 0.8, "low": 0.7, "high": 0.9}


def test_every_unmet_rule_is_named_with_what_would_pass(call, evaluated, write_rules):
    path = write_rules(RULES)
    version = evaluated(0.86, [FEW, POOR, FAIR], p95_ms=45.0)
    with pytest.raises(PolicyDenied) as no:
        call("registry.promote", model="ticket-router", version=version, alias="champion")
    told = no.value.message
    assert "“good enough” is not met: accuracy_low is 0.83 on tickets@1" in told
    assert "“no language left behind” is not met: worst_slice is 0.5 (language de, 60 rows)" in told
    assert "“fast” is not met: p95_ms is 45" in told
    assert "small" not in told
    assert "not for this one" not in told
    assert "It would pass with accuracy_low at least 0.85, and worst_slice at least 0.7" in str(
        no.value.hint
    )
    assert str(path) in str(no.value.hint)
    checked = call("registry.check_promotion", model="ticket-router", version=version).result
    assert {r.rule: r.passed for r in checked.rules} == {
        "good enough": False,
        "no language left behind": False,
        "fast": False,
        "small": True,
        "trained well": True,
    }


def test_the_size_of_an_adapter_counts_the_base_that_it_rests_on(
    kernel: Kernel, call: Calls, write_rules: Callable[[str], Path], tmp_path: Path
):
    write_rules("rules: [{name: small, measure: size_mb, at_most: 3}]")
    base, files = tmp_path / "base", tmp_path / "classifier"
    (files / "adapter").mkdir(parents=True)
    (files / "adapter" / "adapter_model.safetensors").write_bytes(b"a" * 2**20)
    base.mkdir()
    (base / "model.safetensors").write_bytes(b"b" * 4 * 2**20)

    def checked(**fields: Any) -> Any:
        given: dict[str, Any] = {"files": files, "base_model": str(base), **fields}
        job = add_training(kernel, **given)
        version = call("registry.register", job=job).result.details.version
        check = call("registry.check_promotion", model="ticket-router", version=version).result
        return check.rules[0]

    adapter = checked()
    assert not adapter.passed
    assert "size_mb is 5 (1 of its own, 4 of its base" in adapter.told
    assert checked(method="full").passed
    gone = checked(base_model=str(tmp_path / "gone"))
    assert gone.passed and "without its base" in gone.told
    (files / "model.safetensors").write_bytes(b"c")
    assert checked().passed


def test_the_preview_shows_the_rules_that_are_met(kernel, context, evaluated, write_rules):
    write_rules(RULES)
    version = evaluated(0.95, [FEW, FAIR])
    arguments = {"model": "ticket-router", "version": version, "alias": "champion"}
    summary = kernel.gate.preview("registry.promote", arguments, context).summary
    assert "good enough (accuracy_low is 0.92 on tickets@1" in summary
    assert "fast (p95_ms is 9 on tickets@1, asked is p95_ms at most 20)" in summary


def test_what_was_not_measured_is_refused_unless_the_rule_says_otherwise(kernel, call, write_rules):
    call("registry.register", job=add_training(kernel))
    rule = "{name: measured, measure: accuracy, at_least: 0.5}"
    write_rules(f"rules: [{rule}]")
    with pytest.raises(PolicyDenied, match="accuracy was not measured") as no:
        call("registry.promote", model="ticket-router", version=1, alias="staging")
    assert "an evaluation with accuracy at least 0.5" in str(no.value.hint)
    write_rules(f"rules: [{rule[:-1]}, if_measured: true}}]")
    call("registry.promote", model="ticket-router", version=1, alias="staging")


def test_a_version_that_is_no_better_than_the_champion_is_refused(
    call, approved, evaluated, write_rules
):
    write_rules("rules: [{name: better, measure: gain_over_champion, at_least: 0.01}]")
    first, worse, better = evaluated(0.9), evaluated(0.9), evaluated(0.92)
    write_rules("rules: [{name: any, measure: gain_over_champion, at_least: 0}]")
    approved("registry.promote", model="ticket-router", version=first, alias="champion")
    write_rules("rules: [{name: better, measure: gain_over_champion, at_least: 0.01}]")
    with pytest.raises(PolicyDenied, match="gain_over_champion is 0 over v1 on tickets@1"):
        call("registry.promote", model="ticket-router", version=worse, alias="champion")
    approved("registry.promote", model="ticket-router", version=better, alias="champion")


def test_what_was_champion_can_be_gone_back_to_whatever_the_rules_say_now(
    kernel, context, call, evaluated, write_rules
):
    first, second = evaluated(0.9), evaluated(0.95)
    call("registry.promote", model="ticket-router", version=first, alias="staging")
    made = call("registry.promote", model="ticket-router", version=second, alias="staging")
    write_rules("rules: [{name: strict, measure: accuracy, at_least: 0.99}]")
    undo(kernel, made.receipt, context)
    assert call("registry.describe", model="ticket-router").result.aliases == {"staging": first}
    with pytest.raises(PolicyDenied, match="strict"):
        call("registry.promote", model="ticket-router", version=first, alias="challenger")


def test_a_required_approver_is_another_person(kernel, context, evaluated, write_rules):
    write_rules("rules: [{name: four eyes, alias: champion, approver: second_person}]")
    version = evaluated(0.9)
    arguments = {"model": "ticket-router", "version": version, "alias": "champion"}
    preview = kernel.gate.preview("registry.promote", arguments, context)
    assert preview.second_person
    assert "four eyes (somebody other than the proposer approves)" in preview.summary


def test_only_the_required_approver_can_let_a_champion_through(
    kernel, context, evaluated, write_rules
):
    write_rules("rules: [{name: owner, alias: champion, approver: ['role:admin', 'user:marta']}]")
    arguments = {"model": "ticket-router", "version": evaluated(0.9), "alias": "champion"}

    def asked() -> str:
        with pytest.raises(NeedsApproval) as wait:
            kernel.gate.call("registry.promote", arguments, context)
        assert "somebody with the role admin or marta" in wait.value.message
        return wait.value.approval["id"]

    request = asked()
    for_all = ROLES["approver"]
    with pytest.raises(PolicyDenied, match="ben may not approve this: somebody with the role"):
        kernel.approvals.grant(request, Principal("ben", for_all))
    kernel.approvals.grant(request, Principal("marta", for_all))
    write_rules("rules: [{name: owner, alias: champion, approver: 'user:ines'}]")
    with pytest.raises(ApprovalInvalid, match="when other people had to approve"):
        kernel.gate.call("registry.promote", arguments, context, approval=request)
    with pytest.raises(NeedsApproval) as wait:
        kernel.gate.call("registry.promote", arguments, context)
    again = wait.value.approval["id"]
    kernel.approvals.grant(again, Principal("ines", for_all))
    done = kernel.gate.call("registry.promote", arguments, context, approval=again)
    assert done.result.version == arguments["version"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rules: [{name: x, measure: accuracy}]", "needs `at_least` or `at_most`"),
        ("rules: [{name: x, mesure: accuracy, at_least: 1}]", "mesure"),
        ("rules: [{name: x}]", "either `measure` or `approver`"),
        ("rules: [{name: x, approver: second_person}]", "other aliases ask nobody"),
        ("rules: [{name: x, alias: champion, approver: boss}]", "approver"),
        ("rules: {", "cannot be read"),
        ("nothing", "holds no list `rules`"),
        ("", "promotion.yaml is empty"),
        ("# rules: later", "promotion.yaml is empty"),
        (
            "rules: [{name: x, measure: acuracy, at_least: 0.9, if_measured: true}]",
            "there is no measure `acuracy`; the nearest is `accuracy`",
        ),
        ("rules: [{name: x, measure: accuracy, at_least: 85}]", "and 1 (0.85, not 85)"),
        ("rules: [{name: x, measure: ece, at_most: -0.1}]", "`ece` lies between 0 and 1"),
        ("rules: [{name: x, measure: worst_slice, at_least: 1.5}]", "between 0 and 1 (0.015"),
        ("rules: [{name: x, measure: gain_over_champion, at_least: 2}]", "between -1 and 1"),
    ],
)
def test_rules_that_cannot_be_read_let_nothing_through(call, kernel, write_rules, text, told):
    call("registry.register", job=add_training(kernel))
    write_rules(text)
    with pytest.raises(InvalidInput, match=r"promotion\.yaml") as no:
        call("registry.promote", model="ticket-router", version=1, alias="staging")
    assert told in no.value.message


def test_every_figure_that_is_measured_can_be_asked_for():
    from tools.registry.measures import MEASURES
    from tools.registry.trained import _METRICS
    from tools.training.optimizing.proving import metrics_of
    from tools.training.optimizing.types import VariantResult
    from tools.training.similarity.finding import SHOWN

    numbers = ("<class 'int'>", "<class 'float'>", "float | None")
    fields = {n: str(f.annotation) for n, f in EvaluationResult.model_fields.items()}
    evaluation = {n for n, kind in fields.items() if kind in numbers} - {"id"}
    names = ("accuracy", "loss_points", "loss_low", "loss_high", "agreement", "size_bytes")
    timed = (
        "load_ms",
        "p50_ms",
        "p95_ms",
        "memory_mb",
        "peak_mb",
        "cost_ratio",
        "exact_match",
        "cosine",
    )
    figures: Any = dict.fromkeys((*names, *timed), 1)
    scores: dict[str, float] = dict.fromkeys(SHOWN, 1.0)
    variant = metrics_of(
        VariantResult(variant="x", runtime="x", metric="token_f1", **figures), scores
    )
    assert len(evaluation) > 12
    assert evaluation | {*_METRICS} | set(variant) <= MEASURES


def test_what_was_not_measured_is_told_apart_from_what_is_met(
    kernel, context, call, evaluated, write_rules
):
    write_rules(
        "rules: [{name: slices, measure: worst_slice, at_least: 0.5, if_measured: true},"
        " {name: good, measure: accuracy, at_least: 0.5}]"
    )
    arguments = {"model": "ticket-router", "version": evaluated(0.9)}
    says = call("registry.check_promotion", **arguments).receipt.says
    why = "worst_slice was not measured: no slice has 20 test rows"
    assert f"not measured: slices ({why}); met: good" in says
    preview = kernel.gate.preview("registry.promote", {**arguments, "alias": "staging"}, context)
    assert preview.warnings == [f"Rule “slices” was not checked: {why}."]


@pytest.mark.parametrize("figures", [{"ece": float("nan")}, {"macro_f1": float("inf")}])
def test_an_evaluation_with_a_figure_that_is_no_number_meets_no_rule(
    call, evaluated, write_rules, figures
):
    write_rules(
        "rules: [{name: good, measure: accuracy, at_least: 0.5, if_measured: true},"
        " {name: sure, measure: ece, at_most: 1, if_measured: true},"
        " {name: better, measure: gain_over_champion, at_least: 0, if_measured: true}]"
    )
    version = evaluated(0.9, **figures)
    checked = call("registry.check_promotion", model="ticket-router", version=version)
    assert [r.passed for r in checked.result.rules] == [False, False, False]
    assert "NOT MET: good (accuracy is no finite number" in checked.receipt.says
    with pytest.raises(PolicyDenied, match="no finite number"):
        call("registry.promote", model="ticket-router", version=version, alias="staging")


@pytest.mark.slow
def test_the_rules_are_in_the_wheel(tmp_path: Path) -> None:
    import zipfile

    root = Path(__file__).resolve().parents[2]
    code = (
        "import os, sys; from hatchling.builders.wheel import WheelBuilder;"
        f"os.chdir({str(root)!r}); next(iter(WheelBuilder({str(root)!r}).build("
        "directory=sys.argv[1], versions=['standard'])))"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    names = zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist()
    assert "tools/registry/policies/promotion.yaml" in names
