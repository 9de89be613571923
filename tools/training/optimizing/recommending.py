"""Which variant for which kind of device, under a stated constraint: a pure function.

A profile runs some runtimes, the best-suited first: phones the program that XNNPACK runs, laptops
OpenVINO, servers OpenVINO too. Among those that keep the constraint, the cheapest is taken
(latency × memory); a better-suited runtime is preferred where it costs at most a tenth more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

RUNTIMES: dict[str, tuple[str, ...]] = {
    "phone": ("executorch", "onnx", "llamacpp"),
    "laptop": ("openvino", "onnx", "llamacpp"),
    "server": ("openvino", "onnx", "torch", "llamacpp"),
}
"""Profile → the runtimes that it has, the one made for it first."""

_SUITED = 1.10


@dataclass(frozen=True, slots=True)
class Candidate:
    """What a choice needs to know of a variant.

    Attributes:
        variant: its target's name.
        runtime: what runs it.
        loss_points: points of the metric that it loses.
        p95_ms: 95th percentile of the latency of one text, in milliseconds.
        memory_mb: megabytes that it adds to a process.
        cost_ratio: latency × memory, as a share of the parent's.
        size_bytes: of its files.
    """

    variant: str
    runtime: str
    loss_points: float
    p95_ms: float
    memory_mb: float
    cost_ratio: float
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Constraint:
    """What a variant must keep to be offered; None where nothing was asked.

    Attributes:
        max_loss_points: points that it may lose at most.
        max_latency_ms: what 95 of 100 texts may take at most.
        max_memory_mb: megabytes that it may add at most.
        max_size_mb: megabytes of its files at most.
    """

    max_loss_points: float | None = 1.0
    max_latency_ms: float | None = None
    max_memory_mb: float | None = None
    max_size_mb: float | None = None

    def broken_by(self, one: Candidate) -> list[str]:
        """Why the variant does not keep it; empty if it does."""
        measured = (
            ("loses", one.loss_points, self.max_loss_points, "points"),
            ("takes", one.p95_ms, self.max_latency_ms, "ms (p95)"),
            ("needs", one.memory_mb, self.max_memory_mb, "MB of memory"),
            ("has", one.size_bytes / 1e6, self.max_size_mb, "MB of files"),
        )
        return [
            f"{verb} {value:.1f} {unit}, at most {limit:.4g} was asked"
            for verb, value, limit, unit in measured
            if limit is not None and value > limit + 1e-9
        ]


def choose(
    profile: str, candidates: Iterable[Candidate], constraint: Constraint | None = None
) -> Candidate | None:
    """The variant for a kind of device, or None if none keeps the constraint and runs there.

    Args:
        profile: `phone`, `laptop` or `server`.
        candidates: the variants that there are.
        constraint: at most one point worse when not given.
    """
    limits = constraint or Constraint()
    known = RUNTIMES[profile]
    fitting = [c for c in candidates if c.runtime in known and not limits.broken_by(c)]
    if not fitting:
        return None
    cheapest = min(fitting, key=lambda c: (c.cost_ratio, c.size_bytes))
    suited = [c for c in fitting if c.cost_ratio <= cheapest.cost_ratio * _SUITED]
    return min(suited, key=lambda c: (known.index(c.runtime), c.cost_ratio))


def recommendations(
    candidates: Sequence[Candidate], constraint: Constraint | None = None
) -> dict[str, Candidate | None]:
    """Profile → what `choose` says for it."""
    return {profile: choose(profile, candidates, constraint) for profile in RUNTIMES}
