"""Judging a step: figures from devices' own reports, each against its limit, by sequential tests.

Pure functions. A rollout's false-alarm rate (`sequential.FALSE_ALARMS`) is shared by its metrics;
each may be looked at after every report. A group of fewer than `FEW` devices is judged without
tolerance: there, one device that fails is a breach.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tools.deployment.judgement_types import Metric
from tools.deployment.sequential import FALSE_ALARMS, evidence_above, mean_interval
from tools.evaluation.sequential import Counted, proportion_difference

FEW = 20
FAILED_DEVICES, FAILED_ANSWERS, SLOW_DEVICES = 0.01, 0.01, 0.2
DISAGREEMENT, CONFIDENCE_DROP, WRONG_OUTCOMES = 0.2, 0.1, 0.05
LEAST_DEVICES = 3
METRICS = (
    *("failed devices", "failed answers", "slower devices", "confidence", "disagreement"),
    "wrong outcomes",
)
ALARM = len(METRICS) / FALSE_ALARMS
NOTHING = Counted(0, 0)
GOOD, HOLD, BREACH = "good", "too little data", "breach"


@dataclass(frozen=True, slots=True)
class Seen:
    """What one touched device reported since the rollout touched it.

    Attributes:
        device: its name.
        failed: why it failed, if it did: refused, crashed, fell back, silent, unhealthy.
        there: True if it confirmed that it serves what it is meant to.
        requests: texts that the new version was asked about.
        errors: those that it failed to answer.
        confidence: the sum of the new version's confidences.
        compared: texts on which the new version ran as a shadow.
        agreed: those on which it agreed.
        slower: whether its 95th percentile latency rose beyond the limit; None if unknown.
    """

    device: str
    failed: str | None = None
    there: bool = False
    requests: int = 0
    errors: int = 0
    confidence: float = 0.0
    compared: int = 0
    agreed: int = 0
    slower: bool | None = None


@dataclass(frozen=True, slots=True)
class Former:
    """What the former model answered, which the new one is compared with."""

    requests: int = 0
    errors: int = 0
    confidence: float = 0.0


@dataclass(frozen=True, slots=True)
class Judged:
    """A step's figures, and what follows from them.

    Attributes:
        verdict: good, too little data, or breach.
        metrics: the figures.
        reasons: for a breach, by device or metric.
        says: one sentence.
    """

    verdict: str
    metrics: tuple[Metric, ...]
    reasons: Mapping[str, str] = field(default_factory=dict[str, str])
    says: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """Outcomes that people or other systems told later, such as delayed labels; success counts."""

    former: Counted = NOTHING
    new: Counted = NOTHING


def judge(
    seen: Sequence[Seen],
    former: Former,
    sample: int,
    *,
    shadow: bool = False,
    told: Told | None = None,
) -> Judged:
    """Judge a step.

    Args:
        seen: the touched devices.
        former: what the former model answered on the same group.
        sample: answers (or comparisons, for a shadow) that there have to be.
        shadow: True if the new version answers nobody.
        told: outcomes that were recorded of both versions.
    """
    metrics = [_devices(seen), *_answers(seen, former, 0 if shadow else sample), _slower(seen)]
    if shadow:
        metrics.append(_agreement(seen, sample))
    if told is not None and told.new.trials:
        metrics.append(_outcomes(told))
    failed = {s.device: s.failed for s in seen if s.failed is not None}
    breached = [m for m in metrics if m.verdict == BREACH]
    if breached:
        reasons = failed if any(m.name == METRICS[0] for m in breached) else {}
        others = {m.name: _told(m) for m in breached if m.name != METRICS[0] or not failed}
        says = "; ".join(map(_told, breached))
        return Judged(BREACH, tuple(metrics), {**reasons, **others}, says)
    short = [m for m in metrics if m.verdict == HOLD]
    if short:
        lacking = ", ".join(f"{m.sample} of {m.needed} {_unit(m.name)}" for m in short)
        return Judged(HOLD, tuple(metrics), {}, f"too little data: {lacking}")
    return Judged(GOOD, tuple(metrics), {}, "within its limits")


def _devices(seen: Sequence[Seen]) -> Metric:
    """Refusals, crashes, fall-backs and silence, as a share of the devices that came to an end."""
    failed = sum(s.failed is not None for s in seen)
    ended = failed + sum(s.there and s.failed is None for s in seen)
    evidence = evidence_above(failed, ended, FAILED_DEVICES)
    breach = evidence >= ALARM or (failed > 0 and len(seen) < FEW)
    return Metric(
        name=METRICS[0],
        value=failed / ended if ended else None,
        limit=FAILED_DEVICES if len(seen) >= FEW else 0.0,
        sample=ended,
        evidence=evidence,
        alarm=ALARM,
        verdict=BREACH if breach else GOOD,
    )


def _answers(seen: Sequence[Seen], former: Former, sample: int) -> list[Metric]:
    """Failed answers against what the former model fails, and how sure the new one is."""
    asked, errors = sum(s.requests for s in seen), sum(s.errors for s in seen)
    usual = former.errors / former.requests if former.requests else 0.0
    limit = min(0.99, usual + FAILED_ANSWERS)
    evidence = evidence_above(errors, asked, limit)
    failing = Metric(
        name=METRICS[1],
        value=errors / asked if asked else None,
        limit=limit,
        sample=asked,
        needed=sample,
        evidence=evidence,
        alarm=ALARM,
        verdict=BREACH if evidence >= ALARM else HOLD if asked < sample else GOOD,
    )
    return [failing, _confidence(seen, former)]


def _confidence(seen: Sequence[Seen], former: Former) -> Metric:
    """Drift: a breach once the new mean surely lies below the former one less the allowed drop."""
    answered = sum(s.requests - s.errors for s in seen)
    alpha = FALSE_ALARMS / len(METRICS) / 2
    new = mean_interval(sum(s.confidence for s in seen), answered, alpha)
    old = mean_interval(former.confidence, former.requests - former.errors, alpha)
    limit = max(0.0, old.value - CONFIDENCE_DROP) if former.requests else 0.0
    drifted = former.requests > 0 and new.high < old.low - CONFIDENCE_DROP
    return Metric(
        name=METRICS[3],
        value=new.value if answered else None,
        limit=limit,
        sample=answered,
        evidence=ALARM if drifted else 1.0,
        alarm=ALARM,
        verdict=BREACH if drifted else GOOD,
    )


def _slower(seen: Sequence[Seen]) -> Metric:
    """The share of devices whose 95th percentile latency rose beyond the limit."""
    known = [s for s in seen if s.slower is not None]
    slow = sum(bool(s.slower) for s in known)
    evidence = evidence_above(slow, len(known), SLOW_DEVICES)
    return Metric(
        name=METRICS[2],
        value=slow / len(known) if known else None,
        limit=SLOW_DEVICES,
        sample=len(known),
        evidence=evidence,
        alarm=ALARM,
        verdict=BREACH if evidence >= ALARM and len(known) >= LEAST_DEVICES else GOOD,
    )


def _agreement(seen: Sequence[Seen], sample: int) -> Metric:
    """How often a shadow labels otherwise than the model that answers."""
    compared, agreed = sum(s.compared for s in seen), sum(s.agreed for s in seen)
    evidence = evidence_above(compared - agreed, compared, DISAGREEMENT)
    return Metric(
        name=METRICS[4],
        value=(compared - agreed) / compared if compared else None,
        limit=DISAGREEMENT,
        sample=compared,
        needed=sample,
        evidence=evidence,
        alarm=ALARM,
        verdict=BREACH if evidence >= ALARM else HOLD if compared < sample else GOOD,
    )


def _outcomes(told: Told) -> Metric:
    """Delayed labels: a breach once the new version surely ends badly more often than allowed."""
    share = FALSE_ALARMS / len(METRICS)
    look = proportion_difference(told.former, told.new, alpha=share)
    worse = look.high < -WRONG_OUTCOMES
    former, new = told.former, told.new
    usual = 1 - former.successes / former.trials if former.trials else 0.0
    return Metric(
        name=METRICS[5],
        value=1 - new.successes / new.trials,
        limit=min(1.0, usual + WRONG_OUTCOMES) if former.trials else 1.0,
        sample=new.trials,
        evidence=ALARM if worse else 1.0,
        alarm=ALARM,
        verdict=BREACH if worse else GOOD,
    )


def _told(metric: Metric) -> str:
    value = 0.0 if metric.value is None else metric.value
    compared = "below" if metric.name == METRICS[3] else "above"
    return (
        f"{metric.name} {value:.1%}, {compared} the limit of {metric.limit:.1%} "
        f"({metric.sample} {_unit(metric.name)})"
    )


def _unit(name: str) -> str:
    if name == METRICS[4]:
        return "comparisons"
    if name == METRICS[5]:
        return "outcomes"
    return "devices" if "devices" in name else "answers"
