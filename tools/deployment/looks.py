"""From devices' reports to the figures that a step is judged by."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tools.deployment.judging import Former, Seen
from tools.deployment.tables import RolloutRow, TargetRow
from tools.devices.fleet import Device
from tools.devices.types import Traffic

CRASHES = 3
"""Restarts since the update from which on a device counts as one that crashes."""
SLOWER_TIMES, SLOWER_MS, SLOWER_REQUESTS = 1.25, 10.0, 20
FORMER_REQUESTS = 30


def seen_of(row: RolloutRow, device: Device, target: TargetRow, stuck: str | None) -> Seen:
    """What a touched device reported since the rollout touched it.

    Args:
        row: the rollout.
        device: the device as it is.
        target: the device as the rollout found it.
        stuck: why it will not get there, if that is known: it refused, or is silent.
    """
    new = _of_new(row, traffic_of(device, target))
    return Seen(
        device=device.name,
        failed=stuck or _unwell(device, target),
        there=device.confirmed,
        requests=new.requests,
        errors=new.errors,
        confidence=_surety(new),
        compared=new.compared,
        agreed=new.agreed,
        slower=_slower(device, target, new),
    )


def former_of(
    row: RolloutRow, devices: Iterable[Device], targets: Mapping[str, TargetRow]
) -> Former:
    """What the former model answered in the group: since the rollout began, if that is enough."""
    since: list[Traffic] = []
    ever: list[Traffic] = []
    for device in devices:
        if device.report is not None and (target := targets.get(device.name)) is not None:
            since += traffic_of(device, target)
            ever += device.report.traffic
    recent = _sum(t for t in since if not _is_new(row, t))
    return (
        recent
        if recent.requests >= FORMER_REQUESTS
        else _sum(t for t in ever if not _is_new(row, t))
    )


def traffic_of(device: Device, target: TargetRow) -> list[Traffic]:
    """What a device answered since the rollout found it."""
    return traffic_since(device.report.traffic if device.report else (), target.traffic_before)


def traffic_since(total: Sequence[Traffic], before: Sequence[Mapping[str, Any]]) -> list[Traffic]:
    """What was answered since `before` was noted, by model version."""
    earlier = {(t.model, t.version): t for t in (Traffic.model_validate(b) for b in before)}
    return [_less(t, earlier.get((t.model, t.version))) for t in total]


def _unwell(device: Device, target: TargetRow) -> str | None:
    report = device.report
    if report is None or report.generation != device.generation:
        return None
    if not report.healthy:
        return report.error or "it reports to be unhealthy"
    restarts = report.boot - target.facts_before.get("boot", report.boot)
    return f"it restarted {restarts} times since the update" if restarts >= CRASHES else None


def _slower(device: Device, target: TargetRow, new: Traffic) -> bool | None:
    before, report = target.facts_before.get("p95_ms"), device.report
    if before is None or report is None or report.p95_ms is None:
        return None
    if new.requests < SLOWER_REQUESTS or not device.confirmed:
        return None
    return report.p95_ms > max(before * SLOWER_TIMES, before + SLOWER_MS)


def _of_new(row: RolloutRow, traffic: Iterable[Traffic]) -> Traffic:
    empty = Traffic(model=row.model, version=row.version)
    return next((t for t in traffic if _is_new(row, t)), empty)


def _is_new(row: RolloutRow, traffic: Traffic) -> bool:
    return (traffic.model, traffic.version) == (row.model, row.version)


def _sum(counts: Iterable[Traffic]) -> Former:
    found = list(counts)
    return Former(
        requests=sum(t.requests for t in found),
        errors=sum(t.errors for t in found),
        confidence=sum(_surety(t) for t in found),
    )


def _less(total: Traffic, before: Traffic | None) -> Traffic:
    """What came since; a device that lost its counters (it enrolled anew) begins at zero."""
    if before is None or total.requests < before.requests:
        return total
    answered = (total.requests - total.errors) - (before.requests - before.errors)
    surety = _surety(total) - _surety(before)
    return Traffic(
        model=total.model,
        version=total.version,
        requests=total.requests - before.requests,
        errors=max(0, total.errors - before.errors),
        mean_confidence=round(surety / answered, 4) if answered > 0 else None,
        compared=max(0, total.compared - before.compared),
        agreed=max(0, total.agreed - before.agreed),
        labels={
            label: count
            for label, times in total.labels.items()
            if (count := times - before.labels.get(label, 0)) > 0
        },
    )


def _surety(traffic: Traffic) -> float:
    return (traffic.mean_confidence or 0.0) * (traffic.requests - traffic.errors)
