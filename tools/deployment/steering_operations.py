"""The operations that steer rollouts: promote, abort, retry, pause, resume, judgements."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.deployment.judgement_types import JudgementList, JudgementsOf
from tools.deployment.steering_types import (
    AbortRollout,
    PauseRollout,
    PromoteRollout,
    ResumeRollout,
    RetryRollout,
    RolloutPaused,
    RolloutPromoted,
)
from tools.deployment.types import RolloutReport
from tools.kernel.operations import Call, Effect, Evidence, Inverse, Preview, operation

if TYPE_CHECKING:
    from tools.deployment.service import DeploymentService
    from tools.deployment.steering import Steering


def _steering(call: Call) -> Steering:
    from tools.deployment.steering import Steering

    return call.get(Steering)


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


@operation(
    "deployment.abort",
    effect=Effect.DANGEROUS,
    examples=(
        "abort the rollout on the phones",
        "call off the rollout to the kiosks",
        "cancel the deployment to thinkpads-north",
        "kill the canary on the laptops",
        "abort whatever is rolling out on the phones",
        "stop the kiosks rollout for good and put the old model back",
        "the rollout on the servers has to be called off",
        "abort the unfinished rollout on the field tablets",
        "break off the deployment to the kiosks and undo it",
        "scrap the running rollout on the phones",
    ),
    job=True,
    hidden=True,
)
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
    "deployment.pause",
    effect=Effect.WRITE,
    idempotent=True,
    examples=(
        "pause the rollout on the thinkpads",
        "hold the deployment to phones",
        "stop the canary for a moment on servers-batch",
        "wait with the rollout to frontdesk",
        "freeze the thinkpads rollout",
        "put the phones rollout on hold",
        "pause deploying to the servers please",
        "halt the rollout in warehouse until I say so",
        "suspend the deployment on thinkpads-canary",
        "don't go any further with the phones for now",
    ),
)
def pause_rollout(args: PauseRollout, call: Call) -> RolloutPaused:
    """Hold a group's rollout: no further device is changed until it is resumed.

    Args:
        group: the group's name.
    """
    return _service(call).set_paused(call.tenant, args.group, True)


@pause_rollout.preview
def _(args: PauseRollout, call: Call) -> Preview:
    return _service(call).preview_pause(call.tenant, args.group, True)


@pause_rollout.read_back
def _(args: PauseRollout, result: RolloutPaused, call: Call) -> list[Evidence]:
    return _service(call).pause_evidence(call.tenant, result.rollout)


@pause_rollout.inverse
def _(args: PauseRollout, result: RolloutPaused, call: Call) -> Inverse:
    return Inverse(operation="deployment.resume", arguments={"group": args.group})


@pause_rollout.says
def _(args: PauseRollout, result: RolloutPaused) -> str:
    return f"Rollout {result.rollout} on {result.group} is paused."


@operation(
    "deployment.resume",
    effect=Effect.WRITE,
    idempotent=True,
    examples=(
        "resume the rollout on the thinkpads",
        "continue deploying to the phones",
        "go on with the rollout on servers-batch",
        "unpause the thinkpads rollout",
        "carry on with the canary on frontdesk",
        "let the phones rollout proceed",
        "take the deployment to warehouse off hold",
        "you can continue with the servers now",
        "restart the paused rollout in thinkpads-canary",
        "resume deployment for group kiosks",
    ),
)
def resume_rollout(args: ResumeRollout, call: Call) -> RolloutPaused:
    """Let a paused rollout of a group go on.

    Args:
        group: the group's name.
    """
    return _service(call).set_paused(call.tenant, args.group, False)


@resume_rollout.preview
def _(args: ResumeRollout, call: Call) -> Preview:
    return _service(call).preview_pause(call.tenant, args.group, False)


@resume_rollout.read_back
def _(args: ResumeRollout, result: RolloutPaused, call: Call) -> list[Evidence]:
    return _service(call).pause_evidence(call.tenant, result.rollout)


@resume_rollout.inverse
def _(args: ResumeRollout, result: RolloutPaused, call: Call) -> Inverse:
    return Inverse(operation="deployment.pause", arguments={"group": args.group})


@resume_rollout.says
def _(args: ResumeRollout, result: RolloutPaused) -> str:
    return f"Rollout {result.rollout} on {result.group} goes on."


@operation(
    "deployment.judgements",
    effect=Effect.READ,
    examples=(
        "how were the steps of rollout 7 judged",
        "show the judgements of rollout 12",
        "why did rollout 5 not go on to the next step",
        "list the verdicts of rollout 9 with their limits",
        "which metrics was rollout 3 judged by",
        "on what evidence was rollout 8 let through",
        "show me the last 20 judgements of rollout 4",
        "what were the limits and samples at each step of rollout 6",
    ),
    hidden=True,
)
def list_judgements(args: JudgementsOf, call: Call) -> JudgementList:
    """List how a rollout's steps were judged: every metric with its limit, sample and evidence.

    Args:
        rollout: its number.
        limit: at most this many, 1 to 1000, newest first.
    """
    return _steering(call).judgements(args, call.tenant)
