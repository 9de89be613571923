"""The operations on A/B tests: start one, tell what it says, note how requests ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.deployment.experiment_types import (
    AbResult,
    AbResultOf,
    OutcomeRecorded,
    RecordOutcome,
    StartAbTest,
)
from tools.deployment.types import RolloutReport
from tools.kernel.operations import Call, Effect, Evidence, Inverse, Preview, operation

if TYPE_CHECKING:
    from tools.deployment.experiments import Experiments
    from tools.deployment.service import DeploymentService


def _service(call: Call) -> DeploymentService:
    from tools.deployment.service import DeploymentService

    return call.get(DeploymentService)


def _experiments(call: Call) -> Experiments:
    from tools.deployment.experiments import Experiments

    return call.get(Experiments)


@operation(
    "deployment.ab_test",
    effect=Effect.DANGEROUS,
    job=True,
    examples=(
        "start an A/B test of ticket-router v3 on the thinkpads",
        "ab test spam-filter v2 against the current model on phones",
        "split traffic 50/50 between the champion and ticket-router v4 on the servers",
        "test intent-model v7 on 20 percent of requests in frontdesk",
        "compare v5 of ticket-router with what the phones run now on live traffic",
        "run an experiment with the challenger on thinkpads",
        "send 10% of the thinkpads traffic to ticket-router version 6",
        "A/B it on the phones",
        "try sentiment v2 side by side with the live model in warehouse",
        "set up an a/b experiment on servers-batch with router v12, 30 percent",
        "give a quarter of the requests on phones to ticket-router v3",
    ),
)
def start_ab_test(args: StartAbTest, call: Call) -> RolloutReport:
    """Run a version beside the one that a group serves and split requests between them, stickily.

    Both models are loaded on every device; a request's key decides which one answers. The counts
    are in `deployment.status`. `deployment.rollback` ends the test with the former model,
    `deployment.start` with either of the two ends it with that one.

    Args:
        model: the registered model's name.
        version: the version that challenges the one served now.
        group: the group of devices that runs the test.
        percent: share of requests that the challenger answers, 1 to 99; 50 if not given.
    """
    return _service(call).run_ab_test(args, call)


@start_ab_test.preview
def _(args: StartAbTest, call: Call) -> Preview:
    return _service(call).preview_ab_test(args, call)


@start_ab_test.read_back
def _(args: StartAbTest, result: RolloutReport, call: Call) -> list[Evidence]:
    return _service(call).evidence(call.tenant, result.rollout)


@start_ab_test.inverse
def _(args: StartAbTest, result: RolloutReport, call: Call) -> Inverse:
    return Inverse(operation="deployment.rollback", arguments={"group": args.group})


@start_ab_test.says
def _(args: StartAbTest, result: RolloutReport) -> str:
    confirmed = sum(d.confirmed for d in result.devices if d.touched)
    return (
        f"{confirmed} devices of {result.group} answer {result.percent} % of their requests with "
        f"{result.model} v{result.version}, by their own report."
    )


@operation(
    "deployment.ab_result",
    effect=Effect.READ,
    examples=(
        "what is the result of the A/B test on the thinkpads",
        "who is winning the a/b test on phones",
        "which variant wins the experiment on the servers",
        "is the a/b test on frontdesk significant yet",
        "show the outcome of the split test on warehouse",
        "does the challenger win the A/B test on the phones?",
        "what does the experiment on the thinkpads say so far",
        "can we conclude the a/b test on phones-field",
    ),
)
def ab_result(args: AbResultOf, call: Call) -> AbResult:
    """What an A/B test says now: effect, interval, sample, guardrails and a recommendation.

    The interval is a confidence sequence: looking often does not raise the rate of false alarms.

    Args:
        group: the group that runs it.

    Raises:
        Conflict: there never was an A/B test in the group.
    """
    return _experiments(call).result(call.tenant, args.group)


@ab_result.says
def _(args: AbResultOf, result: AbResult) -> str:
    advice = {
        "promote": f"promote v{result.challenger.version}",
        "keep": f"keep v{result.control.version}",
        "wait": "wait",
    }[result.recommended]
    return (
        f"v{result.challenger.version} against v{result.control.version}: "
        f"{result.effect * 100:+z.1f} points ({result.low * 100:+z.1f} to "
        f"{result.high * 100:+z.1f} at {result.level:.0%}, "
        f"{result.challenger.outcomes} and {result.control.outcomes} "
        f"outcomes). Recommended: {advice}, because {result.why}."
    )


@operation(
    "deployment.record_outcome",
    effect=Effect.WRITE,
    idempotent=True,
    examples=(
        "record a success for user-17 in the A/B test on the thinkpads",
        "note that key user-3 ended badly in the experiment on phones",
        "record the outcome of key t-99 on the servers: failure",
        "add an outcome to the a/b test on frontdesk for key order-5",
        "log success for key u-12 in the split test on warehouse",
        "the request with key user-8 on the phones went well, record it",
        "record outcome user-4 failed for the a/b test on thinkpads",
        "store a failed outcome for key u-77 in the experiment on kiosks",
    ),
)
def record_outcome(args: RecordOutcome, call: Call) -> OutcomeRecorded:
    """Record how a request ended: a delayed label, a solved ticket.

    In an A/B test the key that the device was asked with tells which version had answered; a
    rollout in steps is judged by what is said of its version and the former one. A second outcome
    of a key changes nothing.

    Args:
        group: the group whose devices were asked.
        key: what the device was asked with, or what tells this request from others.
        success: True if it ended well.
        version: the version that had answered; only needed where no A/B test tells it.

    Raises:
        Conflict: there never was an A/B test in the group, or no rollout of that version.
    """
    return _experiments(call).record(call.tenant, args)


@record_outcome.read_back
def _(args: RecordOutcome, result: OutcomeRecorded, call: Call) -> list[Evidence]:
    fact = f"outcome of {args.key}"
    return [Evidence(fact=fact, value=result.success, source="outcome record")]


@record_outcome.says
def _(args: RecordOutcome, result: OutcomeRecorded) -> str:
    known = "" if result.recorded else " (it was known; nothing changed)"
    how = "success" if result.success else "failure"
    return f"{how} of v{result.version} for {result.key}{known}; {result.outcomes} in all."
