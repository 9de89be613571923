"""How a group's rollout stands, in one sentence: the step, what it waits for, who serves it."""

from __future__ import annotations

from tools.deployment.types import DeviceOutcome, GroupStatus, RolloutReport, RolloutState

_NAMED = 3
_IN_STEPS = frozenset([RolloutState.RUNNING, RolloutState.CANARY, RolloutState.SHADOW])
_ENDED_BADLY = frozenset([RolloutState.ROLLING_BACK, RolloutState.ROLLED_BACK, RolloutState.FAILED])


def told(status: GroupStatus) -> str:
    """The state of a group's latest rollout.

    Args:
        status: the group, with its devices as they reported.

    Returns:
        Such as `phones: ticket-router v3 running at 30 % (step 1 of 2), holds: too little data: 0
        of 30 answers; 1 of 3 devices serves it`.
    """
    rollout = status.rollout
    if rollout is None:
        return f"{status.group}: nothing rolled out yet"
    parts = [f"{status.group}: {rollout.model} v{rollout.version} {_state(rollout)}"]
    parts.append(_served(rollout, status.devices))
    waiting = [d.device for d in status.devices if not d.confirmed]
    if waiting:
        parts.append(f"not as wanted yet: {_named(waiting)}")
    if status.silent:
        parts.append(f"silent: {_named(status.silent)}")
    return "; ".join(parts)


def _state(rollout: RolloutReport) -> str:
    state = "paused" if rollout.paused else rollout.state.value.replace("_", " ")
    if rollout.state in _IN_STEPS and rollout.steps:
        now = min(rollout.step, len(rollout.steps))
        state += f" at {rollout.steps[now - 1]} % (step {now} of {len(rollout.steps)})"
    if rollout.state in _ENDED_BADLY and rollout.reason:
        state += f": {rollout.reason}"
    return f"{state}, holds: {rollout.hold}" if rollout.hold else state


def _served(rollout: RolloutReport, devices: list[DeviceOutcome]) -> str:
    serving = [d for d in devices if _serves(d, rollout)]
    verb = "serves" if len(serving) == 1 else "serve"
    of = "1 device" if len(devices) == 1 else f"{len(devices)} devices"
    return f"{len(serving)} of {of} {verb} it"


def _serves(device: DeviceOutcome, rollout: RolloutReport) -> bool:
    wanted = (rollout.model, rollout.version)
    return any((model.model, model.version) == wanted for model in device.reported)


def _named(devices: list[str]) -> str:
    shown = ", ".join(devices[:_NAMED])
    more = len(devices) - _NAMED
    return f"{shown} and {more} more" if more > 0 else shown
