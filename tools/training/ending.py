"""How a training ends: at a limit of time, and with which weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

from tools.training.types import Keep, TrainingEstimate

OUT_OF_TIME = "out of time"
"""Why a training ended that came to its limit of time."""
Score = TypeVar("Score")


class _Ends(Protocol):
    """A spec, as far as its end goes."""

    @property
    def epochs(self) -> int: ...

    @property
    def max_seconds(self) -> float | None: ...

    @property
    def keep(self) -> Keep: ...


def seconds_of(minutes: float | None) -> float | None:
    """The limit of a spec."""
    return None if minutes is None else 60 * minutes


def limit_told(spec: _Ends) -> dict[str, float]:
    """The limit of time, as a result and its run name it; empty without one."""
    return {} if spec.max_seconds is None else {"max_minutes": spec.max_seconds / 60}


def limited(expected: TrainingEstimate, minutes: float | None) -> TrainingEstimate:
    """An estimate under a limit of time, and how far training will probably come with it.

    Args:
        expected: what all epochs would take.
        minutes: of steps, after which it ends; None for no limit.
    """
    fixed = expected.startup_seconds + expected.around_seconds
    computing, most = expected.seconds - fixed, seconds_of(minutes)
    if most is None or computing <= most:
        return expected
    told = (
        f"All {expected.epochs} epochs would take about {computing / 60:.1f} minutes of computing; "
        f"at the limit of {minutes:g} it will probably be in epoch "
        f"{min(expected.epochs, 1 + int(expected.epochs * most / computing))}."
    )
    return expected.model_copy(
        update={
            "seconds": round(fixed + most, 1),
            "cost": round(expected.cost * (fixed + most) / expected.seconds, 6),
            "seconds_low": min(expected.seconds_low, round(fixed + most, 1)),
            "seconds_high": min(expected.seconds_high, round(1.5 * fixed + most, 1)),
            "warnings": [*expected.warnings, told],
        }
    )


def kept(scores: Sequence[Score], best: Score, keep: Keep) -> Score:
    """The epoch whose weights are kept: the best one, or the last."""
    return scores[-1] if keep == "last" else best


def time_warnings(spec: _Ends, stopped: str, passes: float, epoch: int) -> list[str]:
    """What to know of a training that a limit of time ended; empty for any other.

    Args:
        spec: what was asked for.
        stopped: why it ended.
        passes: how often it went through the training split, in whole and in part.
        epoch: whose weights are kept.
    """
    if stopped != OUT_OF_TIME or spec.max_seconds is None:
        return []
    return [
        f"It stopped at its limit of {spec.max_seconds / 60:g} minutes, after {passes:.2g} of "
        f"{spec.epochs} epochs; the {spec.keep} weights (epoch {epoch}) are kept."
    ]
