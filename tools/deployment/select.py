"""Which devices a filter means, and why others are not meant: by what they reported themselves."""

from __future__ import annotations

from collections.abc import Iterable

from tools.deployment.types import Selection
from tools.devices.fit import PROFILE_MEMORY_MB
from tools.devices.fleet import Device
from tools.devices.types import Machine

MB_PER_GB = 1000
"""A phone sold with 6 GB reports somewhat less than 6 * 1024 MB: the kernel keeps a part."""


def meant(devices: Iterable[Device], wanted: Selection) -> list[Device]:
    """The devices that fit a filter, in their order."""
    return [device for device in devices if why_not(device, wanted) is None]


def why_not(device: Device, wanted: Selection) -> str | None:
    """Why a device is not meant by a filter; None if it is."""
    if wanted.profile is not None and device.profile != wanted.profile:
        return f"{device.name} is a {device.profile}"
    if wanted.min_memory_gb is not None:
        memory = memory_mb(device)
        if memory < wanted.min_memory_gb * MB_PER_GB:
            return f"{device.name} has {memory / MB_PER_GB:.1f} GB"
    if wanted.network is not None:
        machine = _machine(device)
        network = machine.network if machine else "unknown"
        if network != wanted.network.value:
            return f"{device.name} is on {network}"
    return None


def memory_mb(device: Device) -> float:
    """A device's memory by its own report, else what its class has at the least."""
    machine = _machine(device)
    if machine is not None and machine.memory_mb is not None:
        return machine.memory_mb
    return PROFILE_MEMORY_MB[device.profile]


def _machine(device: Device) -> Machine | None:
    return device.report.machine if device.report else None


def narrows(wanted: Selection) -> bool:
    """True if a filter was said at all."""
    return bool(told(wanted))


def told(wanted: Selection) -> str:
    """A filter as a person says it: `phones with at least 6 GB on wifi`; empty without one."""
    parts = [
        f"{wanted.profile}s" if wanted.profile else "",
        f"with at least {wanted.min_memory_gb:g} GB" if wanted.min_memory_gb else "",
        f"on {wanted.network}" if wanted.network else "",
    ]
    return " ".join(part for part in parts if part)
