"""The operations that steer rollouts: promote, abort, retry, freeze, and A/B tests' results."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.deployment.types import (
    AbortRollout,
    AbResult,
    AbResultOf,
    DeclareFreeze,
    FreezeState,
    JudgementList,
    JudgementsOf,
    LiftFreeze,
    OutcomeRecorded,
    PromoteRollout,
    RecordOutcome,
    RetryRollout,
    RolloutPromoted,
    RolloutReport,
)
from tools.kernel.operations import Call, Effect, Evidence, Inverse, Preview, operation

if TYPE_CHECKING:
    from tools.deployment.experiments import Experiments
    from tools.deployment.service import DeploymentService
    from tools.deployment.steering import Steering


def _steering(call: Call) -> Steering:
    from tools.deployment.steering import Steering

    return call.get(Steering)


def _experiments(call: Call) -> Experiments:
    from tools.deployment.experiments import Experiments

    return call.get(Experiments)


def _service(call: Call) -> DeploymentService:
    from tools.deployment.service import DeploymentService

    return call.get(DeploymentService)


@operation(
    "deployment.promote",
    effect=Effect.DANGEROUS,
    job=True,
    examples=(
        "promote the rollout on the thinkpads to its next step",
        "take the next step of the canary on phones now",
        "skip the wait and go to the next step on servers-batch",
        "promote the shadow on the thinkpads",
        "promote the winner of the A/B test on the phones",
        "let the winning variant have all of the thinkpads",
        "advance the rollout on frontdesk",
        "move the canary on warehouse to the next stage",
        "don't wait for more data, advance the thinkpads rollout",
        "make the winner of the experiment on phones final",
    ),
)
def promote_rollout(args: PromoteRollout, call: Call) -> RolloutPromoted:
    """Let a rollout go on to its next step now, or bring what holds to the whole group.

    A running rollout takes its next step without waiting for time or data. A canary or shadow that
    holds, or the winner of an A/B test, goes to the whole group. A breach still puts devices back.

    Args:
        group: the group's name.
        version: for an A/B test, the version that wins; the recommended one if not given.

    Raises:
        Conflict: nothing is under way, a freeze stands, or the test has no winner yet.
    """
    return _steering(call).promote(args, call)


@promote_rollout.preview
def _(args: PromoteRollout, call: Call) -> Preview:
    return _steering(call).preview_promote(args, call)


@promote_rollout.read_back
def _(args: PromoteRollout, result: RolloutPromoted, call: Call) -> list[Evidence]:
    return _service(call).evidence(call.tenant, result.rollout)


@promote_rollout.inverse
def _(args: PromoteRollout, result: RolloutPromoted, call: Call) -> Inverse:
    return Inverse(operation="deployment.rollback", arguments={"group": args.group})


@promote_rollout.says
def _(args: PromoteRollout, result: RolloutPromoted) -> str:
    if result.goes_on_from is None:
        return f"Rollout {result.rollout} on {result.group} goes on to its next step."
    there = sum(d.touched and d.confirmed for d in result.devices)
    return (
        f"{there} of {len(result.devices)} devices of {result.group} serve {result.model} "
        f"v{result.version}, by their own report."
    )


@operation("deployment.abort", effect=Effect.DANGEROUS, job=True, hidden=True)
def abort_rollout(args: AbortRollout, call: Call) -> RolloutReport:
    """End a group's unfinished rollout and put its touched devices back on their former model.

    Args:
        group: the group's name.

    Raises:
        Conflict: no rollout is under way.
        OperationFailed: a device has not confirmed in time; it converges when it is back.
    """
    return _steering(call).abort(args, call)


@abort_rollout.preview
def _(args: AbortRollout, call: Call) -> Preview:
    return _steering(call).preview_abort(args, call)


@abort_rollout.read_back
def _(args: AbortRollout, result: RolloutReport, call: Call) -> list[Evidence]:
    return _service(call).evidence(call.tenant, result.rollout)


@abort_rollout.inverse
def _(args: AbortRollout, result: RolloutReport, call: Call) -> Inverse:
    return Inverse(operation="deployment.retry", arguments={"group": args.group})


@abort_rollout.says
def _(args: AbortRollout, result: RolloutReport) -> str:
    back = sum(d.touched and d.confirmed for d in result.devices)
    return f"Rollout {result.rollout} on {result.group} is ended; {back} devices are back."


@operation(
    "deployment.retry",
    effect=Effect.DANGEROUS,
    job=True,
    examples=(
        "try the last rollout on the thinkpads again",
        "retry the rollout on phones",
        "retry the aborted rollout on the servers",
        "repeat the failed deployment on frontdesk",
        "the rollout on warehouse failed, give it another go",
        "rerun the rollout that was rolled back on the thinkpads",
        "attempt the rollout to phones-field once more",
        "start the aborted canary on the thinkpads over",
    ),
)
def retry_rollout(args: RetryRollout, call: Call) -> RolloutReport:
    """Begin a group's last rollout anew, as it was asked for: after an abort, rollback or failure.

    Args:
        group: the group's name.

    Raises:
        Conflict: the last rollout did not end badly, or a freeze stands.
        OperationFailed: a device failed or fell silent; the touched devices were put back.
    """
    return _steering(call).retry(args, call)


@retry_rollout.preview
def _(args: RetryRollout, call: Call) -> Preview:
    return _steering(call).preview_retry(args, call)


@retry_rollout.read_back
def _(args: RetryRollout, result: RolloutReport, call: Call) -> list[Evidence]:
    return _service(call).evidence(call.tenant, result.rollout)


@retry_rollout.inverse
def _(args: RetryRollout, result: RolloutReport, call: Call) -> Inverse:
    return Inverse(operation="deployment.rollback", arguments={"group": args.group})


@retry_rollout.says
def _(args: RetryRollout, result: RolloutReport) -> str:
    there = sum(d.touched and d.confirmed for d in result.devices)
    return (
        f"Rollout {result.rollout}: {there} devices of {result.group} serve {result.model} "
        f"v{result.version}, by their own report."
    )


@operation(
    "deployment.freeze",
    effect=Effect.WRITE,
    idempotent=True,
    examples=(
        "declare a change freeze",
        "declare a change freeze until monday",
        "change freeze on the thinkpads",
        "start a deployment freeze for the phones",
        "no rollouts to the servers until further notice, declare a freeze",
        "put a freeze on all deployments",
        "impose a change freeze for frontdesk",
        "begin the holiday freeze",
        "we have a change freeze from now on",
        "forbid all new rollouts for now",
    ),
)
def declare_freeze(args: DeclareFreeze, call: Call) -> FreezeState:
    """Declare a change freeze: nothing new is rolled out, and running rollouts hold their step.

    Pausing, aborting and putting devices back are allowed all the same.

    Args:
        group: only this group; all without one.
        reason: why, as those read it who are refused.
        until: when it ends by itself, in UTC; until it is lifted without one.
    """
    return _steering(call).freeze(args, call)


@declare_freeze.read_back
def _(args: DeclareFreeze, result: FreezeState, call: Call) -> list[Evidence]:
    return _steering(call).freeze_evidence(call.tenant, args.group)


@declare_freeze.inverse
def _(args: DeclareFreeze, result: FreezeState, call: Call) -> Inverse:
    return Inverse(
        operation="deployment.unfreeze", arguments={"group": args.group} if args.group else {}
    )


@declare_freeze.says
def _(args: DeclareFreeze, result: FreezeState) -> str:
    until = f" until {result.until:%Y-%m-%d %H:%M} UTC" if result.until else " until it is lifted"
    return f"Nothing new is rolled out to {args.group or 'any group'}{until}: {result.reason}."


@operation(
    "deployment.unfreeze",
    effect=Effect.WRITE,
    idempotent=True,
    examples=(
        "lift the change freeze",
        "end the change freeze on the thinkpads",
        "unfreeze deployments",
        "the freeze is over",
        "lift the deployment freeze for the phones",
        "allow rollouts again",
        "remove the change freeze from servers-batch",
        "stop the freeze, we may deploy again",
    ),
)
def lift_freeze(args: LiftFreeze, call: Call) -> FreezeState:
    """Lift a change freeze; rollouts that held go on.

    Args:
        group: the freeze of this group; that of all groups without one.
    """
    return _steering(call).unfreeze(args, call)


@lift_freeze.read_back
def _(args: LiftFreeze, result: FreezeState, call: Call) -> list[Evidence]:
    return _steering(call).freeze_evidence(call.tenant, args.group)


@lift_freeze.inverse
def _(args: LiftFreeze, result: FreezeState, call: Call) -> Inverse | None:
    if not result.lifted:
        return None
    return Inverse(
        operation="deployment.freeze", arguments={"group": args.group} if args.group else {}
    )


@lift_freeze.says
def _(args: LiftFreeze, result: FreezeState) -> str:
    where = args.group or "all groups"
    if result.frozen:
        return f"A freeze of {result.group or 'all groups'} still stands ({result.reason})."
    return f"{where} may be changed again." if result.lifted else f"No freeze stood for {where}."


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


@operation("deployment.judgements", effect=Effect.READ, hidden=True)
def list_judgements(args: JudgementsOf, call: Call) -> JudgementList:
    """List how a rollout's steps were judged: every metric with its limit, sample and evidence.

    Args:
        rollout: its number.
        limit: at most this many, 1 to 1000, newest first.
    """
    return _steering(call).judgements(args, call.tenant)
