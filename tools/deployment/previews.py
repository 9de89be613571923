"""What the preview of a rollout says of its risk and its time, however it is asked for."""

from __future__ import annotations

from tools.deployment.plan import Plan

TYPICAL_SECONDS = 30.0


def takes(plan: Plan) -> float:
    """Seconds that a rollout takes: every step is watched for as long as was said."""
    return TYPICAL_SECONDS + len(plan.options["steps"]) * (plan.options.get("seconds") or 0)


def risk_of(plan: Plan) -> str:
    """What may happen to whom."""
    return (
        f"{len(plan.chosen)} of {len(plan.devices)} devices change what they answer; if one "
        "fails or falls silent, all of them are put back by themselves."
    )
