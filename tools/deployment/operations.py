"""The operations on rollouts: start, status, list, roll back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.deployment import experiment_operations, freeze_operations, steering_operations
from tools.deployment.types import (
    DeploymentStatus,
    ListRollouts,
    RollBack,
    RolloutList,
    RolloutReport,
    RolloutState,
    StartRollout,
    StatusOf,
)
from tools.devices.views import few
from tools.kernel.entities import EntityKind, EntityName, entity_source
from tools.kernel.operations import Call, Effect, Evidence, Inverse, Preview, operation
from tools.registry.usage import usage_source

if TYPE_CHECKING:
    from tools.deployment.service import DeploymentService
    from tools.kernel.kernel import Kernel

__all__ = ["experiment_operations", "freeze_operations", "steering_operations"]

MOST_TOLD = 5
"""How many rollouts a sentence tells of; the table has them all."""


def _service(call: Call) -> DeploymentService:
    from tools.deployment.service import DeploymentService

    return call.get(DeploymentService)


@entity_source(EntityKind.ROLLOUT)
def rollout_names(kernel: Kernel, tenant: str) -> list[EntityName]:
    """The rollouts by number, newest first."""
    from tools.deployment.service import DeploymentService

    return kernel.get(DeploymentService).names(tenant)


@usage_source
def served_where(kernel: Kernel, tenant: str, model: str, version: int) -> list[str]:
    """Who serves a version, so that the registry does not archive it under them."""
    from tools.deployment.service import DeploymentService

    return kernel.get(DeploymentService).uses(tenant, model, version)


@operation(
    "deployment.start",
    effect=Effect.DANGEROUS,
    job=True,
    examples=(
        "roll it out to the thinkpads as a canary",
        "deploy ticket-router v3 to the phones",
        "canary ticket-router v2 on the thinkpads",
        "push version 4 of spam-filter to servers-batch, all at once",
        "start a blue-green rollout of intent-model v7 to the servers",
        "ship ticket-router@challenger to 10% of the phones",
        "put the new version on the frontdesk machines",
        "promote the canary of ticket-router v3 to all thinkpads",
        "roll ticket-router v2 out to everyone in the warehouse group",
        "release sentiment v5 on phones-field with a 20 percent canary",
        "deploy it to the laptops",
        "get the challenger running on the thinkpads, blue green please",
        "install ticket-router version 6 on all servers",
        "extend the canary to half of the thinkpads",
        "send router v12 to the edge devices in thinkpads-canary",
    ),
)
def start_rollout(args: StartRollout, call: Call) -> RolloutReport:
    """Roll a registered model version out to a group of devices, as a durable rollout.

    Builds a signed bundle, gives it to the devices, waits until they report it themselves, judges
    their health, and rolls every touched device back by itself when one fails or falls silent.
    A canary stops on part of the group, or goes in steps; each is judged by sequential tests on
    the devices' own figures (docs/rollouts.md), and holds while there is too little data. Start
    again with strategy all, or percent 100, to promote what holds.

    Args:
        model: the registered model's name.
        version: the version to roll out.
        group: the group of devices that receives it.
        strategy: canary (default), blue_green, all or shadow.
        percent: share of the group for a canary, 1 to 100; about a third if not given.
        steps: shares that a canary reaches one after the other, such as 1, 10, 50, 100.
        minutes: for how long each step is watched.
        sample: answers of the new version that a step is judged on at the least.
        profile: only phones, laptops or servers.
        min_memory_gb: only devices with at least so much memory.
        network: only devices on wifi, ethernet or cellular.
        window: maintenance window in UTC, such as 22:00-06:00.
        per_minute: at most so many devices are changed in a minute.

    Raises:
        Conflict: another rollout of the group is not finished.
        OperationFailed: a device failed or fell silent; the touched devices were put back.
    """
    return _service(call).run_rollout(args, call)


@start_rollout.preview
def _(args: StartRollout, call: Call) -> Preview:
    return _service(call).preview_rollout(args, call)


@start_rollout.read_back
def _(args: StartRollout, result: RolloutReport, call: Call) -> list[Evidence]:
    return _service(call).evidence(call.tenant, result.rollout)


@start_rollout.inverse
def _(args: StartRollout, result: RolloutReport, call: Call) -> Inverse:
    return Inverse(operation="deployment.rollback", arguments={"group": args.group})


@start_rollout.says
def _(args: StartRollout, result: RolloutReport) -> str:
    confirmed = [d.device for d in result.devices if d.touched and d.confirmed]
    held = f", canary at {result.percent} %" if result.state == "canary" else ""
    return (
        f"{few(confirmed) or 'No device'} of {result.group} "
        f"{'serves' if len(confirmed) == 1 else 'serve'} {result.model} v{result.version}"
        f"{held}, by their own report."
    )


@operation(
    "deployment.status",
    effect=Effect.READ,
    examples=(
        "how is the rollout going?",
        "deployment status",
        "what is the status of the rollout on the thinkpads",
        "is the canary done yet?",
        "which rollouts are running",
        "has everything been deployed to the phones?",
        "show me where the deployment stands",
        "are all thinkpads on version 3?",
        "what was last rolled out to the servers?",
        "who has not got the new model yet",
        "how far is the canary on servers-batch?",
        "show the counts of the A/B test on phones",
        "which devices are behind what they should run?",
    ),
)
def rollout_status(args: StatusOf, call: Call) -> DeploymentStatus:
    """Show, for one group or all, the latest rollout and each device's desired and reported model.

    Args:
        group: only this group.
    """
    return _service(call).status(call.tenant, args.group)


@rollout_status.says
def _(args: StatusOf, result: DeploymentStatus) -> str:
    if not result.groups:
        return "There are no devices yet."
    from tools.deployment.telling import told

    return ". ".join(told(group) for group in result.groups) + "."


@operation(
    "deployment.rollouts",
    effect=Effect.READ,
    examples=(
        "list past rollouts",
        "the history of rollouts on the thinkpads",
        "which rollouts of ticket-router have there been?",
        "show all rollouts of ticket-router v3",
        "which rollouts failed",
        "which rollouts were there last week",
        "list the rollouts that were rolled back on the phones",
        "what was rolled out to the servers before",
        "the last 5 rollouts",
        "every rollout that ticket-router ever had",
        "deployment history of the phones",
    ),
)
def list_rollouts(args: ListRollouts, call: Call) -> RolloutList:
    """List rollouts and A/B tests, finished ones included, newest first.

    Args:
        group: only this group's.
        model: only this model's.
        version: only of this version of the model.
        state: only those that stand so.
        rollout: only the one of this number.
        period: only those begun in this time, such as `last week`.
        before: only those numbered lower.
        limit: at most this many, 1 to 1001.
    """
    return _service(call).rollouts(args, call.tenant)


@list_rollouts.says
def _(args: ListRollouts, result: RolloutList) -> str:
    if not result.rollouts:
        return "There is no such rollout."
    told = [
        f"{r.model} v{r.version} on {r.group} {r.state.value.replace('_', ' ')}"
        + (f" ({r.reason})" if r.reason else "")
        for r in result.rollouts[:MOST_TOLD]
    ]
    more = len(result.rollouts) - len(told)
    return "; ".join(told) + (f"; and {more} more." if more else ".")


@operation(
    "deployment.rollback",
    effect=Effect.DANGEROUS,
    job=True,
    examples=(
        "roll it back",
        "roll back the thinkpads",
        "undo the deployment on the phones",
        "put the servers back on the previous version",
        "revert the rollout in frontdesk",
        "go back to the old model on the thinkpads",
        "put servers-batch back on the model it had before the canary",
        "the new model is bad, roll back the phones now",
        "rollback warehouse",
        "return the thinkpads to what they had before",
        "end the A/B test on the phones",
        "take ticket-router v3 off the thinkpads again",
        "emergency rollback for phones-field",
    ),
)
def roll_back(args: RollBack, call: Call) -> RolloutReport:
    """Put a group's devices back on their former model and wait until they report it.

    A rollout that still runs is stopped. The former model lies ready on the devices. With a filter
    only the devices that it means are put back, and the rollout goes on with the others.

    Args:
        group: the group's name.
        profile: only phones, laptops or servers.
        min_memory_gb: only devices with at least so much memory.
        network: only devices on wifi, ethernet or cellular.

    Raises:
        OperationFailed: a device has not confirmed in time; it converges when it is back.
    """
    return _service(call).run_rollback(args, call)


@roll_back.preview
def _(args: RollBack, call: Call) -> Preview:
    return _service(call).preview_rollback(args, call)


@roll_back.read_back
def _(args: RollBack, result: RolloutReport, call: Call) -> list[Evidence]:
    return _service(call).evidence(call.tenant, result.rollout)


@roll_back.inverse
def _(args: RollBack, result: RolloutReport, call: Call) -> Inverse:
    return _service(call).rollback_inverse(result)


@roll_back.says
def _(args: RollBack, result: RolloutReport) -> str:
    from tools.deployment.rollouts import OPEN
    from tools.deployment.select import narrows, told

    some = narrows(args) and result.state != RolloutState.ROLLED_BACK
    lines = [
        f"{d.device} serves {' and '.join(f'{s.model} v{s.version}' for s in d.reported) or 'none'}"
        for d in result.devices
        if d.touched and (d.excluded or not some)
    ]
    by_report = f"by the devices' own report: {few(lines)}" if lines else "none had changed"
    if not some:
        return f"{result.group} is rolled back, {by_report}."
    rest = ", the others are left to it" if result.state in OPEN else ""
    return (
        f"{told(args).capitalize()} of {result.group} are out of rollout {result.rollout}{rest}; "
        f"{by_report}."
    )
