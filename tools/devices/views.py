"""Devices and groups as people read and name them."""

from __future__ import annotations

from collections.abc import Sequence

from tools.devices.fleet import Device
from tools.devices.types import DeviceHealth, DeviceSummary, ServedModel


def summary(device: Device) -> DeviceSummary:
    """A device as a line of a list."""
    return DeviceSummary(
        name=device.name,
        group=device.group,
        profile=device.profile,
        state=device.state,
        serving=list(device.serving),
        desired=list(device.serve),
        in_step=device.confirmed,
        last_report=device.report.at if device.report else None,
    )


def health_of(device: Device) -> DeviceHealth:
    """How a device is doing, from its own last report."""
    health = DeviceHealth(name=device.name, group=device.group, state=device.state)
    report = device.report
    if report is None:
        return health
    served = {(s.model, s.version) for s in report.serving}
    means = [
        t.mean_confidence
        for t in report.traffic
        if (t.model, t.version) in served and t.mean_confidence is not None
    ]
    return health.model_copy(
        update={
            "healthy": report.healthy,
            "serving": named(report.serving) or None,
            "requests": report.requests,
            "errors": report.errors,
            "latency_p50_ms": report.p50_ms,
            "latency_p95_ms": report.p95_ms,
            "mean_confidence": round(sum(means) / len(means), 4) if means else None,
            "last_report": report.at,
            "error": "locked: its credential was copied" if device.locked else report.error,
        }
    )


def named(models: Sequence[ServedModel]) -> str:
    """Served models as a person writes them."""
    return " and ".join(f"{m.model} v{m.version}" for m in models)


def spellings(group: str) -> tuple[str, ...]:
    """Other ways in which people write a group's name: singular or plural, with an article."""
    if group.endswith("ies"):
        other = group[:-3] + "y"
    elif group.endswith(("ches", "shes", "xes", "sses")):
        other = group[:-2]
    elif group.endswith("s") and not group.endswith("ss"):
        other = group[:-1]
    elif group.endswith("y") and group[-2:-1] not in tuple("aeiou"):
        other = group[:-1] + "ies"
    else:
        other = group + ("es" if group.endswith(("ch", "sh", "x", "ss")) else "s")
    return (other, f"the {group}", f"the {other}")
