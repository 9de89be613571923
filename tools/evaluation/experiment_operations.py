"""The operations on experiments: declare, look, conclude, list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.evaluation.experiment_types import (
    ConcludeExperiment,
    DeclareExperiment,
    Experiment,
    Experiments,
    ExperimentWithdrawn,
    ListExperiments,
    LookAtExperiment,
    WithdrawExperiment,
)
from tools.kernel.operations import Call, Effect, Evidence, Inverse, Preview, operation

if TYPE_CHECKING:
    from tools.evaluation.experiments import ExperimentService


def _service(call: Call) -> ExperimentService:
    from tools.evaluation.experiments import ExperimentService

    return call.get(ExperimentService)


@operation(
    "evaluation.declare_experiment",
    effect=Effect.WRITE,
    examples=(
        "declare an experiment: ticket-router v3 against v2",
        "set up an experiment whether email-triage v4 beats the champion by 2 points",
        "start an experiment comparing fraud-screen v2 with v1 on transactions-june",
        "plan an experiment for sentiment-tagger v3 versus v2 with a minimum effect of 1 point",
        "declare the hypothesis that ticket-router v3 is better than v2",
        "pre-register a comparison of spam-filter v2 and v1",
        "new experiment: intent-classifier v5 versus the champion, at most 2000 rows",
        "I want to run a sequential test of ticket-router v3 against v2",
        "create an experiment for mail-guard v2 with alpha 0.01",
        "declare an experiment on whether v4 of ticket-router beats production",
    ),
)
def declare_experiment(args: DeclareExperiment, call: Call) -> Experiment:
    """Declare an experiment before its data are seen: hypothesis, smallest effect, stopping rule.

    It is looked at with `evaluation.look_at_experiment` as often as one likes: its intervals are
    confidence sequences, which hold over all looks together.

    Args:
        model: the first model.
        version: its version.
        other_version: the version to beat; the champion when nothing else is named.
        other_model: the other model, where it is not the same one.
        dataset: where rows come from; the first model's own when left out.
        hypothesis: what is expected, in words.
        metric: what is compared: accuracy.
        minimum_effect: the smallest difference that matters, in percentage points.
        max_rows: stop undecided once so many rows were looked at.
        alpha: probability of a false alarm over all looks together.
    """
    return _service(call).declare(args, call)


@declare_experiment.normalise
def _(args: DeclareExperiment, call: Call) -> DeclareExperiment:
    return _service(call).normalise(args, call.tenant)


@declare_experiment.preview
def _(args: DeclareExperiment, call: Call) -> Preview:
    return _service(call).preview(args, call.tenant)


@declare_experiment.read_back
def _(args: DeclareExperiment, result: Experiment, call: Call) -> list[Evidence]:
    return _service(call).evidence(result.id, call.tenant)


@declare_experiment.inverse
def _(args: DeclareExperiment, result: Experiment, call: Call) -> Inverse | None:
    return Inverse(operation="evaluation.withdraw_experiment", arguments={"experiment": result.id})


@declare_experiment.says
def _(args: DeclareExperiment, result: Experiment) -> str:
    told = (
        f"Experiment {result.id} is declared: {result.hypothesis}. Differences from "
        f"{result.minimum_effect:g} points matter; about {result.expected_rows} rows decide, "
        f"{result.dataset} has {result.available_rows} for it now, at most {result.max_rows} "
        "are looked at."
    )
    return " ".join([told, *result.warnings])


@operation("evaluation.withdraw_experiment", effect=Effect.WRITE, hidden=True)
def withdraw_experiment(args: WithdrawExperiment, call: Call) -> ExperimentWithdrawn:
    """Take back an experiment that nobody has looked at; the inverse of a declaration.

    Args:
        experiment: its number.

    Raises:
        Conflict: somebody has looked at it.
    """
    return _service(call).withdraw(args.experiment, call.tenant)


@withdraw_experiment.read_back
def _(args: WithdrawExperiment, result: ExperimentWithdrawn, call: Call) -> list[Evidence]:
    left = [e.id for e in _service(call).list(None, call.tenant).experiments]
    known = result.experiment in left
    return [Evidence(fact=f"experiment {result.experiment}", value=known, source="experiments")]


@withdraw_experiment.says
def _(args: WithdrawExperiment, result: ExperimentWithdrawn) -> str:
    return f"Experiment {result.experiment} is withdrawn."


@operation(
    "evaluation.look_at_experiment",
    effect=Effect.WRITE,
    job=True,
    examples=(
        "look at experiment 3",
        "take a look at experiment 2 with 100 more rows",
        "how is experiment 4 going?",
        "check on experiment 1",
        "feed 500 rows into experiment 3",
        "continue experiment 2",
        "update experiment 5 with new rows",
        "is experiment 3 decided yet",
        "run the next batch of experiment 1",
        "peek at experiment 6",
    ),
)
def look_at_experiment(args: LookAtExperiment, call: Call) -> Experiment:
    """Predict new rows with both models of an experiment and see what all rows so far say.

    The confidence sequence holds however often one looks (betting, Waudby-Smith and Ramdas 2024).

    Args:
        experiment: its number.
        rows: new rows at most; 0 takes all there are.

    Raises:
        Conflict: it was concluded, or there are no new rows.
    """
    return _service(call).look(args, call)


@look_at_experiment.preview
def _(args: LookAtExperiment, call: Call) -> Preview:
    return _service(call).preview_look(args, call.tenant)


@look_at_experiment.read_back
def _(args: LookAtExperiment, result: Experiment, call: Call) -> list[Evidence]:
    return _service(call).evidence(result.id, call.tenant)


@look_at_experiment.says
def _(args: LookAtExperiment, result: Experiment) -> str:
    from tools.evaluation.experiment_rows import what_is_left
    from tools.evaluation.experiments import finding

    last = result.looks[-1]
    then = f"The rule says {last.advice}."
    if last.advice == "go on":
        then = what_is_left(last.left or 0, result.dataset, result.id)
    return " ".join([f"Experiment {result.id}: {finding(result)}", *last.left_out, then])


@operation(
    "evaluation.conclude_experiment",
    effect=Effect.WRITE,
    examples=(
        "conclude experiment 3",
        "end experiment 2",
        "close experiment 4 and record the decision",
        "finish experiment 1",
        "write down the decision of experiment 3",
        "experiment 5 is over, put the result on record",
        "wrap up experiment 2",
        "record what experiment 6 found",
        "stop experiment 1 and keep its finding",
    ),
)
def conclude_experiment(args: ConcludeExperiment, call: Call) -> Experiment:
    """Put the decision of an experiment on record, with the runs of both models.

    Args:
        experiment: its number.
        decision: what was decided and why; the finding when left out.

    Raises:
        Conflict: it was concluded before.
    """
    return _service(call).conclude(args, call)


@conclude_experiment.preview
def _(args: ConcludeExperiment, call: Call) -> Preview:
    return _service(call).preview_conclude(args, call.tenant)


@conclude_experiment.read_back
def _(args: ConcludeExperiment, result: Experiment, call: Call) -> list[Evidence]:
    return _service(call).evidence(result.id, call.tenant)


@conclude_experiment.says
def _(args: ConcludeExperiment, result: Experiment) -> str:
    return f"Experiment {result.id} is concluded: {result.decision}"


@operation(
    "evaluation.experiments",
    effect=Effect.READ,
    examples=(
        "list the experiments",
        "which experiments are running?",
        "show all experiments of ticket-router",
        "what experiments did we declare",
        "experiments of email-triage",
        "what did our experiments find",
        "show me the decisions of past experiments",
        "any open experiments?",
        "experiment records of fraud-screen",
    ),
)
def list_experiments(args: ListExperiments, call: Call) -> Experiments:
    """Show the declared experiments with every look and decision, newest first.

    Args:
        model: only this model's; all when left out.
    """
    return _service(call).list(args.model, call.tenant)


@list_experiments.says
def _(args: ListExperiments, result: Experiments) -> str:
    from tools.evaluation.experiments import finding

    if not result.experiments:
        return "No experiment was declared yet."
    told = [
        f"{e.id} ({e.status}): {e.hypothesis}; {e.decision or finding(e)}"
        for e in result.experiments[:10]
    ]
    count = len(result.experiments)
    return f"{count} experiment{'s' * (count != 1)}. {' '.join(told)}"
