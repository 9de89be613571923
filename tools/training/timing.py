"""What a training job takes, and how far off its estimate was: both by one clock.

It is the job's own: its work from the moment it begins to its recorded end, over all attempts, with
what a kill made it do again. Waiting in the queue and pauses are left out. A part of it is fixed,
whatever the epochs: of each computing process what it does before it computes, and of the job the
preparing, writing, measuring and recording around it.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    from tools.kernel.settings import Settings
    from tools.training.estimating import Speedometer
    from tools.training.types import TuneTraining


class Times(TypedDict):
    """The times of a `TrainingEstimate`."""

    seconds: float
    seconds_low: float
    seconds_high: float
    startup_seconds: float
    around_seconds: float


def durations(
    meter: Speedometer, kind: str, base_model: str, usual: tuple[float, float], operations: float
) -> Times:
    """How long a training likely takes.

    Args:
        meter: knows this machine.
        kind: whose speed counts.
        base_model: what it starts from; how long that takes to load is its own.
        usual: seconds before computing and around it where none of the kind has been seen.
        operations: what is to be computed.
    """
    computing = operations / meter.read(kind)
    starting, around = meter.fixed(fixed_of(kind, base_model), usual)
    fixed = starting + around
    return Times(
        seconds=round(fixed + computing, 1),
        seconds_low=round(fixed / 2 + computing / 3, 1),
        seconds_high=round(1.5 * fixed + 3 * computing, 1),
        startup_seconds=round(starting, 1),
        around_seconds=round(around, 1),
    )


def fixed_of(kind: str, base_model: str) -> str:
    """The name under which the fixed times of a kind of training are kept."""
    return f"{kind} of {base_model}"


def expected_seconds(estimate: dict[str, Any], epochs: Sequence[float], at_once: int = 1) -> float:
    """What was expected of a job whose computing processes went so far.

    Args:
        estimate: a `TrainingEstimate` of one of them.
        epochs: how many epochs each did.
        at_once: how many computed at once.
    """
    starting, around = estimate["startup_seconds"], estimate.get("around_seconds", 0.0)
    computing = (estimate["seconds"] - starting - around) / max(1, estimate["epochs"])
    alone = sum(starting + computing * done for done in epochs)
    return around + alone / at_once


def compared(expected: float, took: float) -> dict[str, float | None]:
    """`seconds`, `estimated_seconds` and `estimate_error` of a `TrainingResult`."""
    from tools.training.estimating import error_of

    return {
        "seconds": round(took, 2),
        "estimated_seconds": round(expected, 2),
        "estimate_error": error_of(took, expected),
    }


def at_once(args: TuneTraining, settings: Settings) -> int:
    """How many trials of a tuning make headway at once: on one machine no more than cores do."""
    if settings.ray_address is not None:
        return args.parallel
    return max(1, min(args.parallel, (os.cpu_count() or 1) // settings.threads))


def said(seconds: float | None, estimated: float | None) -> str:
    """How long something took beside what had been expected; empty if it was not measured."""
    if seconds is None:
        return ""
    took = f"It took {seconds:.0f} s of work, waiting and pauses left out"
    if not estimated:
        return f"{took}; there was no estimate."
    error = seconds / estimated - 1
    off = f"{abs(error):.0%} {'more' if error > 0 else 'less'}"
    return f"{took}; {estimated:.0f} s had been estimated, it was {off}."
