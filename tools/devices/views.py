"""Devices and groups as people read and name them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from tools.devices.types import DeviceHealth, DeviceSummary, ServedModel
from tools.kernel.operations import Change

if TYPE_CHECKING:
    from tools.devices.fleet import Device

MOST_TOLD, MOST_ROWS = 5, 50


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


def few(told: Sequence[str], most: int = MOST_TOLD, joint: str = ", ") -> str:
    """Names or phrases in one line: of a large fleet the first `most`, and how many more."""
    more = len(told) - most
    shown = joint.join(told[:most] if more > 0 else told)
    return f"{shown} and {more:,} more" if more > 0 else shown


def changes_of(told: Sequence[tuple[str, str | None, str]]) -> list[Change]:
    """Differences for a preview, of (device, before, after); those of a large fleet by kind.

    A person approves what fits on a card: past `MOST_ROWS` devices, one row stands for all that
    change alike.
    """
    if len(told) <= MOST_ROWS:
        return [Change(what=name, before=before, after=after) for name, before, after in told]
    alike: dict[tuple[str | None, str], list[str]] = {}
    for name, before, after in told:
        alike.setdefault((before, after), []).append(name)
    return [
        Change(what=f"{len(names):,} devices ({few(names, 3)})", before=before, after=after)
        for (before, after), names in alike.items()
    ]


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
