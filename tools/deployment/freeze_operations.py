"""The operations on change freezes: declare one, lift it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.deployment.freeze_types import DeclareFreeze, FreezeState, LiftFreeze
from tools.kernel.operations import Call, Effect, Evidence, Inverse, operation

if TYPE_CHECKING:
    from tools.deployment.steering import Steering


def _steering(call: Call) -> Steering:
    from tools.deployment.steering import Steering

    return call.get(Steering)


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
